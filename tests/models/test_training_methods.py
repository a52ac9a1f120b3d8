"""What the book says of training, seen: vanishing gradients, exploding runs, unbalanced classes and unequal costs."""

import math

import pytest
import torch

from models.catalog import Value
from models.datasets import Column, Dataset, Split, load, split
from models.families import build
from models.learner import Epoch
from models.training import Learner

pytestmark = pytest.mark.slow


def fit(trainer: str, data: Split, **params: Value) -> tuple[Learner, Epoch]:
    learner = build(trainer, params)
    return learner, list(learner.fit(data))[-1]


def unbalanced() -> Split:
    """Two overlapping clouds, of which the second has one example in twenty."""
    generator = torch.Generator().manual_seed(0)
    y = (torch.arange(2000) % 20 == 0).long()
    x = torch.randn(2000, 2, generator=generator) + 1.2 * y[:, None]
    return split(Dataset("clouds", "classification", x, y, (Column("a"), Column("b")), ("common", "rare")))


def test_relu_trains_ten_layers_where_sigmoids_gradients_vanish() -> None:
    data, shares = split(load("digits")), {}
    deep: dict[str, Value] = {"hidden_layers": 10, "width": 32, "epochs": 15, "learning_rate": 0.01}
    for unit in ("relu", "sigmoid"):
        learner, last = fit("mlp", data, activation=unit, histograms=True, **deep)
        gradients = list(learner.artifacts()["histograms"]["gradients"].items())
        sizes = [records[0]["deviation"] for name, records in gradients if name.endswith("weight")]
        shares[unit] = (last.metrics["val_error"], sizes[0] / sizes[-1])
        print(f"{unit}: val_error {shares[unit][0]:.3f}, first gradient / last {shares[unit][1]:.2e}")
    assert shares["relu"][0] < 0.1 < 0.8 < shares["sigmoid"][0]
    assert shares["sigmoid"][1] < 1e-4 < 0.05 < shares["relu"][1]


@pytest.mark.parametrize("clip", [{"clip_norm": 0.5}, {"clip_value": 0.01}], ids=str)
def test_clipping_saves_a_run_that_explodes(clip: dict[str, Value]) -> None:
    data = split(load("diabetes"))
    steep: dict[str, Value] = {"hidden_layers": 4, "width": 64, "learning_rate": 0.2, "epochs": 15}
    _, exploded = fit("mlp", data, **steep)
    _, saved = fit("mlp", data, **steep, **clip)
    print(f"without: {exploded.metrics['train_loss']}, with {clip}: {saved.metrics['train_loss']:.3f}")
    assert not math.isfinite(exploded.metrics["train_loss"])
    assert saved.metrics["train_loss"] < 1.0  # better than the mean


def test_class_weights_find_the_rare_class() -> None:
    found = {w: fit("logistic", unbalanced(), class_weights=w)[1].metrics for w in ("none", "balanced")}
    for weights, metrics in found.items():
        print(weights, {n: round(metrics[f"val_{n}"], 3) for n in ("error", "precision", "recall", "f1", "auc")})
    assert found["balanced"]["val_recall"] > 0.7 > 0.5 > found["none"]["val_recall"]
    assert found["balanced"]["val_precision"] < found["none"]["val_precision"]
    assert found["balanced"]["val_auc"] == pytest.approx(found["none"]["val_auc"], abs=0.02)


def test_a_cost_matrix_lowers_the_cost_and_not_the_error() -> None:
    dear: tuple[tuple[float, float], ...] = ((0.0, 1.0), (20.0, 0.0))
    _, minding = fit("logistic", unbalanced(), cost_matrix=dear)
    counts = fit("logistic", unbalanced())[0].artifacts()["confusion"]["counts"]
    heedless = (counts[0][1] + 20.0 * counts[1][0]) / sum(map(sum, counts))
    print(f"cost: {minding.metrics['val_cost']:.3f} by least expected cost, {heedless:.3f} by the likeliest class")
    assert minding.metrics["val_cost"] < 0.8 * heedless
    assert minding.metrics["val_cost"] != minding.metrics["val_error"]
