"""Reports: a worker's metrics go in, a decision comes out: go on, prune, or stop."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from service import promoting, pruning, telling
from service.context import Context
from service.leases import parse_lease
from service.store import closing, finishing, reporting
from service.store import promoting as store
from service.store.reporting import Place, Step
from trialbook.errors import AlreadyFinished, NotFound, StepConflict
from trialbook.wire import Decision, Report, Spared


@dataclass(frozen=True)
class Judged:
    """The steps to store, why the trial is pruned (or paused) at the last of them, if it is, and where it is spared."""

    steps: tuple[Step, ...]
    prune_reason: str | None = None
    pauses: bool = False
    spared: Spared | None = None


async def report(context: Context, lease: str, reports: Sequence[Report]) -> Decision:
    """Store steps under a lease, renew it, and decide."""
    held = parse_lease(context.secret, lease)
    place = await reporting.place(context.db, held.trial)
    if place is None:
        raise NotFound(DELETED)
    if place.attempt != held.attempt or place.state != "running":
        return await _over(context, held.trial, held.attempt, place, reports)
    judged = await _judge(context, held.trial, place, _distinct(reports))
    recorded = await reporting.record(
        context.db,
        context.sets,
        held.trial,
        held.attempt,
        place,
        judged.steps,
        ttl=context.settings.lease_seconds,
        prune_reason=judged.prune_reason,
        pauses=judged.pauses,
        spared=judged.spared,
    )
    context.news.ring()
    if recorded is None or recorded.stored < len(judged.steps):
        await _check_repeat(context, held.trial, judged.steps)
    if recorded is None:
        return await report(context, lease, reports)  # something changed in between; each turn needs another change
    if place.spec["budget"].get("max_epochs") is not None and await _is_spent(context, place, judged.steps):
        return await report(context, lease, reports)  # the study has just ended, and this trial with it
    if any(step.milestone is not None for step in judged.steps):
        await promoting.promote(context, place.study_id, context.spec_of(place.study_id, place.spec))
    if recorded.prune_reason is not None:
        return _decision(context, "pause" if recorded.pauses else "prune", recorded.prune_reason)
    if place.study_state == "paused":
        if (released := await finishing.release(context.db, held.trial, held.attempt, PAUSED)) is not None:
            telling.lease_released(context.metrics, released)
        return _decision(context, "stop", PAUSED)
    return _decision(context, "continue", _sparing(recorded.spared))


def _distinct(reports: Sequence[Report]) -> Sequence[Report]:
    """Each step once. Raises StepConflict where a batch holds a step twice, with different values."""
    if len(found := {one.step: one for one in reports}) == len(reports):
        return reports
    if not all(_same(one.metrics, found[one.step].metrics) for one in reports):
        raise StepConflict("A step is reported twice, with different values.")
    return tuple(found.values())


async def _is_spent(context: Context, place: Place, steps: Sequence[Step]) -> bool:
    """Whether these steps were the last in the study's budget of epochs, which ends it."""
    before = -1 if place.last_step is None else place.last_step
    if not context.epochs.add(place.study_id, max([step.step - before for step in steps if step.step > before] or [0])):
        return False
    stored = context.epochs.stored(place.study_id)
    spending = await closing.end_if_spent(context.db, place.study_id)
    telling.study_ended(context.metrics, spending.ended)
    if (left := spending.epochs_left) is not None:
        context.epochs.learn(place.study_id, left, stored)
    return left is not None and left <= 0


DELETED = "The trial was deleted."
PAUSED = "the study is paused; the trial went back to the queue"


def _sparing(spared: Spared | None) -> str | None:
    return None if spared is None else f"would be pruned: {spared.reason}; it runs on for the audit"


def _decision(context: Context, decision: str, reason: str | None) -> Decision:
    return Decision.model_validate(
        {"decision": decision, "reason": reason, "ttl_seconds": context.settings.lease_seconds}
    )


