"""Rules on the order of calls in real time: who may still write, and that no answer shows less than one before it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.chaos.facts import OVER, Facts, Found, TrialFacts, found, is_possible, spelled
from tests.chaos.history import Call

MARGIN = 0.05  # seconds by which two clocks of one machine may differ


def stale_write(facts: Facts) -> Iterator[Found]:
    """No write is accepted of an attempt after an answer has shown a later one, or its trial's end; but what is
    repeated of a finish gets the same answer."""
    for trial in facts.trials:
        for attempt in trial.writes:
            later = [one for one in _sights(trial) if one.attempt > attempt]
            first = min(later, key=lambda one: one.at, default=None)
            ends = min(_ends(trial, attempt), key=lambda call: call.ended, default=None)
            for call in trial.writes[attempt]:
                if call.outcome != "ok" or (call.operation == "finishTrial" and trial.is_repeat(call, attempt)):
                    continue
                if first is not None and call.begun > first.at:
                    yield found(trial, f"{call.operation} of attempt {attempt} after a later one", first.call, call)
                elif ends is not None and call.begun > ends.ended and not _may_follow(trial, attempt, call):
                    yield found(trial, f"{call.operation} of attempt {attempt} after its end", ends, call)


def _ends(trial: TrialFacts, attempt: int) -> Iterator[Call]:
    """The calls whose answers say that this attempt is over."""
    for call in trial.writes[attempt]:
        if call.outcome == "ok":
            is_stop = call.operation == "report" and call.answer["decision"] == "stop"
            if is_stop or call.operation in ("releaseLease", "finishTrial"):
                yield call
    yield from (call for call, shown in trial.shown if shown["state"] in OVER and shown["attempt"] <= attempt)


def _may_follow(trial: TrialFacts, attempt: int, call: Call) -> bool:
    """Whether an end may come before this write: a report is told to stop, or stores nothing new."""
    if call.operation == "report":
        others = [one for one in trial.of("report", attempt) if one.begun < call.begun and is_possible(one)]
        known = {spelled(one) for other in others for one in other.asked["reports"]}
        return call.answer["decision"] == "stop" or all(spelled(one) in known for one in call.asked["reports"])
    stopped = any(one.outcome == "ok" and one.answer["decision"] == "stop" for one in trial.of("report", attempt))
    return call.operation == "releaseLease" and (trial.is_repeat(call, attempt) or stopped)


def overlapping_leases(facts: Facts) -> Iterator[Found]:
    """No trial is granted again while a lease of it is known to last, unless its holder has given it back."""
    for trial in facts.trials:
        for attempt, grant in trial.grants.items():
            following = trial.grants.get(attempt + 1)
            if following is None or any(_gives_back(call) for call in trial.writes[attempt]):
                continue
            renewed = [grant.call, *filter(_renews, trial.writes[attempt])]
            for call in renewed:
                since = grant.earliest if call is grant.call else call.begun
                ttl = call.answer["ttl_seconds"] if call.operation == "report" else grant.ttl
                if since + ttl - MARGIN > following.call.ended:
                    left = since + ttl - following.call.ended
                    what = f"attempt {attempt + 1} is granted {left:.3f} s before the lease of attempt {attempt} ends"
                    yield found(trial, what, call, following.call)


def _renews(call: Call) -> bool:
    return call.outcome == "ok" and call.operation in ("report", "renewLease")


def _gives_back(call: Call) -> bool:
    """Whether a call ended an attempt before its time, or may have."""
    if call.operation == "report":
        return is_possible(call) and (call.outcome != "ok" or call.answer["decision"] == "stop")
    return call.operation in ("releaseLease", "finishTrial") and is_possible(call)


@dataclass(frozen=True)
class Sight:
    """What an answer shows of a trial: true once it has come, and for ever after."""

    at: float
    attempt: int
    last_step: int | None
    over: dict[str, Any] | None  # the trial where it is over
    call: Call


def _sights(trial: TrialFacts) -> Iterator[Sight]:
    for call, lease in trial.told:
        yield Sight(call.ended, lease["attempt"], None, None, call)
    for attempt in trial.writes:
        for call in trial.of("report", attempt):
            if call.outcome == "ok" and call.answer["decision"] == "continue":
                last = max(one["step"] for one in call.asked["reports"])
                yield Sight(call.ended, attempt, last, None, call)
    for call, shown in trial.shown:
        yield _sight(call, shown)


def _sight(call: Call, shown: dict[str, Any]) -> Sight:
    is_over = shown["state"] in OVER
    return Sight(call.ended, shown["attempt"], shown.get("last_step"), shown if is_over else None, call)


def running_backwards(facts: Facts) -> Iterator[Found]:
    """What an answer shows of a trial is no older than what was known before the question: its attempt, its last step
    within an attempt, its end with the result."""
    for trial in facts.trials:
        sights = sorted(_sights(trial), key=lambda one: one.at)
        claims = [(call.begun, _sight(call, shown)) for call, shown in trial.shown if not _is_old(trial, call)]
        if trial.final is not None and sights:
            claims.append((math.inf, _sight(sights[-1].call, trial.final)))
        known: list[Sight] = []
        for begun, claim in sorted(claims, key=lambda one: one[0]):
            while sights and sights[0].at < begun:
                known = _known(known, sights.pop(0))
            for one in known:
                if (what := _contradiction(one, claim)) is not None:
                    yield found(trial, what if begun < math.inf else f"in the end, {what}", one.call, claim.call)


def _known(known: list[Sight], more: Sight) -> list[Sight]:
    """What is worth remembering: the first end, and of the last attempt the sight that went furthest."""
    over = [one for one in (*known, more) if one.over is not None][:1]
    furthest = max((*known, more), key=lambda one: (one.attempt, -1 if one.last_step is None else one.last_step))
    return [furthest] if furthest in over else [*over, furthest]


def _is_old(trial: TrialFacts, call: Call) -> bool:
    """Whether an answer may be one that was given before."""
    attempts = (attempt for attempt, calls in trial.writes.items() if call in calls)
    return call.operation == "finishTrial" and any(trial.is_repeat(call, attempt) for attempt in attempts)


UNCHANGED = ("state", "attempt", "value", "params", "finished_at", "started_at", "error", "reason", "last_step")


def _contradiction(known: Sight, claim: Sight) -> str | None:
    """What a later answer can't say; None where both may be true."""
    if claim.attempt < known.attempt:
        return f"attempt {claim.attempt} is shown after attempt {known.attempt}"
    if known.over is not None:
        if claim.over is None or claim.attempt != known.attempt:
            return f"it goes on after it was {known.over['state']}"
        changed = [name for name in UNCHANGED if known.over.get(name) != claim.over.get(name)]
        return f"it was over, and then changed: {', '.join(changed)}" if changed else None
    if claim.attempt == known.attempt and (known.last_step or -1) > (
        -1 if claim.last_step is None else claim.last_step
    ):
        return f"its last step is {claim.last_step} after {known.last_step}"
    return None


