"""Rules on what is left in the end: each acknowledged write is there, whole, and nothing that nobody asked for."""

from collections.abc import Iterator
from typing import Any

from tests.chaos.facts import (
    OVER,
    Facts,
    Found,
    StudyFacts,
    TrialFacts,
    asked_for,
    found,
    is_possible,
    may_have_happened,
    parts,
    same_number,
    spelled,
)
from tests.chaos.halving import is_halved, was_told_to_pause
from tests.chaos.history import Call


def lost_trial(facts: Facts) -> Iterator[Found]:
    """A trial that was granted or added is there in the end, with its params."""
    for study in _known(facts) if facts.is_over else ():
        for trial in study.trials.values():
            granted = trial.told[0] if trial.told and (study.final or study.is_whole) else None
            if granted and trial.final is None:
                yield found(trial, "it was granted and is not there", granted[0])
            elif granted and trial.final and trial.final["params"] != granted[1]["params"]:
                yield found(trial, "its params are not those that were granted", granted[0])
        for call in study.calls["addTrials"]:
            for number, new in (
                zip(call.answer["numbers"], call.asked["trials"], strict=False) if call.outcome == "ok" else ()
            ):
                final = study.trial(number).final
                if final is None or final["params"] != new["params"]:
                    yield Found(study.name, number, "a trial that was added is not there", (call,))
                elif new.get("state", "waiting") in OVER and final["state"] != new["state"]:
                    yield Found(study.name, number, "an imported trial is in another state", (call,))


def lost_finish(facts: Facts) -> Iterator[Found]:
    """A result that was acknowledged is the trial's in the end; a failure is its attempt's outcome."""
    for trial in facts.trials:
        for attempt in trial.writes:
            for call in trial.of("finishTrial", attempt):
                if call.outcome == "ok" and trial.final is not None:
                    yield from _lost_finish(trial, trial.final, attempt, call)


def _lost_finish(trial: TrialFacts, final: dict[str, Any], attempt: int, call: Call) -> Iterator[Found]:
    if call.answer["state"] == "waiting":
        outcome = next((one["outcome"] for one in final["attempts"] if one["attempt"] == attempt), None)
        if outcome != "failed":
            yield found(trial, f"attempt {attempt} failed and is {outcome} in the end", call)
    elif call.answer["state"] == "paused":
        return  # it may have gone on since: there is a rule for pauses
    elif (final["state"], final["attempt"]) != (call.asked["state"], attempt):
        yield found(trial, f"finished as {call.asked['state']}, it is {final['state']} in the end", call)
    elif not _is_result(call, final):
        yield found(trial, "its result in the end is not the one that was acknowledged", call)


def made_up_result(facts: Facts) -> Iterator[Found]:
    """A trial is over by one finish of its last attempt, whole; or by a cancel; or since all its attempts expired; or
    pruned as one that was paused when its study completed."""
    for study in _known(facts):
        for trial in study.trials.values():
            if study.is_whole and trial.final is not None and trial.final["state"] in OVER:
                yield from _made_up(study, trial, trial.final)


def _made_up(study: StudyFacts, trial: TrialFacts, final: dict[str, Any]) -> Iterator[Found]:
    finishes = trial.of("finishTrial")
    last = [call for call in trial.of("finishTrial", final["attempt"]) if is_possible(call)]
    matching = [call for call in last if call.asked["state"] == final["state"] and _is_result(call, final)]
    if matching or (final["attempt"] == 0 and any(is_possible(call) for call in study.calls["addTrials"])):
        return
    if final["state"] == "cancelled":
        ended = study.final is not None and study.final["state"] in ("completed", "cancelled")
        if not ended and not any(is_possible(call) for call in trial.cancels):
            yield found(trial, "it is cancelled, and nobody cancelled it")
    elif _is_worn_out(study, final) or _was_paused(study, trial, final):
        return
    elif any(_is_result(call, final) for call in finishes if call not in last):
        yield found(trial, "its result is not one of its last attempt, or was refused", *finishes)
    elif final["attempt"] in trial.grants:
        yield found(trial, f"it is {final['state']}, and no call asked for that result", *finishes)


def _is_worn_out(study: StudyFacts, final: dict[str, Any]) -> bool:
    """Whether as many attempts failed or expired as the study allows, the last by expiry."""
    if final["state"] != "failed":
        return False
    outcomes = [one["outcome"] for one in final["attempts"]]
    wasted = sum(outcome in ("expired", "failed") for outcome in outcomes)
    allowed: int = study.spec.get("trial", {}).get("max_attempts", 3)
    return outcomes[-1] == "expired" and wasted >= allowed