async def _over(context: Context, trial: int, attempt: int, place: Place, reports: Sequence[Report]) -> Decision:
    """The answer under a lease that no longer holds: stop for a trial that was ended from outside, else an error."""
    ended = await finishing.ending(context.db, trial, attempt)
    if ended is None or not ended.current or place.attempt != attempt:
        raise telling.write_refused(context.metrics, place.spec["name"], place.number, attempt)
    if place.state == "cancelled":
        return _decision(context, "stop", place.reason)
    if ended.outcome == "released" and place.reason == PAUSED:
        return _decision(context, "stop", PAUSED)
    if ended.outcome in ("complete", "pruned", "paused", "failed"):
        steps = [Step(one.step, one.metrics, None) for one in reports]
        stored = await reporting.stored_steps(context.db, trial, [step.step for step in steps])
        if any(not _same(step.metrics, stored.get(step.step, {})) for step in steps):
            raise AlreadyFinished("This attempt is finished: no more steps are stored.")
        stopped = "pause" if place.pauses else "prune"
        if place.prune_reason is None:
            return _decision(context, "continue", _sparing(place.spared))
        return _decision(context, stopped, place.prune_reason)
    raise telling.write_refused(context.metrics, place.spec["name"], place.number, attempt)


async def _check_repeat(context: Context, trial: int, steps: Sequence[Step]) -> None:
    """Raise StepConflict where a step is stored with other values."""
    stored = await reporting.stored_steps(context.db, trial, [step.step for step in steps])
    for step in steps:
        if step.step in stored and not _same(step.metrics, stored[step.step]):
            raise StepConflict(f"Step {step.step} was already reported with other values.")


def _same(one: reporting.Metrics, other: reporting.Metrics) -> bool:
    return one.keys() == other.keys() and all(
        value == other[name] or (math.isnan(value) and math.isnan(other[name])) for name, value in one.items()
    )


async def _judge(context: Context, trial: int, place: Place, reports: Sequence[Report]) -> Judged:
    """Judge a batch step by step; what comes after a prune is answered, not stored; what comes after the step where a
    trial was spared is stored, not judged."""
    spec = context.spec_of(place.study_id, place.spec)
    metric = spec.objective.metric
    pruner = pruning.build(spec.pruner, spec.sign, metric or "value", can_pause=place.can_pause)
    promotes = pruning.rungs_of(spec.pruner) is not None
    steps: list[Step] = []
    if place.prune_step is not None:
        reports = [one for one in reports if one.step <= place.prune_step]
    previous, best = place.last_step, place.best_score
    spared = place.spared
    for one in reports:
        score = oriented(one.metrics[metric], spec.sign) if metric in one.metrics else None
        is_judged = score is not None and spared is None
        milestone = pruner.milestone(one.step, previous, place.number) if is_judged else None
        verdict = pruning.Verdict(prune=False)
        if score is not None:
            best = score if best is None else min(best, score)
        if score is not None and best is not None and milestone is not None:
            rivals: list[float] = []
            if pruner.rivals is not None:
                only_complete = pruner.rivals == "complete"
                rivals = await reporting.rival_scores(
                    context.db, place.study_id, trial, milestone, only_complete=only_complete
                )
            if promotes:
                rivals += await store.scores_of_those_anew(context.db, place.study_id, milestone)
            verdict = pruner.judge(pruning.Own(one.step, score, best, milestone), rivals)
            if place.rung is not None and milestone <= place.rung and math.isfinite(score):
                verdict = pruning.passed(spec.sign)  # it was promoted from here, and had to begin anew
        steps.append(Step(one.step, one.metrics, score, milestone, verdict.compared))
        if verdict.prune and pruning.spares(spec.pruner, spec.sampler.seed, place.number):
            spared = Spared(step=one.step, reason=verdict.reason or "")
        elif verdict.prune:
            return Judged(tuple(steps), verdict.reason, verdict.pauses)
        previous = one.step if previous is None else max(previous, one.step)
    return Judged(tuple(steps), spared=spared)


def oriented(value: float, sign: int) -> float:
    """The score of a value: smaller is better, +inf where it is not finite."""
    return value * sign if math.isfinite(value) else math.inf
