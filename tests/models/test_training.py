"""The training loop: exact resume with each part of its memory, early stopping, divergence."""

import itertools
import math
from collections.abc import Iterator

import pytest
import torch

from models.catalog import TRAINERS, Value
from models.datasets import Split, load, split
from models.families import build
from models.learner import EarlyStopping, Epoch
from models.lockstep import Lockstep
from models.training import Learner
from tests.models.scripted import Scripted

STOPPING = EarlyStopping("val_loss", "minimize", patience=3)
RESUMED: dict[str, dict[str, Value]] = {
    "momentum": {"momentum": 0.9},
    "nesterov": {"momentum": 0.9, "nesterov": True},
    "adam": {"optimizer": "adam", "learning_rate": 0.005},
    "adamw": {"optimizer": "adam", "learning_rate": 0.005, "weight_decay": 0.1},
    "dropout": {"dropout": 0.4},
    "uneven batches": {"batch_size": 17},
    "linear decay": {"learning_rate_decay": "linear", "decay_epochs": 5},
    "exponential decay": {"learning_rate_decay": "exponential", "decay_epochs": 3},
    "step decay": {"learning_rate_decay": "step", "decay_epochs": 3},
    "penalties": {"l1": 1e-3, "l2": 1e-2},
    "learned slopes": {"activation": "prelu", "optimizer": "adam", "dropout": 0.2},
}


@pytest.fixture(scope="module")
def iris() -> Split:
    return split(load("iris"))


def follow(losses: list[float], train_losses: list[float] | None = None) -> Learner:
    return Learner(Lockstep(lambda seed: Scripted(losses, train_losses), [0]), TRAINERS["logistic"])


def steps(epochs: Iterator[Epoch]) -> list[int]:
    return [epoch.step for epoch in epochs]


@pytest.mark.parametrize("params", RESUMED.values(), ids=RESUMED.keys())
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(params: dict[str, Value], iris: Split) -> None:
    params = {"width": 10, "epochs": 9, **params}
    whole, broken, resumed = (build("mlp", params, seed=3) for _ in range(3))
    curve = list(whole.fit(iris))
    list(itertools.islice(broken.fit(iris), 4))
    assert list(resumed.fit(iris, resume=broken.state())) == curve[4:]
    assert all(torch.equal(t, resumed.parameters()[name]) for name, t in whole.parameters().items())


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_state_can_be_resumed_from_again(optimizer: str, iris: Split) -> None:
    learner = build("mlp", {"width": 10, "epochs": 6, "optimizer": optimizer})
    list(itertools.islice(learner.fit(iris), 3))
    state = learner.state()
    first = list(build("mlp", {"width": 10, "epochs": 6, "optimizer": optimizer}).fit(iris, resume=state))
    assert list(learner.fit(iris, resume=state)) == first


@pytest.mark.parametrize("interrupted", [1, 3, 5, 6])
def test_early_stopping_goes_on_counting_after_a_resume(interrupted: int, iris: Split) -> None:
    losses = [5.0, 4.0, 3.0, 3.5, 3.5, 3.5, 1.0]
    broken = follow(losses)
    list(itertools.islice(broken.fit(iris, early_stopping=STOPPING), interrupted))
    resumed = follow(losses)
    rest = steps(resumed.fit(iris, early_stopping=STOPPING, resume=broken.state()))
    assert rest == list(range(interrupted, 6))
    assert resumed.best is not None and resumed.best.step == 2
    assert resumed.parameters()["0.step"] == 2


def test_early_stopping_restores_the_best_parameters(iris: Split) -> None:
    learner = follow([3.0, 1.0, 2.0, 2.0, 2.0, 0.0])
    assert steps(learner.fit(iris, early_stopping=STOPPING)) == [0, 1, 2, 3, 4]
    assert learner.best == Epoch(1, {"train_loss": 0.0, "val_loss": 1.0, "val_r2": -1.0})
    assert learner.parameters()["0.step"] == 1


