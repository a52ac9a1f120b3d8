"""Optimizers, penalties and decays against torch's plain ones and against their formulas."""

from collections.abc import Callable, Iterable

import pytest
import torch
from torch import Tensor

from models.optimizers import Optimizer, Rule, clip

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


@pytest.mark.slow  # loads torch.optim
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
        (Rule(0.05, "adam", weight_decay=0.1), lambda p: torch.optim.Adam(p, lr=0.05, weight_decay=0.1)),
        (Rule(0.05, "adamw", weight_decay=0.1), lambda p: torch.optim.AdamW(p, lr=0.05, weight_decay=0.1)),
        (Rule(0.05, "adamw", l2=0.2), lambda p: torch.optim.Adam(p, lr=0.05, weight_decay=0.2)),
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


@pytest.mark.parametrize("norm", [0.1, 3.0, 100.0])
def test_gradients_are_clipped_to_a_joint_norm_as_torch_clips_them(norm: float) -> None:
    grads = [torch.full((2, 3), 2.0), torch.tensor([-1.0, 0.5])]
    held = [torch.nn.Parameter(torch.zeros_like(g)) for g in grads]
    for parameter, grad in zip(held, grads, strict=True):
        parameter.grad = grad.clone()
    torch.nn.utils.clip_grad_norm_(held, norm)
    clip(grads, 0.0, norm)
    for parameter, grad in zip(held, grads, strict=True):
        torch.testing.assert_close(grad, parameter.grad)


def test_gradients_are_clipped_entry_by_entry_before_their_norm() -> None:
    grads = [torch.tensor([[3.0, -0.2]]), torch.tensor([-30.0])]
    clip(grads, 1.0, 0.0)
    assert [g.tolist() for g in grads] == [[[1.0, pytest.approx(-0.2)]], [-1.0]]
    clip(grads, 10.0, 0.5)
    assert torch.cat([g.flatten() for g in grads]).norm().item() == pytest.approx(0.5)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_parameter_without_a_gradient_stays_and_the_others_step_as_without_it(optimizer: str) -> None:
    rule = Rule(0.1, optimizer, momentum=0.9, l2=0.1)  # type: ignore[arg-type]
    idle, weight, alone = (torch.ones(2, 2, requires_grad=True) for _ in range(3))
    both, single = Optimizer([idle, weight], rule), Optimizer([alone], rule)
    for _ in range(3):
        both.descend(lambda: weight.square().sum())
        single.descend(lambda: alone.square().sum())
    assert torch.equal(idle.detach(), torch.ones(2, 2))
    assert torch.equal(weight.detach(), alone.detach())


def test_a_state_is_torchs_by_its_names_and_goes_on_where_it_was() -> None:
    rule = Rule(0.1, "adam")
    weight = START.clone().requires_grad_()
    first = Optimizer([weight], rule)
    for _ in range(3):
        first.descend(lambda: quadratic(weight))
    assert set(first.state()) == {"0.step", "0.exp_avg", "0.exp_avg_sq"}
    copy = weight.detach().clone().requires_grad_()
    second = Optimizer([copy], rule)
    second.load(first.state())
    first.descend(lambda: quadratic(weight))
    second.descend(lambda: quadratic(copy))
    assert torch.equal(weight, copy)
