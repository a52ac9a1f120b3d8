"""Ask and tell: trials come in a for loop, each ends exactly once, and the loop ends with the study."""

import httpx
import pytest

from trialbook import TrialPruned, TrialStopped

LEASE = {
    "lease": "L", "study": "s", "number": 0, "attempt": 1, "params": {"x": 0.5}, "seed": 9, "ttl_seconds": 3600,
    "objective": {"trainer": "external", "fixed": {"y": [1, 2]}}, "early_stopping": None,
}  # fmt: skip
TRIAL = {
    "study": "s", "number": 0, "state": "complete", "params": {}, "value": 1.0, "attempt": 1, "worker": "w",
    "reason": None, "explanation": {}, "attributes": {}, "created_at": "2026-01-01", "started_at": None,
    "finished_at": None,
}  # fmt: skip


def leased(*leases, reason=None):
    return httpx.Response(200, json={"leases": leases, "reason": reason})


def decided(decision):
    return httpx.Response(200, json={"decision": decision, "reason": "why", "ttl_seconds": 60})


ENDED = httpx.Response(200, json=TRIAL)


def paths(script):
    return [request.url.path.removeprefix("/api/v1") for request in script.requests]


def test_the_loop_reports_finishes_and_ends_with_the_study(client, script):
    script.answers = [leased(LEASE), decided("continue"), ENDED, leased(reason="nothing-waiting")]
    script.answers += [leased(reason="study-finished")]
    for trial in client.study("s").ask():
        assert trial.params == {"x": 0.5, "y": [1, 2]}
        trial.report(0, loss=0.25)
        trial.finish(0.25, note="mine")
    assert paths(script) == ["/leases", "/leases/L/reports", "/leases/L/finish", "/leases", "/leases"]


def test_a_pruned_trial_is_finished_as_such_and_raises(client, script):
    script.answers = [leased(LEASE), decided("prune"), ENDED]
    trial = client.study("s").ask_one()
    with pytest.raises(TrialPruned, match="why"):
        trial.report(0, loss=1)
    assert script.bodies()[-1]["state"] == "pruned"


def test_after_a_stop_nothing_more_is_written(client, script):
    script.answers = [leased(LEASE), decided("stop"), leased(reason="study-finished")]
    for trial in client.study("s").ask():
        with pytest.raises(TrialStopped):
            trial.report(0, loss=1)
    assert paths(script) == ["/leases", "/leases/L/reports", "/leases"]


def test_a_trial_left_unfinished_has_failed(client, script):
    script.answers = [leased(LEASE), ENDED, leased(reason="study-finished")]
    list(client.study("s").ask())
    assert script.bodies()[1]["state"] == "failed"


def test_a_trial_that_the_loop_breaks_off_with_is_given_back(client, script):
    script.answers = [leased(LEASE), ENDED]

    def search():
        for _ in client.study("s").ask():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search()
    assert paths(script) == ["/leases", "/leases/L/release"]


def test_a_lost_lease_stops_the_trial(client, script):
    script.answers = [leased(LEASE), httpx.Response(409, json={"code": "lease-lost"})]
    trial = client.study("s").ask_one()
    with pytest.raises(TrialStopped):
        trial.report(0, loss=1)


def test_one_study_is_asked_under_one_name(client, script):
    script.answers = [leased(reason="nothing-waiting")] * 3
    asked, other = client.study("s"), client.study("s")
    assert [one.ask_one() for one in (asked, asked, other)] == [None, None, None]
    first, second, third = (body["worker"] for body in script.bodies())
    assert first == second != third
