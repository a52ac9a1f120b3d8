"""The book's trainers, from lease to result."""

import hashlib

import pytest

pytestmark = pytest.mark.slow

CSV = b"area,rooms,price\n" + b"".join(b"%d,%d,%d\n" % (i, i % 5, 3 * i + i % 5) for i in range(60))
UPLOADED = {"name": "houses", "sha256": hashlib.sha256(CSV).hexdigest(), "target": "price", "task": "regression"}
LINEAR = {"metric": "val_mse", "fixed": {"epochs": 5}}


def test_each_epoch_is_reported_and_the_value_is_the_metric_at_the_last(server, start):
    trial = server.add("logistic", {"learning_rate": 0.1}, data="iris", metric="val_error", fixed={"epochs": 4})
    start(trainers=("logistic",)).join()
    assert list(trial.reports) == [0, 1, 2, 3]
    assert trial.finished[0]["value"] == trial.reports[3]["val_error"]
    attributes = trial.finished[0]["attributes"]
    assert (attributes["epochs"], attributes["best_step"], attributes["parameters"]) == (4, 3, 15)
    assert {"torch", "scikit-learn"} <= attributes["environment"]["packages"].keys()


def test_under_early_stopping_the_value_is_the_best_in_the_objectives_direction(server, start):
    stopping = {"patience": 3, "min_delta": 0.0}
    trial = server.add("mlp", {"epochs": 100}, data="wine", metric="val_accuracy", direction="maximize",
                       early_stopping=stopping)  # fmt: skip
    start(trainers=("mlp",)).join()
    curve = [metrics["val_accuracy"] for metrics in trial.reports.values()]
    assert trial.finished[0]["value"] == max(curve)
    assert len(curve) == curve.index(max(curve)) + 1 + 3


def test_seeds_and_folds_train_in_lockstep(server, start):
    trial = server.add("linear", data="diabetes", **LINEAR, seeds=2, folds=3)
    start(trainers=("linear",)).join()
    assert trial.reports[4]["val_mse_std"] > 0


def test_uploaded_data_is_downloaded_once_by_its_hash(server, start, tmp_path):
    server.set(datasets={"houses": CSV})
    trials = [server.add("linear", data="houses", **LINEAR) for _ in range(2)]
    for trial in trials:
        trial.lease["data"] = UPLOADED
        trial.lease["objective"]["data"] = "houses"
    working = start(trainers=("linear",)).join()
    assert [trial.finished[0]["state"] for trial in trials] == ["complete", "complete"], working.events()
    assert [path.name for path in (tmp_path / "cache" / "data").iterdir()] == [UPLOADED["sha256"]]
    assert server.downloads == 1


def test_a_trainer_of_ones_own_gets_the_path_of_uploaded_data(server, start):
    server.set(datasets={"houses": CSV})
    trial = server.add(data="houses")
    trial.lease["data"] = UPLOADED
    start("def train(trial):\n    return trial.data.stat().st_size").join()
    assert trial.finished[0]["value"] == len(CSV)


def test_data_of_another_hash_is_not_trained_on(server, start):
    server.set(datasets={"houses": CSV + b"1,1,1\n"})
    trial = server.add(data=UPLOADED["name"])
    trial.lease["data"] = UPLOADED
    start("def train(trial):\n    return 1").join()
    assert "no longer the one" in trial.finished[0]["error"]
    assert trial.finished[0]["retry"] is False


UNTRAINABLE = [
    ({"data": "moon"}, "no built-in data set 'moon'"),
    ({"params": {"widht": 3}}, "no parameter 'widht'; did you mean 'width'"),
    ({"metric": "val_mse"}, "mlp reports train_loss"),
    ({"data": None}, "names no data set"),
]


def test_what_cannot_be_trained_fails_once_with_the_reason(server, start):
    trials = [server.add("mlp", **{"data": "iris", "metric": "val_loss", **change}) for change, _ in UNTRAINABLE]
    start(trainers=("mlp",)).join()
    for trial, (_, said) in zip(trials, UNTRAINABLE, strict=True):
        assert [end["retry"] for end in trial.finished] == [False]
        assert said in trial.finished[0]["error"]