def _was_paused(study: StudyFacts, trial: TrialFacts, final: dict[str, Any]) -> bool:
    """Whether a trial may have been paused as its study completed: by its worker, or in a lost worker's place."""
    if final["state"] != "pruned" or not is_halved(study):
        return False
    has_completed = study.final is not None and study.final["state"] == "completed"
    paused = [call for call in trial.of("finishTrial", final["attempt"]) if call.asked["state"] == "paused"]
    is_paused = any(map(is_possible, paused)) or was_told_to_pause(trial, final["attempt"])
    return has_completed and is_paused


def _is_result(call: Call, final: dict[str, Any]) -> bool:
    """Whether a trial holds what this finish asked for: value (of its curve where left out), error and attributes."""
    asked, attributes = call.asked, call.asked.get("attributes") or {}
    told = asked.get("value")
    if told is None and call.outcome == "ok":
        told = call.answer["value"]
    on_curve = any(same_number(v, final["value"]) for one in final["reports"] for v in one["metrics"].values())
    is_value = same_number(told, final["value"]) if told is not None else final["value"] is None or on_curve
    is_error = asked.get("error") == final.get("error")
    return is_value and is_error and all(final["attributes"].get(name) == value for name, value in attributes.items())


def lost_or_made_up_attempt(facts: Facts) -> Iterator[Found]:
    """A trial's attempts are 1, 2, … without a gap; those granted are there, those there were asked for."""
    for study in _known(facts):
        for trial in study.trials.values():
            if trial.final is None:
                continue
            attempts = {one["attempt"]: one for one in trial.final["attempts"]}
            if sorted(attempts) != list(range(1, trial.final["attempt"] + 1)):
                yield found(trial, f"its attempts are {sorted(attempts)}, the last of them {trial.final['attempt']}")
            for attempt, grant in trial.grants.items():
                if attempt not in attempts or attempts[attempt]["worker"] != grant.call.asked["worker"]:
                    yield found(trial, f"attempt {attempt} was granted and is not there", grant.call)
            for attempt, one in attempts.items():
                if attempt not in trial.grants and study.is_whole and not _may_have_asked(facts, one["worker"]):
                    yield found(trial, f"attempt {attempt} is there, and {one['worker']} was not told of it")


def _may_have_asked(facts: Facts, worker: str) -> bool:
    asked = (call for call in facts.calls if call.operation == "acquireLeases" and call.asked["worker"] == worker)
    return any(may_have_happened(call) for call in asked)


def lost_or_made_up_file(facts: Facts) -> Iterator[Found]:
    """The file of a name is the last that was put, by the attempt that put it; of a trial that is over, no checkpoint
    need be there."""
    for trial in facts.trials:
        puts = [(attempt, call) for attempt in trial.writes for call in trial.of("putArtifact", attempt)]
        files = {one["name"]: one for one in trial.files or ()}
        for name in {parts(call)[3] for _, call in puts} if trial.files is not None and trial.final else ():
            these = [(attempt, call) for attempt, call in puts if parts(call)[3] == name and is_possible(call)]
            done = [(attempt, call) for attempt, call in these if call.outcome == "ok"]
            is_last = [one for one in these if not any(_is_behind(one, other) for other in done)]
            if name not in files:
                is_dropped = name == "checkpoint" and trial.is_over
                if done and not is_dropped:
                    yield found(trial, f"the file {name} was kept and is not there", *(call for _, call in done))
            elif not any(_is_file(files[name], attempt, call) for attempt, call in is_last):
                calls = [call for _, call in these]
                yield found(trial, f"the file {name} is not the last one put, or nobody put it", *calls)


def _is_behind(one: tuple[int, Call], other: tuple[int, Call]) -> bool:
    """Whether an upload was replaced by another one: begun after its end, or by a later attempt."""
    return (other[1].begun > one[1].ended and one[1].outcome == "ok") or other[0] > one[0]


def _is_file(file: dict[str, Any], attempt: int, call: Call) -> bool:
    step = asked_for(call, "step")
    found = (file["step"], file["attempt"], file["sha256"])
    return found == (None if step is None else int(step), attempt, asked_for(call, "sha256"))


def lost_study(facts: Facts) -> Iterator[Found]:
    """A study that was made is there, one that was deleted is not, one that was cancelled stays so, and what was last
    changed of one (pause, resume, budget, notes, tags) stands."""
    for study in facts.studies.values() if facts.is_over else ():
        made, deleted = _done(study, "createStudy"), _done(study, "deleteStudy")
        if made and not study.is_deleted and study.final is None:
            yield Found(study.name, None, "it was made and is not there", (made[0],))
        if deleted and not made[1:] and study.final is not None:
            yield Found(study.name, None, "it was deleted and is there", (deleted[0],))
        if study.final is not None and not study.is_deleted:
            yield from _lost_change(study, study.final)


