"""Rules on what is done twice: requests that are repeated, results, leases; and on statuses that nobody may get."""

from collections.abc import Iterator
from typing import Any

from tests.chaos.facts import Facts, Found, asked_for, found, parts, spelled
from tests.chaos.halving import TOLD
from tests.chaos.history import Call

SAME = ("lease", "study", "number", "attempt", "params", "resume_step", "seed")
MAY_BE = (503, 507)
GOES_ON = ("waiting", "paused")  # after a finish: the trial may be run again


def unexpected_status(facts: Facts) -> Iterator[Found]:
    """No answer is a 5xx but 503 and 507."""
    for call in facts.calls:
        if (call.status or 0) >= 500 and call.status not in MAY_BE:
            yield Found(None, None, f"{call.operation} is answered {call.status}", (call,))


def other_grant(facts: Facts) -> Iterator[Found]:
    """A repeated request for leases gets the leases that it got first, and no more than it asks for."""
    first: dict[Any, Call] = {}
    for call in sorted(facts.calls, key=lambda call: call.ended):
        if call.operation != "acquireLeases" or call.outcome != "ok":
            continue
        leases = call.answer["leases"]
        if len(leases) > call.asked.get("count", 1):
            yield Found(None, None, f"{len(leases)} leases are granted to a request for fewer", (call,))
        earlier = first.get(call.asked["request_id"])
        if earlier is None and leases:
            first[call.asked["request_id"]] = call
        elif earlier is None or _is_deleted(facts, earlier) or _plain(earlier) == _plain(call):
            continue
        elif leases or call.begun > earlier.ended:  # before the grant, a repeat at the same time may find nothing
            was = earlier.answer["leases"][0]
            yield Found(was["study"], was["number"], "a repeated request gets other leases", (earlier, call))


def _plain(call: Call) -> list[dict[str, Any]]:
    return [{name: lease.get(name) for name in SAME} for lease in call.answer["leases"]]


def _is_deleted(facts: Facts, call: Call) -> bool:
    return any(facts.studies[lease["study"]].is_deleted for lease in call.answer["leases"])


def granted_twice(facts: Facts) -> Iterator[Found]:
    """An attempt is granted to one request only, and a lease's id stands for one attempt."""
    holders: dict[Any, tuple[str, Call]] = {}
    leases: dict[str, tuple[Any, Call]] = {}
    for study in facts.studies.values():
        for trial in () if study.is_deleted else study.trials.values():
            for call, lease in trial.told:
                attempt = (trial.study, trial.number, lease["attempt"])
                holder, earlier = holders.setdefault(attempt, (call.asked["request_id"], call))
                if holder != call.asked["request_id"]:
                    yield found(trial, f"attempt {lease['attempt']} is granted twice", earlier, call)
                known, earlier = leases.setdefault(lease["lease"], (attempt, call))
                if known != attempt:
                    yield found(trial, f"attempts {known} and {attempt} have the same lease", earlier, call)


def finished_twice(facts: Facts) -> Iterator[Found]:
    """A trial has one result: no two attempts finish it, none with two results; a repeat is answered alike."""
    for trial in facts.trials:
        ok = [(attempt, call) for attempt in trial.writes for call in trial.of("finishTrial", attempt)]
        ok = sorted(((a, call) for a, call in ok if call.outcome == "ok"), key=lambda one: one[1].ended)
        final = [(attempt, call) for attempt, call in ok if call.answer["state"] not in GOES_ON]
        for attempt, call in final[1:]:
            if attempt != final[0][0]:
                yield found(trial, "two attempts have finished it", final[0][1], call)
        first: dict[int, Call] = {}
        for attempt, call in ok:
            earlier = first.setdefault(attempt, call)
            if _result(earlier) != _result(call):
                yield found(trial, f"attempt {attempt} is finished with two results", earlier, call)
            elif earlier.answer != call.answer:
                yield found(trial, f"a repeated finish of attempt {attempt} is answered otherwise", earlier, call)


def _result(call: Call) -> str:
    defaults: dict[str, Any] = {"value": None, "error": None, "attributes": {}, "retry": True}
    return spelled({**defaults, **call.asked})


def other_decision(facts: Facts) -> Iterator[Found]:
    """A report that was answered `prune` or `pause` is answered so again; `continue` too, as long as nothing else was
    said."""
    for trial in facts.trials:
        for attempt in trial.writes:
            decided: dict[str, Call] = {}
            pruned: Call | None = None
            for call in sorted(trial.of("report", attempt), key=lambda call: call.begun):
                if call.outcome != "ok" or call.answer["decision"] == "stop":
                    continue
                earlier = decided.setdefault(spelled(call.asked), call)
                was, now = earlier.answer["decision"], call.answer["decision"]
                if pruned is not None and pruned.ended < call.begun and now != pruned.answer["decision"]:
                    yield found(trial, f"{now} after a {pruned.answer['decision']}", pruned, call)
                elif was != now and not _something_else(trial.of("report", attempt), earlier, call):
                    yield found(trial, f"{now} in answer to a repeated report, first {was}", earlier, call)
                pruned = call if now in TOLD and pruned is None else pruned


def _something_else(reports: list[Call], earlier: Call, call: Call) -> bool:
    """Whether another report may have been pruned between two that are alike."""
    return any(
        one.begun < call.ended and one.ended > earlier.begun and spelled(one.asked) != spelled(call.asked)
        for one in reports
    )


def added_twice(facts: Facts) -> Iterator[Found]:
    """No two requests to add trials get the same numbers, unless they ask for the same under one key."""
    for study in facts.studies.values():
        taken: dict[int, Call] = {}
        for call in () if study.is_deleted else study.calls["addTrials"]:
            for number in call.answer["numbers"] if call.outcome == "ok" else ():
                earlier = taken.setdefault(number, call)
                if spelled(earlier.asked) != spelled(call.asked):
                    yield Found(study.name, number, "two requests have added it", (earlier, call))


def unfenced_resume(facts: Facts) -> Iterator[Found]:
    """An attempt goes on from the last checkpoint that was kept before it: never from one behind, nor from none."""
    for trial in facts.trials:
        for grant in trial.grants.values():
            puts = [call for one in range(1, grant.attempt) for call in trial.of("putArtifact", one)]
            kept = [call for call in puts if parts(call)[3] == "checkpoint" and call.outcome == "ok"]
            before = [call for call in kept if call.ended < grant.earliest]
            steps = {_step(call) for call in puts if parts(call)[3] == "checkpoint"}
            if before and grant.resume_step is None:
                yield found(trial, f"attempt {grant.attempt} begins anew in spite of a checkpoint", *before, grant.call)
            elif grant.resume_step is not None and grant.resume_step not in steps:
                yield found(trial, f"attempt {grant.attempt} resumes at a step of no checkpoint", grant.call)
            elif before and grant.resume_step != _step(last := max(before, key=lambda call: call.begun)):
                others = [call for call in puts if call.ended > last.begun and call is not last]
                if grant.resume_step not in {_step(call) for call in others}:
                    what = f"attempt {grant.attempt} resumes at step {grant.resume_step}, not at the last checkpoint"
                    yield found(trial, what, last, grant.call)


def _step(call: Call) -> int:
    return int(asked_for(call, "step") or 0)
