"""Hidden units against their formulas (chapter 6.3); dropout and first weights against their statistics."""

import math

import pytest
import torch
from torch import Generator, Tensor

from models.catalog import TRAINERS
from models.units import UNITS, Dropout, draw_weight

FORMULAS = {  # of z, with slope 0.2
    "relu": lambda z: max(0.0, z),
    "leaky_relu": lambda z: max(0.0, z) + 0.2 * min(0.0, z),
    "prelu": lambda z: max(0.0, z) + 0.2 * min(0.0, z),
    "absolute": lambda z: max(0.0, z) - min(0.0, z),
    "tanh": math.tanh,
    "sigmoid": lambda z: 1.0 / (1.0 + math.exp(-z)),
    "softplus": lambda z: math.log1p(math.exp(z)),
    "hard_tanh": lambda z: max(-1.0, min(1.0, z)),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_each_unit_is_its_formula(name: str) -> None:
    z = torch.linspace(-3.0, 3.0, 25)[:, None]  # (25, 1)
    expected = torch.tensor([FORMULAS[name](value) for value in z[:, 0].tolist()])
    torch.testing.assert_close(UNITS[name](1, 0.2)(z)[:, 0].detach(), expected)


def test_softmax_units_are_exponentials_that_sum_to_one() -> None:
    z = torch.tensor([[0.0, 1.0, 2.0], [-1e4, 0.0, 1e4]])
    total = sum(math.exp(k) for k in range(3))
    expected = torch.tensor([[math.exp(k) / total for k in range(3)], [0.0, 0.0, 1.0]])
    torch.testing.assert_close(UNITS["softmax"](3, 0.0)(z), expected)


def test_the_catalogue_offers_exactly_the_units_there_are() -> None:
    assert set(TRAINERS["mlp"].parameters["activation"].choices) == set(UNITS)
    assert set(FORMULAS) | {"softmax"} == set(UNITS)


def test_prelu_learns_a_slope_for_each_unit() -> None:
    slopes = list(UNITS["prelu"](5, 0.25).parameters())
    assert torch.equal(slopes[0].detach(), torch.full((5,), 0.25))


def test_dropout_drops_its_share_keeps_the_mean_and_is_off_in_evaluation() -> None:
    dropout, h = Dropout(0.3, Generator().manual_seed(0)), torch.ones(400, 500)
    dropped: Tensor = dropout(h)
    assert (dropped == 0).double().mean().item() == pytest.approx(0.3, abs=0.005)
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.01)
    assert not torch.equal(dropout(h), dropped)
    assert torch.equal(dropout.eval()(h), h)


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "absolute"])
def test_first_weights_keep_the_signals_size_through_twenty_layers(name: str) -> None:
    generator = Generator().manual_seed(0)
    h = torch.randn(100, 256, generator=generator)
    for _ in range(20):
        h = UNITS[name](256, 0.1)(h @ draw_weight(256, 256, name, 0.1, "auto", generator).T)
    assert 0.3 < h.square().mean().sqrt().item() < 3.0


def test_glorot_weights_have_the_variance_of_both_sides() -> None:
    weight = draw_weight(300, 100, "tanh", 0.0, "auto", Generator().manual_seed(0))
    assert weight.var().item() == pytest.approx(2.0 / 400, rel=0.03)
