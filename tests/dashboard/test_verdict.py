"""What is said to "should I go on?": of studies made by hand, and of one that a server holds."""

import pytest

from service.dashboard.verdict import verdict
from service.store.bests import Improvement, improvements
from service.store.studies import study_key
from tests.service.calls import finish, lease, spec, submit
from trialbook.spec import StudySpec

STOPPED = "The best trial would have been stopped early, but for the audit: let the pruner wait longer."


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


RATE = {"rate": {"type": "float", "low": 1e-4, "high": 1.0, "log": True}}


def said(complete=0, pruned=0, failed=0, found=(), params=None, **changes):
    counts = {"complete": complete, "pruned": pruned, "failed": failed, "waiting": 0, "running": 0, "cancelled": 0}
    return verdict(
        StudySpec.model_validate(spec(**changes)), counts, [Improvement(*one) for one in found], params or {}
    )


@pytest.mark.parametrize(
    ("trials", "words"),
    [
        ({}, ""),
        ({"complete": 4, "found": [(0, 0.5, 1)]}, "Too early to say: 4 trials so far."),
        ({"complete": 3}, "No trial has a value yet."),
        (
            {"complete": 20, "found": [(0, 0.5, 1), (17, 0.4, 18)]},
            "Still getting better: 2 trials ago one brought 20 %.",
        ),
        (
            {"complete": 20, "found": [(0, 0.5, 1), (19, 0.45, 20)]},
            "Still getting better: the latest trial brought 10 %.",
        ),
        ({"complete": 12, "found": [(0, 0.5, 12)]}, "Still getting better: the latest trial brought the first value."),
        (
            {"complete": 11, "pruned": 9, "found": [(0, -0.5, 1), (18, 0.25, 19)]},
            "ago one brought 0.75 (-0.5 to 0.25).",
        ),
        ({"failed": 1}, "The only trial so far failed: see why before going on."),
        ({"complete": 10, "failed": 5, "found": [(0, 0.5, 10)]}, "5 of 15 trials failed: see why before going on."),
    ],
)
def test_in_words(trials, words):
    assert words in said(**trials)
    assert words or not said(**trials)


def test_a_stalled_model_based_study_is_told_that_more_brings_little():
    found = [(0, 0.5, 1), (9, 0.498, 15)]
    told = said(complete=30, pruned=10, found=found, sampler={"name": "gp"})
    assert told.startswith("No better for 25 trials; the last improvement brought 0.4 %. More of the same")


def test_chance_is_told_where_trials_are_alike():
    """Of n + m trials in random order, the best is one of the last m with probability m / (n + m)."""
    told = said(complete=40, found=[(0, 0.5, 1), (9, 0.4, 10)], sampler={"name": "random"})
    assert "20 more trials hold a better one 33 times in 100." in told


def test_a_grid_is_walked_to_its_end():
    space = {"x": {"type": "int", "low": 1, "high": 50}}
    told = said(complete=40, found=[(0, 0.5, 1), (9, 0.4, 10)], sampler={"name": "grid"}, space=space)
    assert told == "No better for 30 trials; the last improvement brought 20 %."


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        (1.0, "The best rate lies at the high end of its range (1)"),
        (1.1e-4, "The best rate lies at the low end"),
        (0.01, ""),
    ],
)
def test_a_best_value_at_an_end_of_its_range_is_told(rate, words):
    told = said(complete=10, found=[(0, 0.5, 10)], params={"rate": rate}, space=RATE)
    assert words in told
    assert words or "end of its range" not in told


def test_an_end_beyond_which_the_trainer_takes_nothing_is_none():
    objective = {"trainer": "mlp", "data": "digits", "metric": "val_error"}
    space = {"dropout": {"type": "float", "low": 0.0, "high": 0.5}}
    for dropout, is_told in ((0.0, False), (0.5, True)):
        told = said(complete=10, found=[(0, 0.5, 10)], params={"dropout": dropout}, space=space, objective=objective)
        assert ("end of its range" in told) is is_told


@pytest.mark.anyio
async def test_improvements_come_in_the_order_in_which_trials_finished(serve):
    async with serve() as client:
        await submit(client, budget={"n_trials": 5})
        leases = [await lease(client, worker=f"w{i}") for i in range(5)]
        for number, value in ((3, 0.5), (0, 0.75), (4, 0.25), (1, float("inf")), (2, 0.125)):
            state = "pruned" if number == 0 else "complete"
            await finish(client, leases[number], state=state, value="inf" if value == float("inf") else value)
        context = client.app.state.context
        key = await study_key(context.db, "study")
        found = await improvements(context.db, key.id)
    assert [(one.number, one.value, one.place) for one in found] == [(3, 0.5, 1), (4, 0.25, 3), (2, 0.125, 5)]


def test_a_best_trial_that_was_nearly_stopped_is_told():
    known = {"complete": 20, "pruned": 20}
    assert STOPPED in said(**known, found=[(0, 0.5, 1), (30, 0.4, 31, True)])
    assert STOPPED not in said(**known, found=[(0, 0.5, 1, True), (30, 0.4, 31)])
