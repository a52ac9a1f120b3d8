"""The judge of histories: each rule passes a history that keeps it, and finds its neighbour that does not; and each
server with a fault put in on purpose is found out, while nothing is found at the true one."""

import asyncio

import pytest

from tests.chaos import mutants
from tests.chaos.checker import RULES, violations
from tests.chaos.faults import FAULTS, SPARED, Edit
from tests.chaos.story import Story

# Each tells a history that keeps a rule, or (`bad`) one that does not.


def lost_report(story: Story, bad: bool) -> None:
    story.grant()
    story.report({0: 0.5, 1: 0.4})
    story.ends(reports={} if bad else {0: 0.5, 1: 0.4})


def lost_report_before_a_prune(story: Story, bad: bool) -> None:
    story.calls[0].asked["pruner"] = {"name": "median"}
    story.grant()
    story.report({0: 0.5, 1: 0.9, 2: 0.8}, "prune")
    story.ends(reports={0: 0.5, 2: 0.8} if bad else {0: 0.5, 1: 0.9})


def lost_trial(story: Story, bad: bool) -> None:
    story.grant()
    if not bad:
        story.ends()


def lost_finish(story: Story, bad: bool) -> None:
    story.grant()
    story.finish(0.5)
    story.ends(state="complete", value=0.6 if bad else 0.5)


def lost_cancel(story: Story, bad: bool) -> None:
    story.grant()
    story.call("cancelTrial", "/studies/s/trials/0/cancel", {}, story.trial(state="cancelled"))
    story.ends(state="running" if bad else "cancelled")


def lost_study(story: Story, bad: bool) -> None:
    story.call("pauseStudy", "/studies/s/pause", {}, {})
    story.study = {"name": "s", "state": "running" if bad else "paused", "reason": None, "n_trials": 9}


def lost_or_made_up_attempt(story: Story, bad: bool) -> None:
    story.grant()
    story.ends(attempt=2 if bad else 1)


def lost_or_made_up_file(story: Story, bad: bool) -> None:
    story.grant()
    story.report({0: 0.5, 1: 0.4})
    story.put("old", 0)
    story.put("new", 1)
    story.ends(reports={0: 0.5, 1: 0.4}, files=[("old", 0, 1) if bad else ("new", 1, 1)])


def lost_checkpoint(story: Story, bad: bool) -> None:
    story.grant()
    story.report({0: 0.5})
    story.put("new", 0)
    story.grant(2, resume=None if bad else 0)
    story.ends(attempt=2, reports={} if bad else {0: 0.5}, files=[("new", 0, 1)])


def torn_report(story: Story, bad: bool) -> None:
    story.grant()
    story.report({0: 0.5, 1: 0.4}, status=None)
    story.ends(reports={0: 0.5} if bad else {})


def made_up_step(story: Story, bad: bool) -> None:
    story.grant()
    story.report({0: 0.5})
    story.report({1: 0.4})
    story.put("new", 0)
    story.grant(2, resume=0)
    story.ends(attempt=2, reports={0: 0.5, 1: 0.4} if bad else {0: 0.5}, files=[("new", 0, 1)])


def made_up_result(story: Story, bad: bool) -> None:
    story.grant()
    story.finish(0.5, status=409 if bad else None)
    story.ends(state="complete", value=0.5)


def duplicated_steps(story: Story, bad: bool) -> None:
    story.grant()
    story.report({0: 0.5})
    story.report({0: 0.6}, status=200 if bad else 409)
    story.ends(reports={0: 0.5})


def duplicated_numbers(story: Story, bad: bool) -> None:
    story.grant()
    story.ends()
    story.grant(number=2 if bad else 1)
    story.ends(number=2 if bad else 1)


def over_budget(story: Story, bad: bool) -> None:
    story.calls[0].asked["budget"] = {"n_trials": 2}
    for number in range(3 if bad else 2):
        story.grant(number=number)
        story.ends(number=number)


def duplicated_cells(story: Story, bad: bool) -> None:
    story.calls[0].asked["sampler"] = {"name": "grid"}
    for number in range(2):
        params = {"x": 0} if bad else {"x": number}
        story.grant(number=number, params=params)
        story.ends(number=number, params=params)


def other_grant(story: Story, bad: bool) -> None:
    story.grant(request="same")
    story.grant(number=1 if bad else 0, request="same")
    story.ends()
    if bad:
        story.ends(number=1)


def granted_twice(story: Story, bad: bool) -> None:
    story.grant(lease="same")
    story.grant(number=1, lease="same" if bad else "other")
    story.ends()
    story.ends(number=1)


