"""A worker with nothing to train measures a completed study's best model, or says why it can't."""

import dataclasses

import pytest

from models.datasets import load, split
from models.families import build
from models.saved import describe, encode
from workers import objective

pytestmark = pytest.mark.slow
PARAMS = {"epochs": 2, "learning_rate": 0.1}


def trained(trainer="logistic"):
    """The files of a model of iris, and what it makes of the test part."""
    parts = split(load("iris"), objective.SPLIT_SEED)
    learner = build(trainer, PARAMS, seed=3)
    list(learner.fit(parts))
    about = describe(trainer, PARAMS, seed=3, seeds=1, schemas=(parts.schema,), split_seed=0, version="0")
    return encode(about, learner.best_parameters()), learner.measure_test()


def offer(server, files, trainer="logistic", **changes):
    """Have the server offer one evaluation, of a trial with these files."""
    trial = server.add(trainer)
    server.waiting.clear()
    trial.artifacts = {name: (content, None) for name, content in files.items()}
    objective = {"trainer": trainer, "data": "iris", "metric": "val_loss"}
    asked = {
        "id": "E",
        "study": "s",
        "number": 0,
        "objective": objective,
        "data": None,
        "folds": 1,
        "ttl_seconds": 60.0,
    }
    server.set(evaluations=[{**asked, **changes}])
    return trial


def test_the_model_is_measured_on_the_test_part_and_told_before_the_worker_drains(server, start):
    files, expected = trained()
    offer(server, files)
    working = start(trainers=("logistic",)).join()
    assert server.evaluated == [{"metrics": pytest.approx(expected), "examples": 30}]
    assert [event["event"] for event in working.events()] == ["evaluate", "evaluated", "drained"]
    assert {body["evaluations"] for body in server.asked} == {True}


def test_what_keeps_it_from_being_measured_is_told(server, start):
    files, _ = trained()
    offer(server, {**files, "model.safetensors": b"other"})
    start(trainers=("logistic",)).join()
    assert "its SHA-256 is not the one" in server.evaluated[0]["error"]


def test_a_worker_of_ones_own_trainers_takes_no_evaluation(server, start):
    files, _ = trained()
    offer(server, files, "logistic")
    working = start("def train(trial):\n    return 1").join()
    assert {body["evaluations"] for body in server.asked} == {False}
    assert server.evaluated == []
    assert "refused" in [event["event"] for event in working.events()]  # of a server that offers one all the same


def test_a_draining_worker_stays_while_others_evaluate(server, start):
    server.set(reason="evaluating")
    working = start("def train(trial):\n    return 1")
    server.wait(lambda: len(server.asked) >= 2)
    server.set(reason="no-running-study")
    assert [event["event"] for event in working.join().events()] == ["drained"]


def test_labels_of_the_test_part_change_nothing_of_training():
    data = load("wine")
    honest = split(data, objective.SPLIT_SEED)
    spoiled = dataclasses.replace(honest, test=dataclasses.replace(honest.test, y=2 - honest.test.y))
    curves, tests = [], []
    for parts in (honest, spoiled):
        learner = build("mlp", {"epochs": 3, "learning_rate": 0.05}, seed=1)
        curves.append(list(learner.fit(parts)))
        tests.append(learner.measure_test())
    assert curves[0] == curves[1]
    assert tests[0] != tests[1]
