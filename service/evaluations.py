"""Evaluations: the best trial of a completed study, measured once on the data that no trial has seen, by a worker."""

import json

from service import ids
from service.context import Context
from service.store import evaluating as store
from service.store.evaluating import Claim
from service.store.tokens import Holder
from trialbook.errors import NotFound
from trialbook.evaluation import Evaluation, EvaluationResult
from trialbook.wire import LeaseRequest, Trial

KIND = "evaluation"
LEASES = 2.0  # a claim lasts as long as so many leases: it is not renewed


async def claim(context: Context, holder: Holder, body: LeaseRequest) -> tuple[Evaluation | None, bool]:
    """An evaluation for a worker that asked for one, and whether there are any, be they others'."""
    ttl = LEASES * context.settings.lease_seconds
    owner = holder.only_of
    asked = Claim(holder.token_id, body.request_id, body.trainers, body.study, ttl, owner)
    found, some = await store.claim(context.db, asked)
    if found is None:
        return None, some
    evaluation = Evaluation(
        id=ids.spell(context.secret, KIND, found.trial_id, found.tries),
        study=found.study,
        number=found.number,
        objective=found.spec["objective"],
        data=found.data,
        folds=found.spec["trial"]["folds"],
        ttl_seconds=ttl,
    )
    return evaluation, True


async def finish(context: Context, evaluation: str, body: EvaluationResult) -> Trial:
    """Record what a worker has found; the first result counts, and whoever comes later is told that one."""
    known = ids.parse(context.secret, KIND, evaluation)
    if known is None:
        raise NotFound("There is no such evaluation.")
    trial, tries = known
    if body.error is not None:
        await store.record_error(context.db, trial, tries, body.error)
    else:
        measured = body.model_dump(mode="json")
        await store.record(context.db, trial, json.dumps({**measured["metrics"], "tested_examples": body.examples}))
    found = await store.evaluated_trial(context.db, trial)
    if found is None:
        raise NotFound("The evaluation is of no use any more: the study went on, or is gone.")
    context.bell.ring()
    return found
