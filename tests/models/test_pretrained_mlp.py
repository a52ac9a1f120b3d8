"""Layer-wise pretraining: one layer at a time, exact resume in each stage, and what it brings where labels are few."""

import itertools
from collections.abc import Mapping

import pytest
import torch
from torch import Tensor

from models import pretrained_mlp
from models.catalog import TRAINERS, Value
from models.datasets import load, split
from models.families import build
from models.learner import EarlyStopping
from models.pretrained_mlp import choose_labelled
from models.training import Learner
from tests.models.tiny import tiny

SMALL: dict[str, Value] = {"hidden_layers": 2, "width": 6, "pretraining_epochs": 2, "epochs": 7, "dropout": 0.2}


def after_each_epoch(learner: Learner) -> list[dict[str, Tensor]]:
    return [learner.parameters() for _ in learner.fit(tiny("iris"))]


def changed(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> set[str]:
    """The layers, of the net by their position in it, that differ."""
    names = {name.removeprefix("0.") for name in before if not torch.equal(before[name], after[name])}
    return {".".join(name.split(".")[: 2 if name.startswith("decoder") else 1]) for name in names}


def test_each_epoch_moves_the_layers_of_its_stage_alone() -> None:
    each = after_each_epoch(build("pretrained_mlp", {**SMALL, "dropout": 0.0}))
    moved = [changed(before, after) for before, after in itertools.pairwise(each)]
    assert moved[0] == {"1", "decoder.0"}
    assert moved[1:3] == [{"2", "decoder.1", "depth"}, {"2", "decoder.1"}]
    assert moved[3:] == [{"1", "2", "3"}] * 3


@pytest.mark.parametrize("epochs", [1, 2, 3, 4, 5])
def test_resumes_exactly_within_and_between_stages(epochs: int) -> None:
    data, whole = tiny("iris"), build("pretrained_mlp", SMALL)
    curve = list(whole.fit(data))
    broken = build("pretrained_mlp", SMALL)
    list(itertools.islice(broken.fit(data), epochs))
    resumed = build("pretrained_mlp", SMALL, seed=99)
    assert list(resumed.fit(data, resume=broken.state())) == curve[epochs:]
    assert all(torch.equal(tensor, resumed.state()[name]) for name, tensor in whole.state().items())


def test_pretraining_improves_reconstruction_while_the_labels_metrics_stand_still() -> None:
    params: dict[str, Value] = {**SMALL, "hidden_layers": 1, "pretraining_epochs": 5}
    curve = list(build("pretrained_mlp", params).fit(tiny("iris")))
    pretraining, tuning = curve[:5], curve[5:]
    errors = [epoch.metrics["val_reconstruction"] for epoch in pretraining]
    assert errors == sorted(errors, reverse=True)
    assert len({epoch.metrics["val_loss"] for epoch in pretraining}) == 1
    assert pretraining[0].metrics["val_loss"] == pytest.approx(torch.log(torch.tensor(3.0)).item())
    assert tuning[-1].metrics["val_loss"] < pretraining[0].metrics["val_loss"]


def test_the_best_epoch_is_never_one_of_pretraining() -> None:
    learner = build("pretrained_mlp", SMALL)
    list(learner.fit(tiny("iris"), early_stopping=EarlyStopping("val_loss", "minimize", patience=6)))
    assert learner.best is not None
    assert learner.best.step >= 4


def test_restored_parameters_measure_the_same_reconstruction_in_the_middle_of_pretraining() -> None:
    data, learner = tiny("iris"), build("pretrained_mlp", SMALL)
    epochs = learner.fit(data)
    next(epochs)
    again = build("pretrained_mlp", SMALL)
    again.restore(data, learner.parameters())
    assert again.measure_test() == learner.measure_test()


def test_labelled_rows_hold_each_class_in_proportion_and_the_targets_range() -> None:
    rows = split(load("iris")).train
    assert torch.bincount(choose_labelled(rows, 9).y).tolist() == [3, 3, 3]
    assert choose_labelled(rows, 0) is rows
    numbers = split(load("diabetes")).train
    few = choose_labelled(numbers, 20).y
    assert few.mean().item() == pytest.approx(numbers.y.mean().item(), rel=0.05)


def test_the_labels_of_other_rows_are_not_seen() -> None:
    data = tiny("iris")
    few = choose_labelled(data.train, 10)
    curves = [
        [epoch.metrics["val_loss"] for epoch in build("pretrained_mlp", {**SMALL, **params}).fit(part)]
        for part, params in (
            (data, {"labelled": 10, "pretraining_epochs": 0}),
            (type(data)(data.schema, few, data.validation, data.test), {"pretraining_epochs": 0}),
        )
    ]
    assert curves[0] == curves[1]


@pytest.mark.slow
def test_pretraining_helps_with_fifty_labels() -> None:
    """Mean test error over five splits and seeds of the same net, with as many epochs of fine-tuning."""
    shared: dict[str, Value] = {"labelled": 50, "batch_size": 25, "hidden_layers": 2, "width": 64}
    shared |= {"activation": "sigmoid", "learning_rate": 0.3, "pretraining_rate": 5e-3, "noise": 0.2}
    means = []
    for pretraining in (0, 5):
        params = {**shared, "pretraining_epochs": pretraining, "epochs": 60 + 2 * pretraining}
        means.append(sum(error_of(seed, params) for seed in range(5)) / 5)
    assert means[1] < means[0] - 0.02


def error_of(seed: int, params: Mapping[str, Value]) -> float:
    """On digits, split by the seed; without measuring between the epochs."""
    model = pretrained_mlp.build(seed=seed, **TRAINERS["pretrained_mlp"].complete(params))  # type: ignore[arg-type]
    model.begin(split(load("digits"), seed=seed))
    for step in range(model.epochs):
        model.train(step)
    return model.measure("test")["error"]
