"""Rules on studies that pause and promote: no pause is lost, none goes on too early, none is left that was to go on."""

from collections.abc import Iterator
from typing import Any

from tests.chaos.facts import Facts, Found, StudyFacts, TrialFacts, found, is_possible
from tests.chaos.history import Call

TOLD = ("prune", "pause")
METRIC = "loss"  # which all studies of chaos minimise


def lost_pause(facts: Facts) -> Iterator[Found]:
    """A pause that was acknowledged is its attempt's outcome in the end."""
    for trial in facts.trials:
        for attempt in trial.writes if trial.final is not None else ():
            for call in trial.of("finishTrial", attempt):
                if (
                    call.outcome == "ok"
                    and call.asked["state"] == "paused"
                    and (one := _outcome(trial, attempt)) != "paused"
                ):
                    yield found(trial, f"attempt {attempt} was paused and is {one} in the end", call)


def promoted_too_early(facts: Facts) -> Iterator[Found]:
    """Who goes on from a rung is among the best 1/factor of those that have come there by then, as far as one knows."""
    for study in _halved(facts):
        factor = study.spec["pruner"]["reduction_factor"]
        for trial in study.trials.values():
            for rung, score, begun, ended, calls in _went_on(study, trial):
                came = sum(any(call.begun < ended for call in _came(one, rung)) for one in study.trials.values())
                others = [one for one in study.trials.values() if one is not trial and one.last_attempt == 1]
                better = sum(_certain(one, rung, begun) < score for one in others)
                if better + 1 > came // factor:
                    what = f"it goes on from step {rung} as number {better + 1} at best of {came} at most"
                    yield found(trial, what, *calls)


def left_behind(facts: Facts) -> Iterator[Found]:
    """In a study that ends since all is made, nobody is left at a rung who is among the best 1/factor there."""
    for study in _halved(facts):
        if study.final is None or not str(study.final["reason"]).startswith("all trials"):
            continue
        finals = [trial.final for trial in study.trials.values() if trial.final is not None]
        for trial in study.trials.values():
            rung = _paused_at(study, trial)
            if rung is None or trial.final is None:
                continue
            scores = {one["number"]: at for one in finals if (at := _at(one, rung)) is not None}
            own = scores.pop(trial.number)
            kept = (len(scores) + 1) // study.spec["pruner"]["reduction_factor"]
            if sum(score <= own for score in scores.values()) < kept:
                yield found(trial, f"it is paused at step {rung}, among the best {kept} of {len(scores) + 1}")


def is_halved(study: StudyFacts) -> bool:
    """Whether a study pauses trials."""
    return bool((study.spec.get("pruner") or {}).get("promote"))


def was_told_to_pause(trial: TrialFacts, attempt: int) -> bool:
    """Whether an attempt was told to pause, or may have been by an answer that was lost."""
    reports = [call for call in trial.of("report", attempt) if is_possible(call)]
    return any(call.outcome != "ok" or call.answer["decision"] == "pause" for call in reports)


def _halved(facts: Facts) -> Iterator[StudyFacts]:
    return (study for study in facts.studies.values() if is_halved(study) and not study.is_deleted)


def _rungs(study: StudyFacts) -> list[int]:
    pruner = study.spec["pruner"]
    first, factor, last = pruner.get("min_resource", 1), pruner["reduction_factor"], pruner["max_resource"] - 1
    return [step for k in range(20) if (step := first * factor**k - 1) < last]


def _outcome(trial: TrialFacts, attempt: int) -> str | None:
    attempts = (trial.final or {}).get("attempts", ())
    return next((one["outcome"] for one in attempts if one["attempt"] == attempt), None)


def _came(trial: TrialFacts, rung: int) -> list[Call]:
    """The reports by which a trial may have come to a rung."""
    calls = [call for call in trial.of("report") if is_possible(call)]
    return [call for call in calls if any(one["step"] >= rung for one in call.asked["reports"])]


def _asked(call: Call, step: int) -> float | None:
    metrics = next((one["metrics"] for one in call.asked["reports"] if one["step"] == step), {})
    return metrics.get(METRIC)


def _certain(trial: TrialFacts, rung: int, until: float) -> float:
    """The score at a rung that was certainly there at that time; none is infinite."""
    done = [call for call in trial.of("report", 1) if call.outcome == "ok" and call.ended < until]
    return min((score for call in done if (score := _asked(call, rung)) is not None), default=float("inf"))


Gone = tuple[int, float, float, float, tuple[Call, ...]]


def _went_on(study: StudyFacts, trial: TrialFacts) -> Iterator[Gone]:
    """Rungs that a trial went on from for the first time: with its score there, between which times, and the proof."""
    for rung in _rungs(study):
        for attempt in sorted(trial.writes):
            told = [
                call for call in trial.of("report", attempt) if call.outcome == "ok" and _asked(call, rung) is not None
            ]
            if not told:
                continue
            first, score = told[0], _asked(told[0], rung) or 0.0
            following = trial.grants.get(attempt + 1)
            if first.answer["decision"] == "continue":
                yield rung, score, first.begun, first.ended, (first,)
            elif (
                first.answer["decision"] == "pause" and following and _outcome(trial, attempt) in ("paused", "expired")
            ):
                yield rung, score, first.begun, following.call.ended, (first, following.call)
            break  # what comes there again passes


def _paused_at(study: StudyFacts, trial: TrialFacts) -> int | None:
    """The rung at which a trial was paused when its study ended; None where it was not."""
    final: dict[str, Any] = trial.final or {"state": None}
    if final["state"] != "pruned" or _outcome(trial, final["attempt"]) not in ("paused", "expired"):
        return None
    return final["last_step"] if final["last_step"] in _rungs(study) else None


def _at(final: dict[str, Any], rung: int) -> float | None:
    return next((one["metrics"][METRIC] for one in final["reports"] if one["step"] == rung), None)
