"""Optimizers, penalties and decays against torch's plain ones and against their formulas."""

from collections.abc import Callable, Iterable

import pytest
import torch
from torch import Tensor

from models.optimizers import Optimizer, Rule

START = torch.linspace(-1.0, 1.0, 12).reshape(3, 4)


def run(rule: Rule, steps: int = 20) -> Tensor:
    """The weight after some steps on a fixed quadratic."""
    weight = START.clone().requires_grad_()
    optimizer = Optimizer([weight], rule)
    for step in range(steps):
        optimizer.start_epoch(step)
        quadratic(weight).backward()
        optimizer.step()
    return weight.detach()


def quadratic(weight: Tensor) -> Tensor:
    return ((weight - 0.3) * torch.arange(1.0, 13.0).reshape(3, 4) ** 0.5).square().sum() / 2


@pytest.mark.parametrize(
    ("rule", "make"),
    [
        (Rule(0.05), lambda p: torch.optim.SGD(p, lr=0.05)),
        (Rule(0.05, momentum=0.8), lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.8)),
        (Rule(0.05, momentum=0.8, nesterov=True), lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.8, nesterov=True)),
        (Rule(0.05, nesterov=True), lambda p: torch.optim.SGD(p, lr=0.05)),
        (Rule(0.05, l2=0.1), lambda p: torch.optim.SGD(p, lr=0.05, weight_decay=0.1)),
        (Rule(0.05, "adam"), lambda p: torch.optim.Adam(p, lr=0.05)),
        (Rule(0.05, "adam", l2=0.1), lambda p: torch.optim.Adam(p, lr=0.05, weight_decay=0.1)),
        (Rule(0.05, "adam", weight_decay=0.1), lambda p: torch.optim.AdamW(p, lr=0.05, weight_decay=0.1)),
    ],
    ids=lambda value: repr(value) if isinstance(value, Rule) else "",
)
def test_each_rule_steps_as_torchs_unfused_one(
    rule: Rule, make: Callable[[Iterable[Tensor]], torch.optim.Optimizer]
) -> None:
    weight = START.clone().requires_grad_()
    plain = make([weight])
    for _ in range(20):
        plain.zero_grad()
        quadratic(weight).backward()
        plain.step()
    torch.testing.assert_close(run(rule), weight.detach())


def test_an_l1_step_is_soft_thresholding() -> None:
    weight = torch.tensor([[0.5, -0.5, 0.01, -0.01, 0.0]], requires_grad=True)
    weight.grad = torch.zeros_like(weight)
    Optimizer([weight], Rule(0.1, l1=0.2)).step()
    torch.testing.assert_close(weight.detach(), torch.tensor([[0.48, -0.48, 0.0, 0.0, 0.0]]))


@pytest.mark.parametrize("rule", [Rule(0.1, l1=0.5), Rule(0.1, l2=0.5), Rule(0.1, weight_decay=0.5)], ids=repr)
def test_penalties_shrink_weights_and_spare_biases(rule: Rule) -> None:
    weight, bias = torch.ones(2, 2, requires_grad=True), torch.ones(2, requires_grad=True)
    weight.grad, bias.grad = torch.zeros(2, 2), torch.zeros(2)
    Optimizer([weight, bias], rule).step()
    torch.testing.assert_close(weight.detach(), torch.full((2, 2), 0.95))
    assert torch.equal(bias.detach(), torch.ones(2))


@pytest.mark.parametrize(
    ("decay", "rates"),
    [
        ("none", [0.4, 0.4, 0.4, 0.4, 0.4]),
        ("linear", [0.4, 0.25, 0.1, 0.1, 0.1]),
        ("exponential", [0.4, 0.2, 0.1, 0.05, 0.025]),
        ("step", [0.4, 0.4, 0.1, 0.1, 0.025]),
    ],
)
def test_the_learning_rate_falls_as_its_decay_says(decay: str, rates: list[float]) -> None:
    rule = Rule(0.4, learning_rate_decay=decay, decay_factor=0.25, decay_epochs=2)  # type: ignore[arg-type]
    assert [rule.rate(epoch) for epoch in range(5)] == pytest.approx(rates)


def test_the_decayed_rate_is_the_one_that_steps_are_taken_with() -> None:
    weight = torch.zeros(1, 1, requires_grad=True)
    optimizer = Optimizer([weight], Rule(1.0, learning_rate_decay="step", decay_factor=0.5, decay_epochs=1))
    moved = []
    for epoch in range(3):
        before = weight.item()
        optimizer.start_epoch(epoch)
        weight.grad = torch.ones(1, 1)
        optimizer.step()
        moved.append(before - weight.item())
    assert moved == [1.0, 0.5, 0.25]


def test_a_state_of_another_shape_is_refused() -> None:
    optimizer = Optimizer([torch.zeros(2, 2, requires_grad=True)], Rule(0.1, momentum=0.9))
    with pytest.raises(ValueError, match="momentum_buffer of parameter 0"):
        optimizer.load({"0.momentum_buffer": torch.zeros(3)})