def finished_twice(story: Story, bad: bool) -> None:
    story.grant()
    story.finish(0.5)
    story.finish(0.6, status=200 if bad else 409)
    story.ends(state="complete", value=0.5)


def other_decision(story: Story, bad: bool) -> None:
    story.grant()
    story.report({0: 0.5}, "prune")
    story.report({0: 0.5}, "continue" if bad else "prune")
    story.ends(reports={0: 0.5})


def added_twice(story: Story, bad: bool) -> None:
    for number, x in enumerate((0, 1)):
        asked = {"trials": [{"params": {"x": x}}]}
        story.call("addTrials", "/studies/s/trials", asked, {"numbers": [0 if bad else number]})
        story.ends(number=number, attempt=0, state="waiting")


def stale_write(story: Story, bad: bool) -> None:
    story.grant()
    story.grant(2)
    story.report({0: 0.5}, status=200 if bad else 409)
    story.ends(attempt=2)


def overlapping_leases(story: Story, bad: bool) -> None:
    story.grant(ttl=9.0 if bad else 0.5)
    story.grant(2)
    story.ends(attempt=2)


def running_backwards(story: Story, bad: bool) -> None:
    story.grant()
    story.finish(0.5)
    story.read(state="running" if bad else "complete", value=0.5)
    story.ends(state="complete", value=0.5)


def revived(story: Story, bad: bool) -> None:
    story.grant()
    if bad:
        story.call("cancelTrial", "/studies/s/trials/0/cancel", {}, story.trial(state="cancelled"))
    story.grant(2)
    story.ends(attempt=2)


def granted_while_stopped(story: Story, bad: bool) -> None:
    story.call("pauseStudy", "/studies/s/pause", {}, {})
    if not bad:
        story.call("resumeStudy", "/studies/s/resume", {}, {})
    story.grant()
    story.ends()
    story.study = {"name": "s", "state": "paused" if bad else "running", "reason": None, "n_trials": 9}


def not_found(story: Story, bad: bool) -> None:
    if bad:
        story.grant()
    story.read(status=404)
    story.grant(request="r1")
    story.ends()


def wrong_counts(story: Story, bad: bool) -> None:
    story.grant()
    story.finish(0.5)
    counts = {"complete": 0 if bad else 1, "pruned": 0, "failed": 0, "cancelled": 0}
    story.call("getStudy", "/studies/s", None, {"state": "running", "counts": counts})
    story.ends(state="complete", value=0.5)


def lost_pause(story: Story, bad: bool) -> None:
    story.grant()
    story.report({0: 0.5}, "pause")
    story.finish(None, "paused", reports={0: 0.5})
    story.ends(state="paused", reports={0: 0.5}, outcomes=("expired" if bad else "paused",))


def halve(story: Story, *losses: float) -> None:
    """Trials that come to step 0 one after another, and are paused there."""
    pruner = {"name": "asha", "reduction_factor": 2, "max_resource": 4, "promote": True}
    story.calls[0].asked["pruner"] = pruner
    for number, loss in enumerate(losses):
        story.grant(number=number)
        story.report({0: loss}, "pause", lease=f"{number}.1")
        story.ends(number=number, state="paused", reports={0: loss}, outcomes=("paused",))


def promoted_too_early(story: Story, bad: bool) -> None:
    halve(story, 0.4, 0.5, 0.6)
    number = 1 if bad else 0
    story.grant(2, number=number)
    story.ends(number=number, attempt=2, outcomes=("paused", None))


def left_behind(story: Story, bad: bool) -> None:
    halve(story, 0.4, 0.6)
    story.study = {"name": "s", "state": "completed", "reason": "all trials of the budget are done", "n_trials": 2}
    for number, loss in enumerate((0.4, 0.6)):
        story.ends(number=number, state="pruned", reports={0: loss}, outcomes=("paused",))
    if not bad:
        story.grant(2)
        story.report({0: 0.4, 1: 0.3}, "pause", lease="0.2")
        story.ends(state="pruned", attempt=2, reports={0: 0.4, 1: 0.3}, outcomes=("paused", "paused"))


def unexpected_status(story: Story, bad: bool) -> None:
    story.call("getStudy", "/studies/s", status=500 if bad else 503)


