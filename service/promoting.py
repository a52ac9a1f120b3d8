"""Promotions: paused trials that have come to be among the best of their rung go on, before a study may complete.

Each event at a rung is followed by a look, in a statement of its own: of two at once the later one sees both.
"""

from collections.abc import Sequence

from service import pruning, telling
from service.context import Context
from service.pruning import Own, Pruner
from service.store import closing
from service.store import promoting as store
from service.store.closing import Ended
from service.store.database import Database, Transaction
from trialbook.spec import StudySpec


async def promote(context: Context, study_id: int, spec: StudySpec) -> None:
    """Let the paused trials of a study go on that are among the best by now."""
    rungs = pruning.rungs_of(spec.pruner)
    if rungs is not None:
        await _tell(context, spec, await _promote(context.db, study_id, rungs, _pruner(spec)))


async def pause_expired(context: Context) -> None:
    """Pause the trials whose workers were lost after they were told to pause; others may go on by that."""
    for lost in await store.pause_expired(context.db):
        telling.trial_paused_alone(context.metrics, lost)
        await promote(context, lost.study_id, context.spec_of(lost.study_id, lost.spec))


async def settle(context: Context, study_id: int) -> Ended | None:
    """Complete a study whose budget is made and whose trials are all over, or paused with no way on; None where that
    is not so."""
    found = await closing.may_settle(context.db, study_id)  # the usual case costs one statement
    if found is None:
        return None
    spec = context.spec_of(study_id, found)
    rungs = pruning.rungs_of(spec.pruner)
    async with context.db.begin() as connection:
        await closing.hold(connection, study_id)  # a larger budget, and trials made of it meanwhile, are seen then
        promoted: list[int] = []
        if rungs is not None and await closing.may_settle(connection, study_id):
            promoted = await _promote(connection, study_id, rungs, _pruner(spec))
        ended = None if promoted else await closing.settle(connection, study_id)
    await _tell(context, spec, promoted)
    return ended


async def _promote(db: Database | Transaction, study_id: int, rungs: Sequence[int], pruner: Pruner) -> list[int]:
    """The numbers of the trials that go on."""
    promoted = []
    for best in await store.best(db, study_id, rungs):
        one: store.Paused | None = best
        while one is not None:
            own = Own(one.step, one.score, one.score, one.rung)
            rivals = await store.rival_scores(db, study_id, one)
            verdict = pruner.judge(own, rivals)
            if verdict.prune:
                break
            reason = f"promoted: it has come to be among the best of {len(rivals) + 1} trials at step {one.rung}"
            number = await store.promote(db, one, reason, verdict.compared)
            promoted += [] if number is None else [number]
            one = next(iter(await store.best(db, study_id, [one.rung])), None)
    return promoted


def _pruner(spec: StudySpec) -> Pruner:
    return pruning.build(spec.pruner, spec.sign, spec.objective.metric or "value")


async def _tell(context: Context, spec: StudySpec, promoted: Sequence[int]) -> None:
    for number in promoted:
        telling.trial_promoted(context.metrics, spec.name, number)
    if promoted:
        context.bell.ring()