def test_early_stopping_restores_the_best_parameters_of_a_net(iris: Split) -> None:
    learner = build("mlp", {"learning_rate": 0.2, "epochs": 60})
    curve = list(learner.fit(iris, early_stopping=STOPPING))
    best = min(curve, key=lambda epoch: epoch.metrics["val_loss"])
    assert best.step < curve[-1].step
    right = learner.predict(iris.validation.x)[range(30), iris.validation.y]
    assert -right.log().mean().item() == pytest.approx(best.metrics["val_loss"], rel=1e-5)


def test_early_stopping_restores_the_best_also_where_the_epochs_end_first(iris: Split) -> None:
    learner = follow([3.0, 1.0, 2.0])
    assert steps(learner.fit(iris, early_stopping=STOPPING)) == [0, 1, 2]
    assert learner.parameters()["0.step"] == 1


def test_early_stopping_of_a_metric_that_is_maximized(iris: Split) -> None:
    learner = follow([3.0, 1.0, 2.0, 2.0, 2.0, 0.0])
    list(learner.fit(iris, early_stopping=EarlyStopping("val_r2", "maximize", patience=3)))
    assert learner.best is not None and learner.best.step == 1


def test_a_gain_below_min_delta_is_none(iris: Split) -> None:
    learner = follow([3.0, 2.9, 2.8, 2.7, 2.6])
    stopping = EarlyStopping("val_loss", "minimize", patience=2, min_delta=0.35)
    assert steps(learner.fit(iris, early_stopping=stopping)) == [0, 1, 2]


def test_without_early_stopping_the_last_epoch_counts(iris: Split) -> None:
    learner = follow([3.0, 1.0, 2.0])
    assert steps(learner.fit(iris)) == [0, 1, 2]
    assert learner.best is not None and learner.best.step == 2
    assert learner.parameters()["0.step"] == 2


def test_early_stopping_on_a_metric_that_is_not_reported_says_which_are(iris: Split) -> None:
    with pytest.raises(ValueError, match="early stopping on 'val_f1', but the learner reports train_loss, val_loss"):
        next(follow([1.0]).fit(iris, early_stopping=EarlyStopping("val_f1", "maximize", patience=1)))


def test_nan_is_never_the_best(iris: Split) -> None:
    learner = follow([math.nan, 2.0, math.nan, 1.0])
    list(learner.fit(iris, early_stopping=EarlyStopping("val_loss", "minimize", patience=5)))
    assert learner.best is not None and learner.best.step == 3


def test_training_ends_after_an_epoch_whose_training_loss_is_not_finite(iris: Split) -> None:
    learner = follow([3.0, 2.0, math.nan, 1.0], [1.0, 1.0, math.inf, 1.0])
    assert steps(learner.fit(iris)) == [0, 1, 2]


def test_a_diverged_net_reports_nan_and_every_prediction_as_wrong() -> None:
    learner = build("mlp", {"learning_rate": 1e20, "hidden_layers": 3})
    last = list(learner.fit(split(load("digits"))))[-1]
    assert math.isnan(last.metrics["val_loss"])
    assert last.metrics["val_error"] == 1.0


def test_a_finished_run_resumes_to_its_end_without_an_epoch(iris: Split) -> None:
    losses = [3.0, 1.0, 2.0, 2.0, 2.0, 0.0]
    finished, again = follow(losses), follow(losses)
    list(finished.fit(iris, early_stopping=STOPPING))
    assert list(again.fit(iris, early_stopping=STOPPING, resume=finished.state())) == []
    assert again.best == finished.best
    assert again.parameters()["0.step"] == 1


def test_more_epochs_go_on_from_the_last_not_from_the_restored_best(iris: Split) -> None:
    params = {"width": 10, "learning_rate": 0.2}
    patient = EarlyStopping("val_loss", "minimize", patience=100)
    short, long, whole = (build("mlp", {**params, "epochs": n}) for n in (20, 30, 30))
    list(short.fit(iris, early_stopping=patient))
    rest = list(long.fit(iris, early_stopping=patient, resume=short.state()))
    assert rest == list(whole.fit(iris, early_stopping=patient))[20:]