CASES = {
    "lost report": lost_report,
    "lost report before a prune": lost_report_before_a_prune,
    "lost trial": lost_trial,
    "lost finish": lost_finish,
    "lost cancel": lost_cancel,
    "lost study": lost_study,
    "lost or made-up attempt": lost_or_made_up_attempt,
    "lost or made-up file": lost_or_made_up_file,
    "lost checkpoint": lost_checkpoint,
    "torn report": torn_report,
    "made-up step": made_up_step,
    "made-up result": made_up_result,
    "duplicated: steps": duplicated_steps,
    "duplicated: numbers": duplicated_numbers,
    "over budget": over_budget,
    "duplicated: cells": duplicated_cells,
    "duplicated: other grant": other_grant,
    "duplicated: grant": granted_twice,
    "duplicated: finish": finished_twice,
    "duplicated: decision": other_decision,
    "duplicated: added": added_twice,
    "stale write": stale_write,
    "overlapping leases": overlapping_leases,
    "out of order": running_backwards,
    "out of order: revived": revived,
    "out of order: stopped": granted_while_stopped,
    "out of order: not found": not_found,
    "out of order: counts": wrong_counts,
    "lost pause": lost_pause,
    "promoted too early": promoted_too_early,
    "left behind": left_behind,
    "unexpected status": unexpected_status,
}


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_finds_what_breaks_it_and_passes_its_neighbour(rule):
    good, bad = Story(), Story()
    CASES[rule](good, False)
    CASES[rule](bad, True)
    assert good.broken() == set()
    assert rule in bad.broken()


def test_a_repeated_finish_may_be_answered_after_the_next_grant():
    story = Story()
    story.grant()
    story.finish(None, "failed", then="waiting")
    story.grant(2)
    story.finish(None, "failed", then="waiting")
    story.ends(attempt=2, outcomes=("failed", None))
    assert story.broken() == set()


def test_a_write_without_an_answer_or_with_503_may_be_there_or_not():
    for status in (None, 503):
        for is_there in (True, False):
            story = Story()
            story.grant()
            story.report({0: 0.5, 1: 0.4}, status=status)
            story.finish(0.5, status=status)
            there = {"state": "complete", "value": 0.5, "reports": {0: 0.5, 1: 0.4}}
            story.ends(**(there if is_there else {}))
            assert story.broken() == set()


def test_an_attempt_whose_grant_was_lost_proves_nothing_about_the_curve_before_it():
    story = Story()
    story.grant()
    story.report({0: 0.5})
    asked = {"request_id": "lost", "worker": "w2", "trainers": ["external"]}
    story.call("acquireLeases", "/leases", asked, status=None)
    story.ends(attempt=2)
    assert story.broken() == set()


def test_a_result_of_an_attempt_that_is_not_the_last_is_made_up():
    story = Story()
    story.grant()
    story.grant(2)
    story.finish(0.5, status=None)
    story.ends(state="complete", value=0.5, attempt=2)
    assert story.broken() == {"made-up result"}


def test_of_a_history_that_goes_on_the_calls_alone_are_judged():
    story = Story()
    story.grant()
    story.report({0: 0.5}, status=None)
    story.read(reports={0: 0.5})
    assert violations(story.calls, None) == []


def test_nothing_is_expected_of_a_deleted_study():
    story = Story()
    story.grant()
    story.finish(0.5)
    story.call("deleteStudy", "/studies/s", status=204)
    story.study = None
    assert story.broken() == set()


def test_a_fault_that_no_longer_fits_the_source_is_told():
    with pytest.raises(mutants.Unfit):
        mutants.edited([Edit("leases.py", "a text that is not there", "")])


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_fits_the_source(fault):
    for file, source in mutants.edited((*FAULTS[fault], *SPARED)).items():
        compile(source, file, "exec")


# One of each kind; all twenty are `python -m tests.chaos.mutants`.
PLAYED = (
    "report without the attempt",
    "finish without the attempt",
    "finish answered, at times rolled back",
    "step overwritten",
    "request id ignored",
    "expiry ignored",
    "grid cell tried twice",
    "batch stored step by step",
)


@pytest.mark.slow
def test_servers_with_a_fault_are_found_out_and_the_true_one_is_clean(make_database):
    urls = [make_database() for _ in range(len(PLAYED) + 1)]
    with mutants.server(urls.pop()) as (url, token):
        true = asyncio.run(mutants.judge("the server as it is", url, token, seed=1000, rounds=2))
    assert [str(violation) for violation in true.found] == []
    verdicts = asyncio.run(mutants.judge_all(list(PLAYED), urls, lambda verdict: None))
    assert [verdict.name for verdict in verdicts if not verdict.found] == []
