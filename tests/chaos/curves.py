"""Rules on curves: what was reported is there, whole, and nothing else, at the end and in each look before it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.chaos.facts import Facts, Found, StudyFacts, TrialFacts, found, is_possible, same_metrics, spelled
from tests.chaos.halving import TOLD
from tests.chaos.history import Call


@dataclass(frozen=True)
class Look:
    """A curve as it was shown between two instants, with the attempt that held the trial all that time."""

    steps: dict[int, dict[str, Any]]
    attempt: int
    begun: float
    ended: float
    calls: tuple[Call, ...]  # the call that showed it; none for the final state


def looks(trial: TrialFacts) -> Iterator[Look]:
    """The final curve, and each earlier one that was read while no other attempt may have begun."""
    if trial.final is not None:
        yield Look(_steps(trial.final), trial.last_attempt, math.inf, math.inf, ())
    for call, shown in trial.shown:
        if "reports" in shown:
            following = trial.grants.get(shown["attempt"] + 1)
            is_last = shown["attempt"] == trial.last_attempt
            if is_last if following is None else following.earliest > call.ended:
                yield Look(_steps(shown), shown["attempt"], call.begun, call.ended, (call,))


def _steps(shown: dict[str, Any]) -> dict[int, dict[str, Any]]:
    return {one["step"]: one["metrics"] for one in shown["reports"]}


def lost_report(facts: Facts) -> Iterator[Found]:
    """A report answered `continue` is in each later curve with its values, unless a new attempt rewound behind it."""
    for trial in facts.trials:
        for look in looks(trial):
            for attempt, call in _reports(trial, look.attempt):
                if not (_decided(call) == "continue" and call.ended < look.begun):
                    continue
                for step, metrics in _asked(call):
                    if trial.kept(attempt, step, look.attempt) and not _is_in(look, step, metrics):
                        is_there = "with other values" if step in look.steps else "missing"
                        yield found(trial, f"step {step} of attempt {attempt} is {is_there}", call, *look.calls)


def lost_before_prune(facts: Facts) -> Iterator[Found]:
    """Of what was first reported under `prune` or `pause`, the curve holds a first part: up to where it was decided."""
    for trial in facts.trials:
        for look in looks(trial):
            for attempt in {attempt for attempt, _ in _reports(trial, look.attempt)}:
                yield from _pruned_part(trial, look, attempt)


def _pruned_part(trial: TrialFacts, look: Look, attempt: int) -> Iterator[Found]:
    calls = [call for call in trial.of("report", attempt) if is_possible(call)]
    prunes = [call for call in calls if _decided(call) in TOLD and call.ended < look.begun]
    others = {step for call in calls if call not in prunes for step, _ in _asked(call)}
    batches = [[step for step, _ in _asked(call)] for call in prunes]
    if any(call.outcome != "ok" for call in calls) or any(batch != sorted(batch) for batch in batches):
        return  # where it was pruned is not known
    steps = sorted({step for batch in batches for step in batch} - others)
    if not steps or not all(trial.kept(attempt, step, look.attempt) for step in steps):
        return
    stored = [step for step in steps if step in look.steps]
    if not stored or stored != steps[: len(stored)]:
        yield found(trial, f"of steps {steps} reported up to a prune, {stored} are stored", *prunes, *look.calls)


def torn_report(facts: Facts) -> Iterator[Found]:
    """A batch of reports is in a curve whole or not at all (or up to where the trial was pruned)."""
    for study in facts.studies.values():
        for trial in () if study.is_deleted else study.trials.values():
            for look in looks(trial):
                for attempt, call in _reports(trial, look.attempt):
                    yield from _torn(trial, look, attempt, call, may_prune=_may_prune(study))


def _torn(trial: TrialFacts, look: Look, attempt: int, call: Call, *, may_prune: bool) -> Iterator[Found]:
    asked = _asked(call)
    if len(asked) < 2 or not is_possible(call) or call.begun > look.ended:
        return
    there = [s for s, metrics in asked if _is_in(look, s, metrics) and _is_from(call, _origins(trial, look, s))]
    absent = [s for s, _ in asked if s not in look.steps and trial.kept(attempt, s, look.attempt)]
    is_first_part = may_prune and _decided(call) != "continue" and there and absent and max(there) < min(absent)
    if there and absent and not is_first_part:
        yield found(trial, f"of one batch, steps {there} are stored and {absent} are not", call, *look.calls)


def made_up_step(facts: Facts) -> Iterator[Found]:
    """Each step of a curve was asked for, with these values, by a report that no later attempt has rewound."""
    for study in facts.studies.values():
        if study.is_whole and not study.is_deleted:
            for trial in study.trials.values():
                if not _may_be_imported(study, trial):
                    yield from _made_up(trial)


def _made_up(trial: TrialFacts) -> Iterator[Found]:
    for look in looks(trial):
        if any(attempt not in trial.grants for attempt in range(1, look.attempt + 1)):
            continue  # somebody held it whose answer was lost
        for step in look.steps:
            origins = _origins(trial, look, step)
            if not origins:
                yield found(trial, f"step {step} is stored with values that nobody reported", *look.calls)
            elif all(trial.kept(attempt, step, look.attempt) is False for attempt, _ in origins):
                calls = [call for _, call in origins]
                yield found(trial, f"step {step} is behind the checkpoint of a later attempt", *calls, *look.calls)


def conflicting_steps(facts: Facts) -> Iterator[Found]:
    """A step of an attempt is accepted with one set of values only."""
    for trial in facts.trials:
        for attempt in trial.writes:
            first: dict[int, tuple[dict[str, Any], Call]] = {}
            for call in trial.of("report", attempt):
                for step, metrics in _asked(call) if _decided(call) == "continue" else ():
                    known, earlier = first.setdefault(step, (metrics, call))
                    if not same_metrics(known, metrics):
                        yield found(trial, f"step {step} is accepted twice, with different values", earlier, call)


def _origins(trial: TrialFacts, look: Look, step: int) -> list[tuple[int, Call]]:
    """The reports that may have stored this step as the look shows it."""
    return [
        (attempt, call)
        for attempt, call in _reports(trial, look.attempt)
        if is_possible(call) and call.begun < look.ended
        if any(one == step and same_metrics(metrics, look.steps[step]) for one, metrics in _asked(call))
    ]


def _is_from(call: Call, origins: list[tuple[int, Call]]) -> bool:
    """Whether this batch alone, or the same one sent again, can have stored a step."""
    return all(spelled(one.asked) == spelled(call.asked) for _, one in origins)


def _reports(trial: TrialFacts, until: int) -> Iterator[tuple[int, Call]]:
    for attempt in trial.writes:
        if attempt <= until:
            yield from ((attempt, call) for call in trial.of("report", attempt))


def _asked(call: Call) -> list[tuple[int, dict[str, Any]]]:
    return [(one["step"], one["metrics"]) for one in call.asked["reports"]]


def _decided(call: Call) -> str | None:
    return call.answer["decision"] if call.outcome == "ok" else None


def _is_in(look: Look, step: int, metrics: dict[str, Any]) -> bool:
    return step in look.steps and same_metrics(metrics, look.steps[step])


def _may_prune(study: StudyFacts) -> bool:
    name: str = (study.spec.get("pruner") or {}).get("name", "none")
    return name != "none"


def _may_be_imported(study: StudyFacts, trial: TrialFacts) -> bool:
    return not trial.grants and any(is_possible(call) for call in study.calls["addTrials"])
