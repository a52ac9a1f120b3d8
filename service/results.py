"""The ends of attempts: finished, released, or only renewed."""

import hashlib
import json
from typing import Any

from fastapi.responses import Response

from service import promoting, telling
from service.context import Context
from service.leases import Held, parse_lease
from service.reports import DELETED, oriented
from service.store import finishing, reporting
from service.store.finishing import Result
from trialbook.errors import AlreadyFinished, FieldError, Invalid, LeaseLost, NotFound
from trialbook.spec import StudySpec
from trialbook.wire import Finish, Trial


async def finish(context: Context, lease: str, body: Finish) -> Response:
    """End an attempt with its result. A repeat is answered with the same bytes."""
    held = parse_lease(context.secret, lease)
    place = await reporting.place(context.db, held.trial)
    if place is None:
        raise NotFound(DELETED)
    digest = hashlib.sha256(_canonical(body)).digest()
    if place.attempt != held.attempt or place.state != "running":
        return await _repeat(context, held, digest) or await finish(context, lease, body)
    if body.state == "paused" and not place.pauses:
        raise Invalid(errors=[FieldError("/state", "must not be paused: this trial was not told to pause")])
    if body.state == "paused" and body.value is not None:
        raise Invalid(
            errors=[FieldError("/value", "must be left out: a paused trial's is the one that it was judged by")]
        )
    spec = context.spec_of(place.study_id, place.spec)
    value = body.value if body.value is not None else await _measured_value(context, held.trial, spec, body)
    result = Result(
        state=body.state,
        value=value,
        score=None if value is None else oriented(value, spec.sign),
        error=body.error,
        reason=place.prune_reason if body.state in ("pruned", "paused") else None,
        attributes=json.dumps(body.attributes),
        retry=body.retry,
        digest=digest,
        last_step=place.last_step,
        best_score=place.best_score,
        measured=body.value is None,
    )
    limited = place.study_id if _is_limited(place.spec["budget"]) else None
    ended = await finishing.finish(context.db, held.trial, held.attempt, result, limited=limited)
    if ended is None:
        return await _repeat(context, held, digest) or await finish(context, lease, body)
    telling.attempt_ended(context.metrics, ended.trial, body.state)
    telling.study_ended(context.metrics, ended.ended)
    if ended.trial.state == "paused":
        await promoting.promote(context, ended.study_id, spec)
    if ended.budget_made and ended.trial.state != "waiting":
        telling.study_ended(context.metrics, await promoting.settle(context, ended.study_id))
    context.bell.ring()
    return _told(ended.trial.model_dump_json())


def _is_limited(budget: dict[str, Any]) -> bool:  # Any: JSON
    """Whether a result can spend this budget by its value."""
    return any(budget.get(limit) is not None for limit in ("target_value", "patience"))


def _canonical(body: Finish) -> bytes:
    return json.dumps(body.model_dump(mode="json"), sort_keys=True).encode()


def _told(answer: str) -> Response:
    return Response(answer, media_type="application/json")


async def _repeat(context: Context, held: Held, digest: bytes) -> Response | None:
    """The answer to a finish of an attempt that is over; None where it still runs, so something else has changed."""
    ended = await finishing.ending(context.db, held.trial, held.attempt)
    if ended is None:
        raise NotFound(DELETED)
    if ended.outcome is None and ended.current and ended.trial.state == "running":
        return None
    if ended.digest is None:
        raise _refused(context, held, ended.trial)
    if ended.digest != digest:
        raise AlreadyFinished
    return _told(ended.answer or ended.trial.model_dump_json())


async def _measured_value(context: Context, trial: int, spec: StudySpec, body: Finish) -> float | None:
    """The value that a finish leaves out: the metric at the best step under early stopping, else at the last."""
    metric = spec.objective.metric
    curve = [one for one in await reporting.curve(context.db, trial) if metric in one.metrics] if metric else []
    if not curve:
        if body.state == "complete":
            raise Invalid(errors=[FieldError("/value", "is required: no report holds the objective's metric")])
        return None
    if spec.early_stopping is None or body.state != "complete":
        return curve[-1].metrics[str(metric)]
    return min((one.metrics[str(metric)] for one in curve), key=lambda value: oriented(value, spec.sign))


async def release(context: Context, lease: str) -> Trial:
    """Give a trial back to the queue. Repeating it is answered alike as long as nobody else has it."""
    held = parse_lease(context.secret, lease)
    trial = await finishing.release(context.db, held.trial, held.attempt, "released by its worker")
    if trial is None:
        ended = await finishing.ending(context.db, held.trial, held.attempt)
        if ended is None:
            raise NotFound(DELETED)
        if ended.outcome != "released" or not ended.current:
            raise _refused(context, held, ended.trial)
        trial = ended.trial
    else:
        telling.lease_released(context.metrics, trial)
    context.bell.ring()
    return trial


async def renew(context: Context, lease: str) -> Trial:
    """Make a lease last its full time again."""
    held = parse_lease(context.secret, lease)
    trial = await finishing.renew(context.db, held.trial, held.attempt, context.settings.lease_seconds)
    if trial is None:
        ended = await finishing.ending(context.db, held.trial, held.attempt)
        raise NotFound(DELETED) if ended is None else _refused(context, held, ended.trial)
    return trial


def _refused(context: Context, held: Held, trial: Trial) -> LeaseLost:
    return telling.write_refused(context.metrics, trial.study, trial.number, held.attempt)
