"""The options that look into a net: the gradient check on real nets and a wrong one, histograms, the worst mistakes."""

import itertools
from typing import Any

import pytest
import torch
from torch import Generator, Tensor, nn
from torch.autograd.function import FunctionCtx

from models.catalog import Value
from models.datasets import Schema
from models.debugging import RECORDED, Histograms, summarize, watch
from models.descent import Descent, Training
from models.families import build
from models.goals import Supervised
from models.linear import make_affine
from models.mistakes import SHOWN, judge
from models.units import Noise
from tests.models.tiny import tiny


class Wrong(torch.autograd.Function):
    """The identity with a backward that forgets half."""

    @staticmethod
    def forward(context: FunctionCtx, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(context: FunctionCtx, grad: Tensor) -> Tensor:  # type: ignore[override]
        return grad / 2


class Halved(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return Wrong.apply(x)  # type: ignore[no-untyped-call]


def make_wrong(schema: Schema, generator: Generator) -> nn.Module:
    return nn.Sequential(make_affine(schema, generator), Halved())


def test_a_wrong_backward_fails_the_training_before_it_begins() -> None:
    training = Training.of(learning_rate=0.1, epochs=3, batch_size=16, check_gradients=True)
    model = Descent(make_wrong, training, seed=0)
    model.begin(tiny("iris"))
    with pytest.raises(ValueError, match=r"the gradient check failed at .* worst at 0\.1\.(weight|bias)\["):
        model.train(0)


@pytest.mark.parametrize(
    ("trainer", "params"),
    [
        ("mlp", {"width": 12, "dropout": 0.3, "hidden_noise": 0.1, "optimizer": "adam"}),
        ("mlp", {"width": 6, "activation": "prelu", "hidden_layers": 3, "class_weights": "balanced"}),
        ("cnn", {"filters": 4, "fc_width": 8}),
        ("rnn", {"hidden_size": 5}),
    ],
)
def test_right_nets_pass_the_check_and_say_what_was_checked(trainer: str, params: dict[str, Value]) -> None:
    learner = build(trainer, {**params, "epochs": 1, "check_gradients": True})
    list(learner.fit(tiny("digits")))
    found = learner.artifacts()["gradient_check"]
    assert found["checked"] > 30
    assert found["worst"]["parameter"] and len(found["worst"]["index"]) in (1, 2, 4)


def test_histograms_are_of_the_layers_and_count_every_value() -> None:
    learner = build("mlp", {"epochs": 3, "width": 7, "hidden_layers": 1, "histograms": True, "batch_size": 20})
    list(learner.fit(tiny("iris")))
    found = learner.artifacts()["histograms"]
    assert found["steps"] == [0, 1, 2]
    assert list(found["activations"]) == ["0 Flat", "1 Dense", "2 ReLU", "3 Dense"]
    assert list(found["gradients"]) == ["1.weight", "1.bias", "3.weight", "3.bias"]
    last = found["activations"]["2 ReLU"][-1]
    assert last["low"] >= 0.0 and sum(last["counts"]) == 20 * 7
    assert sum(found["gradients"]["1.weight"][0]["counts"]) == 7 * 4


def test_the_gradients_that_are_watched_are_the_losses() -> None:
    data = tiny("iris")
    net, goal = make_affine(data.schema, Generator()), Supervised(data.schema)
    batch = goal.prepare(data.train)
    goal.loss(net, batch).backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None
        torch.testing.assert_close(watch(net, goal.loss, batch)["gradients"][name], parameter.grad)


def test_long_trainings_are_recorded_at_few_evenly_spread_epochs() -> None:
    data = tiny("iris")
    net, goal, histograms = make_affine(data.schema, Generator()), Supervised(data.schema), Histograms()
    batch = goal.prepare(data.train.first(4))
    for step in range(100):
        histograms.record(step, net, goal.loss, batch)
        steps = histograms.describe(net, goal.loss, batch)["steps"] if step in (29, 30, 99) else [0]
        assert len(steps) <= RECORDED
    assert steps == list(range(0, 100, 4))


def test_a_resumed_run_has_the_histograms_of_an_uninterrupted_one() -> None:
    params: dict[str, Value] = {"epochs": 5, "width": 5, "dropout": 0.2, "histograms": True}
    data, whole, broken = tiny("iris"), build("mlp", params), build("mlp", params)
    list(whole.fit(data))
    list(itertools.islice(broken.fit(data), 2))
    resumed = build("mlp", params)
    list(resumed.fit(data, resume=broken.state()))
    assert resumed.artifacts()["histograms"] == whole.artifacts()["histograms"]


def test_what_is_not_finite_counts_for_nothing_in_a_histogram() -> None:
    low, high, mean, deviation, *counts = summarize(torch.tensor([1.0, torch.nan, 3.0, torch.inf])).tolist()
    assert (low, high, mean, deviation, sum(counts)) == (1.0, 3.0, 2.0, 1.0, 2)
    assert summarize(torch.tensor([torch.nan])).sum() == 0.0


def test_the_surest_mistakes_come_first() -> None:
    probabilities = torch.tensor([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [torch.nan, torch.nan]])
    found: dict[str, Any] = judge(probabilities, torch.tensor([1, 1, 1, 0]), ("no", "yes"))
    assert found["confusion"] == {"classes": ["no", "yes"], "counts": [[0, 0], [2, 1]], "undecided": [1, 0]}
    rows = found["mistakes"]["rows"]
    assert [row["row"] for row in rows] == [3, 0, 1]
    assert rows[0] == {"row": 3, "true": "no", "decided": None, "probability": None, "probability_of_true": None}
    assert (rows[1]["true"], rows[1]["decided"]) == ("yes", "no")
    assert rows[1]["probability"] == pytest.approx(0.9)
    many = judge(torch.tensor([[1.0, 0.0]] * 99), torch.ones(99, dtype=torch.int64), ("no", "yes"))
    assert len(many["mistakes"]["rows"]) == SHOWN


def test_mistakes_are_those_under_the_cost_matrix() -> None:
    learner = build("logistic", {"epochs": 5, "cost_matrix": [[0, 100], [1, 0]]})
    last = list(learner.fit(tiny("breast_cancer")))[-1]
    counts = learner.artifacts()["confusion"]["counts"]
    assert (100 * counts[0][1] + counts[1][0]) / sum(map(sum, counts)) == pytest.approx(last.metrics["val_cost"])
    with pytest.raises(ValueError, match="cost_matrix is of 2 classes, but iris has 3"):
        list(build("logistic", {"cost_matrix": [[0, 1], [1, 0]]}).fit(tiny("iris")))


def test_hidden_noise_has_its_deviation_and_is_off_in_evaluation() -> None:
    noise, h = Noise(0.3, Generator().manual_seed(0)), torch.ones(200, 500)
    noisy: Tensor = noise(h)
    assert noisy.mean().item() == pytest.approx(1.0, abs=0.01) and noisy.std().item() == pytest.approx(0.3, rel=0.02)
    assert torch.equal(noise.eval()(h), h)


def test_class_weights_change_what_is_minimized_and_not_the_reported_loss() -> None:
    data = tiny("breast_cancer")
    plain, weighted = Supervised(data.schema), Supervised(data.schema, class_weights="balanced")
    net = make_affine(data.schema, Generator())
    torch.nn.init.constant_(net[1].bias, 0.7)
    batch = plain.prepare(data.train)
    weighted.prepare(data.train)
    with torch.inference_mode():
        assert torch.equal(plain.measure(net, batch)["loss"], weighted.measure(net, batch)["loss"])
    shares = data.train.y.bincount() / len(data.train)
    each = torch.nn.functional.softplus(torch.tensor([0.7, -0.7]))  # losses of class 0 and 1 at that logit
    assert plain.loss(net, batch).item() == pytest.approx((shares * each).sum().item(), rel=1e-5)
    assert weighted.loss(net, batch).item() == pytest.approx(each.mean().item(), rel=1e-5)
