"""Trials by hand: enqueued, imported and cancelled."""

import hashlib
import json

from service import promoting, telling
from service.context import Context
from service.reports import oriented
from service.store import closing
from service.store import trials as store
from service.store.answers import find_answer, keep_answer
from service.store.reporting import Step, record_import
from service.store.tokens import Holder
from service.store.trials import Added
from service.studies import answered_meanwhile, find, repeated
from trialbook.errors import Conflict, FieldError, KeyReused, NotFound, WrongState, invalid
from trialbook.spec import StudySpec
from trialbook.wire import NewTrial, NewTrials, Trial

NO_TRIAL = "There is no trial of that number."


async def add(context: Context, holder: Holder, name: str, body: NewTrials, key: str | None) -> str:
    """Enqueue known points or import finished trials; the answer's JSON."""
    study = await find(context, holder, name)
    digest = hashlib.sha256(f"{name}:{body.model_dump_json()}".encode()).digest()
    if key is not None and (known := await find_answer(context.db, holder.token_id, key)) is not None:
        return repeated(known, digest)
    spec = StudySpec.model_validate(study.spec)
    _check(spec, body)
    try:
        answer = await _insert(context, holder, study.id, spec, body, key, digest)
    except Conflict as conflict:
        return await answered_meanwhile(context, holder, key, digest, conflict)
    context.bell.ring()
    return answer


async def _insert(
    context: Context, holder: Holder, study: int, spec: StudySpec, body: NewTrials, key: str | None, digest: bytes
) -> str:
    curves = [_steps(spec, one) for one in body.trials]
    for steps in curves:  # looked up before the transaction, which holds a connection of the pool itself
        await context.sets.look_up(study, steps)
    async with context.db.begin() as connection:
        added = await store.add_trials(connection, study, [_added(spec, one) for one in body.trials], spec.n_cells)
        if added is None:
            raise WrongState("The study has ended, or its budget has no room for these trials.")
        for (row, _), steps in zip(added, curves, strict=True):
            await record_import(connection, context.sets, study, row, steps)
        answer = json.dumps({"numbers": [number for _, number in added]})
        if key is not None and not await keep_answer(connection, holder.token_id, key, digest, answer):
            raise KeyReused
        return answer


def _check(spec: StudySpec, body: NewTrials) -> None:
    errors = [
        FieldError(f"/trials/{i}/params/{name}", message)
        for i, one in enumerate(body.trials)
        for name, message in spec.space.problems(one.params)
    ]
    for i, one in enumerate(body.trials):
        if one.state == "complete" and one.value is None:
            errors.append(FieldError(f"/trials/{i}/value", "is required for a complete trial"))
        if one.state == "waiting" and (one.value is not None or one.reports):
            errors.append(
                FieldError(f"/trials/{i}/state", "must be complete, pruned or failed where there are results")
            )
    if errors:
        raise invalid(errors)


def _added(spec: StudySpec, one: NewTrial) -> Added:
    score = None if one.value is None else oriented(one.value, spec.sign)
    params = {name: one.params[name] for name in spec.space.names if name in one.params}
    return Added(params, one.state, one.value, score, one.attributes)


def _steps(spec: StudySpec, one: NewTrial) -> list[Step]:
    metric = spec.objective.metric
    steps = {report.step: report.metrics for report in one.reports}
    return [
        Step(step, metrics, oriented(metrics[metric], spec.sign) if metric in metrics else None)
        for step, metrics in steps.items()
    ]


async def cancel(context: Context, holder: Holder, name: str, number: int) -> Trial:
    """Cancel one trial; its worker is told at the next report."""
    study = await find(context, holder, name)
    cancelled = await closing.cancel_trial(context.db, study.id, number, "cancelled by a user")
    found = await store.find_trial(context.db, study.id, number)
    if found is None:
        raise NotFound(NO_TRIAL)
    trial = found[1]
    if not cancelled and trial.state != "cancelled":
        raise WrongState(f"The trial is over: {trial.state}.")
    if cancelled:
        telling.trial_cancelled(context.metrics, trial)
    telling.study_ended(context.metrics, await promoting.settle(context, study.id))
    context.bell.ring()
    return trial