def _lost_change(study: StudyFacts, final: dict[str, Any]) -> Iterator[Found]:
    for call in _done(study, "cancelStudy"):
        if final["state"] != "cancelled":
            yield Found(study.name, None, f"it was cancelled and is {final['state']}", (call,))
    last = _last(study, "pauseStudy", "resumeStudy")
    if last is not None and final["state"] == ("running" if last.operation == "pauseStudy" else "paused"):
        yield Found(study.name, None, f"after {last.operation} it is {final['state']}", (last,))
    last = _last(study, "updateStudy")
    for name, value in (last.asked if last else {}).items():
        now = final["spec"]["budget"] if name == "budget" else final[name]
        if not (value.items() <= now.items() if name == "budget" else now == value):
            yield Found(study.name, None, f"its {name} are not what they were changed to", (last,) if last else ())


def _last(study: StudyFacts, *operations: str) -> Call | None:
    """The call of these kinds that took effect after all others; None where that is not certain."""
    calls = [call for operation in operations for call in study.calls[operation] if is_possible(call)]
    return next(
        (
            one
            for one in calls
            if one.outcome == "ok" and all(other is one or one.begun > other.ended for other in calls)
        ),
        None,
    )


def lost_cancel(facts: Facts) -> Iterator[Found]:
    """A trial whose cancel was acknowledged is cancelled in the end."""
    for trial in facts.trials:
        for call in trial.cancels:
            if call.outcome == "ok" and trial.final is not None and trial.final["state"] != "cancelled":
                yield found(trial, f"it was cancelled and is {trial.final['state']}", call)


def wrong_number_of_trials(facts: Facts) -> Iterator[Found]:
    """Numbers are 0 to N-1; no more trials than the budget but imported ones, and exactly that many at its end, all
    over; the cells of a grid are the first ones, each once."""
    for study in _known(facts):
        if study.final is None:
            continue
        trials = [trial.final for trial in study.trials.values() if trial.final is not None]
        numbers = sorted(one["number"] for one in trials)
        if numbers != list(range(len(numbers))):
            yield Found(study.name, None, f"its trials' numbers are {numbers}")
        imported = [one for one in trials if one["attempt"] == 0 and one["state"] in ("complete", "pruned", "failed")]
        budget, counted = study.final["n_trials"], len(trials) - len(imported)
        if budget is not None and counted > budget:
            yield Found(study.name, None, f"{counted} trials were made of a budget of {budget}")
        if study.final["state"] in ("completed", "cancelled") and any(one["state"] not in OVER for one in trials):
            yield Found(study.name, None, "it has ended, and not all of its trials are over")
        if study.final["state"] == "completed" and _is_by_number(study.final) and counted != budget:
            yield Found(study.name, None, f"it has ended with {counted} trials of {budget}")
        cells = sorted(one["explanation"]["cell"] for one in trials if "cell" in (one["explanation"] or {}))
        if cells != list(range(len(cells))):
            yield Found(study.name, None, f"the cells of its grid that were tried are {cells}")


def over_budget(facts: Facts) -> Iterator[Found]:
    """At no instant have more trials been granted than the largest budget that was asked for."""
    for study in _known(facts):
        budgets = [call.asked.get("budget") for call in (*study.calls["createStudy"], *study.calls["updateStudy"])]
        limits = [budget.get("n_trials") for budget in budgets if budget]
        granted = [trial for trial in study.trials.values() if trial.told]
        if limits and None not in limits and len(granted) > max(limits):
            first = sorted((trial.told[0][0] for trial in granted), key=lambda call: call.ended)
            what = f"{len(granted)} trials are granted of a budget of {max(limits)}"
            yield Found(study.name, None, what, tuple(first[max(limits) :]))


def same_cell(facts: Facts) -> Iterator[Found]:
    """No two trials that a grid has made have the same params."""
    for study in _known(facts):
        if study.spec.get("sampler", {}).get("name") == "grid":
            added = {n for call in _done(study, "addTrials") for n in call.answer["numbers"]}
            first: dict[str, tuple[int, Call]] = {}
            for trial in study.trials.values():
                for call, lease in trial.told if trial.number not in added else ():
                    number, earlier = first.setdefault(spelled(lease["params"]), (trial.number, call))
                    if number != trial.number:
                        yield found(trial, f"it has the params of trial {number}", earlier, call)


def _is_by_number(study: dict[str, Any]) -> bool:
    return str(study["reason"]).startswith(("all trials of the budget", "all cells"))


def _known(facts: Facts) -> Iterator[StudyFacts]:
    return (study for study in facts.studies.values() if not study.is_deleted)


def _done(study: StudyFacts, operation: str) -> list[Call]:
    return [call for call in study.calls[operation] if call.outcome == "ok"]
