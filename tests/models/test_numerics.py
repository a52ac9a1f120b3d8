"""Stable exponentials, derivatives, critical points and the gradient check, on functions whose answers are known."""

import math

import pytest
import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

from models.numerics import (
    check_gradients,
    classify_critical_point,
    hessian,
    jacobian,
    log_softmax,
    log_sum_exp,
    softmax,
)

EXTREME = torch.tensor([[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4], [3.0, 1.0, 2.0]])


def test_exponentials_are_torchs_also_of_extreme_numbers() -> None:
    torch.testing.assert_close(log_sum_exp(EXTREME, 1), EXTREME.logsumexp(1))
    torch.testing.assert_close(softmax(EXTREME, 1), EXTREME.softmax(1))
    torch.testing.assert_close(log_softmax(EXTREME, 1), EXTREME.log_softmax(1))
    infinite = torch.full((1, 3), -torch.inf)
    assert log_sum_exp(infinite, 1).item() == -math.inf


def test_extreme_logits_give_finite_losses_and_gradients() -> None:
    logits = EXTREME.clone().requires_grad_()
    loss = -log_softmax(logits, 1)[:, 1].sum()
    loss.backward()
    assert loss.isfinite() and logits.grad is not None and logits.grad.isfinite().all()


def test_jacobian_of_polar_coordinates() -> None:
    def place(p: Tensor) -> Tensor:
        return torch.stack([p[0] * p[1].cos(), p[0] * p[1].sin()])

    r, angle = 2.0, 0.5
    expected = [[math.cos(angle), -r * math.sin(angle)], [math.sin(angle), r * math.cos(angle)]]
    torch.testing.assert_close(jacobian(place, torch.tensor([r, angle])), torch.tensor(expected))


def test_jacobian_of_what_does_not_depend_is_zero() -> None:
    assert torch.equal(jacobian(lambda x: torch.ones(2), torch.ones(3)), torch.zeros(2, 3))


def test_hessian_of_rosenbrocks_valley() -> None:
    def valley(p: Tensor) -> Tensor:
        return (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2

    x, y = -0.5, 1.5
    expected = [[2 - 400 * (y - 3 * x * x), -400 * x], [-400 * x, 200.0]]
    torch.testing.assert_close(hessian(valley, torch.tensor([x, y])), torch.tensor(expected))


@pytest.mark.parametrize(
    ("f", "kind"),
    [
        (lambda p: (p * p).sum(), "minimum"),
        (lambda p: p.cos().sum(), "maximum"),
        (lambda p: p[0] ** 2 - p[1] ** 2, "saddle"),
        (lambda p: p[0] ** 2 + p[1] ** 4, "degenerate"),
        (lambda p: (p * p).sum() + p[0], "not critical"),
    ],
)
def test_critical_points_are_told_apart(f, kind: str) -> None:  # type: ignore[no-untyped-def]
    assert classify_critical_point(f, torch.zeros(2, dtype=torch.float64)) == kind


class Tilted(torch.autograd.Function):
    """A square whose backward is a tenth too steep at one place."""

    @staticmethod
    def forward(context: FunctionCtx, x: Tensor) -> Tensor:
        context.save_for_backward(x)  # type: ignore[attr-defined]
        return x * x

    @staticmethod
    def backward(context: FunctionCtx, grad: Tensor) -> Tensor:  # type: ignore[override]
        (x,) = context.saved_tensors  # type: ignore[attr-defined]
        slope = 2.0 * x * grad
        slope[1, 2] *= 1.1
        return slope


def test_a_wrong_backward_is_found_and_the_worst_entry_named() -> None:
    w = (torch.arange(6.0, dtype=torch.float64).reshape(2, 3) + 1.0).requires_grad_()
    found = check_gradients(lambda: Tilted.apply(w).sum(), {"layer.weight": w})
    assert (found.checked, found.wrong, found.kinks) == (6, 1, 0)
    with pytest.raises(ValueError, match=r"worst at layer.weight\[1, 2\]: the gradient is 13.2, .* say 12"):
        found.require()
    check_gradients(lambda: (w * w).sum(), {"layer.weight": w}).require()


def test_kinks_are_counted_and_raise_no_alarm() -> None:
    w = torch.tensor([0.0, 3e-7, -3e-6, 1.0], dtype=torch.float64, requires_grad=True)
    found = check_gradients(lambda: w.relu().sum() + w.square().sum(), {"w": w})
    assert found.wrong == 0 and found.kinks == 1  # 0 itself; beside it a smaller width tells the slope
    assert w.tolist() == [0.0, 3e-7, -3e-6, 1.0]


def test_a_loss_that_changes_from_call_to_call_is_not_checked() -> None:
    w, calls = torch.ones(1, dtype=torch.float64, requires_grad=True), iter(range(9))
    with pytest.raises(ValueError, match="the same from call to call"):
        check_gradients(lambda: w.sum() + next(calls), {"w": w})
