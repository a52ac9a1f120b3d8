"""From a study to its best model, measured on data that no trial has seen, by the real commands."""

import numpy as np
import pytest

from models import load as load_model
from models.datasets import Part, load, split

pytestmark = pytest.mark.slow
DRAIN = ("--trainer", "mlp", "--drain")


def small_mlp(name, **changes):
    fixed = {"epochs": 6, "hidden_layers": 1, "width": 16}
    objective = {"trainer": "mlp", "data": "wine", "metric": "val_error", "fixed": fixed}
    space = {"learning_rate": {"type": "float", "low": 0.001, "high": 0.1, "log": True}}
    return {"name": name, "objective": objective, "space": space, "budget": {"n_trials": 3}, **changes}


def untouched(name) -> Part:
    """The test part of a built-in set, as it was read."""
    data = load(name)
    given = split(data).test.y
    raw = split(data).schema.preprocessing.apply(data.x)
    rows = [i for one in split(data).test.x for i in np.flatnonzero((raw == one).all(dim=1).numpy())]
    assert len(set(rows)) == len(given)
    return Part(data.x[rows], data.y[rows])


def test_the_best_model_is_measured_on_the_untouched_part_before_the_worker_drains(server, start, tmp_path):
    server.client.create_study(small_mlp("honest", trial={"folds": 2}))
    workers = [start(server, name, "honest", *DRAIN) for name in ("a", "b")]
    assert [worker.drained() for worker in workers] == [0, 0]
    best = server.client.get_study("honest").best
    assert not best.evaluating
    assert sum(len(worker.events("evaluated")) for worker in workers) == 1
    server.client.download_model("honest", best.number, tmp_path)
    test, classes = untouched("wine"), load("wine").classes
    wrong = [said != classes[y] for said, y in zip(load_model(tmp_path).predict(test.x), test.y, strict=True)]
    attributes = server.client.get_trial("honest", best.number).attributes
    assert attributes["tested_examples"] == len(test) == 36
    assert {"test_error", "test_error_std", "test_loss"} <= best.test.keys() <= attributes.keys()
    assert np.mean(wrong) <= attributes["test_error"] + attributes["test_error_std"]  # of two folds' models, their mean
    others = [trial for trial in server.trials("honest") if trial.number != best.number]
    assert not [name for trial in others for name in trial.attributes if name.startswith("test")]