def revived(facts: Facts) -> Iterator[Found]:
    """No trial is granted that an answer before the request has shown to be over."""
    for trial in facts.trials:
        for grant in trial.grants.values():
            over = [call for call, shown in trial.shown if shown["state"] in OVER and call.ended < grant.earliest]
            if over:
                yield found(trial, f"attempt {grant.attempt} is granted after its end", over[0], grant.call)


def granted_while_stopped(facts: Facts) -> Iterator[Found]:
    """No trial is granted by a request that began while its study was paused or cancelled, as far as answers tell."""
    for study in facts.studies.values():
        stops = [call for name in ("pauseStudy", "cancelStudy") for call in study.calls[name] if call.outcome == "ok"]
        for stop in stops:
            ends = [call.begun for name in ("resumeStudy", "createStudy") for call in study.calls[name]]
            until = min((end for end in ends if end > stop.begun), default=float("inf"))
            for trial in study.trials.values():
                for grant in trial.grants.values():
                    if stop.ended < grant.earliest and grant.call.ended < until:
                        yield found(
                            trial, f"attempt {grant.attempt} is granted after {stop.operation}", stop, grant.call
                        )


def missing_trial(facts: Facts) -> Iterator[Found]:
    """A trial that an answer has shown is found by whoever asks later."""
    for study in facts.studies.values():
        for call in () if study.is_deleted else study.calls["getTrial"]:
            trial = study.trials.get(int(call.path.rstrip("/").rsplit("/", 1)[1])) if call.status == 404 else None
            known = [one for one in _sights(trial) if one.at < call.begun] if trial else []
            if trial and known:
                yield found(trial, "it is not found", known[0].call, call)


def wrong_counts(facts: Facts) -> Iterator[Found]:
    """A study's counts of finished trials never fall, and hold at least the trials known to be so; a cancelled study
    stays cancelled."""
    for study in facts.studies.values():
        reads = [call for call in study.calls["getStudy"] if call.outcome == "ok"]
        if study.is_deleted or not reads:
            continue
        known = {state: [call for one in study.trials.values() if (call := _first(one, state))] for state in OVER}
        for call in reads:
            for state in OVER:
                count = call.answer["counts"][state]
                before = [one for one in known[state] if one.ended < call.begun]
                if count < len(before):
                    yield Found(study.name, None, f"{count} trials are {state}, {len(before)} were", (*before, call))
        done = sorted(reads, key=lambda call: call.ended)
        for call in reads:
            for earlier in done:
                if earlier.ended >= call.begun:
                    break
                fallen = [s for s in OVER if call.answer["counts"][s] < earlier.answer["counts"][s]]
                if fallen or (earlier.answer["state"] == "cancelled" != call.answer["state"]):
                    yield Found(study.name, None, f"it goes back: {', '.join(fallen) or 'cancelled'}", (earlier, call))


def _first(trial: TrialFacts, state: str) -> Call | None:
    calls = (call for call, shown in trial.shown if shown["state"] == state)
    return min(calls, key=lambda call: call.ended, default=None)
