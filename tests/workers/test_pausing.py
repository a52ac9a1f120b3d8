"""A trial that is told to pause saves exactly there, gives its worker back, and goes on as if nothing had been."""

import threading

import pytest

pytestmark = pytest.mark.slow

SAVING = """
import numpy as np
def train(trial):
    saved = trial.load()
    first = trial.resume_step + 1 if saved else 0
    for step in range(first, 5):
        trial.report(step, loss=step)
        if step == 1:
            trial.note("after the rung")
        trial.save(step, {"x": np.ones(1)})
    return 1.0
"""
FORGETFUL = """
def train(trial):
    for step in range(5):
        trial.report(step, loss=step)
    return 1.0
"""


def pausing(server, at, number=0):
    """The server pauses a trial at a step, the first time that it comes there."""
    server.decide = lambda trial, step: (
        "pause" if (trial.number, trial.attempt, step) == (number, 1, at) else "continue"
    )
    return [server.add(rungs=[0, 1, 3]) for _ in range(number + 1)][-1]


def test_it_says_that_it_can_pause(server, start):
    start(SAVING).join()
    assert server.asked[0]["can_pause"] is True


def test_paused_trial_is_saved_at_its_rung_and_no_step_beyond_it_is_trained(server, start):
    first = server.add(rungs=[0, 1, 3])  # from the first the worker learns that this code saves
    paused = server.add(rungs=[0, 1, 3])
    server.decide = lambda trial, step: "pause" if trial is paused and step == 1 else "continue"
    start(SAVING).join()
    assert first.finished[0]["state"] == "complete"
    assert [one["state"] for one in paused.finished] == ["paused"]
    assert (list(paused.reports), paused.artifacts["checkpoint"][1]) == ([0, 1], 1)
    assert "value" not in paused.finished[0]


def test_code_that_saves_nothing_is_paused_at_its_rung_too(server, start):
    trial = pausing(server, 3)
    start(FORGETFUL).join()
    assert (trial.finished[0]["state"], list(trial.reports)) == ("paused", [0, 1, 2, 3])
    assert "checkpoint" not in trial.artifacts


def test_book_model_that_was_paused_and_goes_on_has_the_curve_of_one_that_was_not(server, start):
    task = {"data": "digits", "metric": "val_error", "fixed": {"epochs": 6, "width": 16, "dropout": 0.2}}
    whole, paused = (server.add("mlp", {"learning_rate": 0.05}, rungs=[1, 3], **task) for _ in "ab")
    server.decide = lambda trial, step: "pause" if (trial, step, trial.attempt) == (paused, 1, 1) else "continue"
    working = start(trainers=("mlp",)).join()
    assert paused.finished[0]["state"] == "paused"
    assert paused.artifacts["checkpoint"][1] == 1
    assert "model.safetensors" not in paused.artifacts
    server.waiting.append(paused)
    working = start(trainers=("mlp",)).join()
    assert paused.finished[-1]["state"] == "complete", working.log.getvalue()
    assert paused.reports == whole.reports


def test_pause_waits_for_a_server_that_is_away(server, start):
    trial = pausing(server, 0)
    told = threading.Event()

    def decide(trial, step):
        threading.Thread(target=server.set, kwargs={"away": True}).start()
        told.set()
        return "pause"

    server.decide = decide
    working = start(FORGETFUL)
    server.wait(lambda: server.cut >= 2)
    assert told.is_set()
    server.set(away=False)
    working.join()
    assert [one["state"] for one in trial.finished] == ["paused"]


def test_lease_that_is_lost_while_the_trial_pauses_costs_the_worker_nothing_more(server, start):
    trial, other = pausing(server, 0), server.add()

    def decide(one, step):
        one.lost = one is trial
        return "pause" if one is trial else "continue"

    server.decide = decide
    start(FORGETFUL).join()
    assert (trial.finished, other.finished[0]["state"]) == ([], "complete")
