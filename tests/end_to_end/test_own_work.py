"""A user's own code, data and model-based search, by the real commands."""

import numpy as np
import pytest

from tests.end_to_end.studies import RATE, own, steps

pytestmark = pytest.mark.slow
OWN = ("--trainer", "train:train", "--drain")
TRAIN = """
def train(trial):
    x, y = trial.params["x"], trial.params["y"]
    for step in range(5):
        trial.report(step, loss=(x - 0.3) ** 2 + (y + 0.2) ** 2 + 1 / (step + 1), seed=trial.seed)
    trial.attributes["where"] = "here"
    return x + y
"""


def test_a_function_of_ones_own_is_trained_and_its_value_recorded(server, start):
    server.client.create_study(own("own", n_trials=6))
    assert start(server, "w", "own", *OWN, source=TRAIN).drained() == 0
    assert server.client.get_study("own").counts["complete"] == 6
    for number, trial in enumerate(server.trials("own")):
        assert (trial.number, steps(trial), trial.attributes["where"]) == (number, [0, 1, 2, 3, 4], "here")
        assert trial.value == trial.params["x"] + trial.params["y"]


def test_a_study_learns_from_an_uploaded_table(server, start):
    numbers = np.random.default_rng(0).normal(size=(120, 2))
    lines = [f"{a:.3f},{b:.3f},{'yes' if a + b > 0 else 'no'}" for a, b in numbers]
    content = "\n".join(["a,b,answer", *lines]).encode()
    stored = server.client.put_dataset("mine", content, target="answer", task="classification")
    assert (stored.rows, stored.classes) == (120, 2)
    fixed = {"epochs": 20, "batch_size": 16}
    objective = {"trainer": "logistic", "data": "mine", "metric": "val_error", "fixed": fixed}
    study = {"name": "table", "objective": objective, "space": RATE, "budget": {"n_trials": 3}}
    server.client.create_study(study)
    assert start(server, "w", "table", "--trainer", "logistic", "--drain").drained() == 0
    study = server.client.get_study("table")
    assert study.counts["complete"] == 3
    assert study.best.value < 0.2  # the classes are parted by a line


def test_model_based_search_hands_out_models_points(server, start):
    sampler = {"name": "gp", "n_startup_trials": 6}
    server.client.create_study(own("gp", n_trials=30, sampler=sampler))
    assert (
        start(server, "w", "gp", *OWN, "--processes", "2", source=TRAIN.replace("x + y", "x * x + y * y")).drained()
        == 0
    )
    trials = server.trials("gp")
    assert [(trial.number, trial.state) for trial in trials] == [(number, "complete") for number in range(30)]
    modes = [trial.explanation["mode"] for trial in trials]
    assert modes[:6] == ["startup"] * 6
    assert modes[6:].count("model") >= 0.95 * 24
    assert all(list(trial.params) == ["x", "y"] for trial in trials)
    assert min(trial.value for trial in trials) < 0.02


POISON = "import os\ndef train(trial):\n    trial.report(0, loss=1)\n    os.kill(os.getpid(), 9)\n"


def test_code_that_kills_its_process_each_time_fails_its_trials_with_the_reason_and_the_study_ends(server, start):
    server.client.create_study(own("poison", n_trials=2, trial={"max_attempts": 2}))
    assert start(server, "w", "poison", *OWN, source=POISON).drained() == 0
    assert server.client.get_study("poison").state == "completed"
    trials = server.trials("poison")
    assert [(trial.number, trial.state, trial.attempt) for trial in trials] == [(0, "failed", 2), (1, "failed", 2)]
    assert all("signal 9" in trial.error for trial in trials)


CLOCK = """
import time
_time = time.time
time.time = lambda: _time() + {days} * 86400
"""
WATCHED = """
import pathlib, time
def train(trial):
    trial.attributes["ahead_of_files"] = time.time() - pathlib.Path(__file__).stat().st_mtime
    for step in range(20):
        trial.report(step, loss=1.0)
        time.sleep(0.05)
    return 1.0
"""


@pytest.mark.parametrize("days", [30, -30])
def test_a_worker_whose_clock_is_a_month_off_loses_no_lease(server, start, tmp_path, days):
    (tmp_path / "sitecustomize.py").write_text(CLOCK.format(days=days))
    environ = {"PYTHONPATH": str(tmp_path), "TZ": "Pacific/Kiritimati"}
    name = f"clock{days}"
    server.client.create_study(own(name, n_trials=2))
    assert start(server, name, name, *OWN, source=WATCHED, environ=environ).drained() == 0
    for trial in server.trials(name):
        assert (trial.state, [one.outcome for one in trial.attempts]) == ("complete", ["complete"])
        assert round(trial.attributes["ahead_of_files"] / 86400) == days
