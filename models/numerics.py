"""Numerical computation (chapter 4): stable exponentials, derivatives, critical points, and the check of gradients."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Generator, Tensor

CriticalPoint = Literal["minimum", "maximum", "saddle", "degenerate", "not critical"]
WIDTHS = (1e-5, 1e-6, 1e-7)  # of finite differences, tried in turn: the smaller, the less likely a kink lies within
RELATIVE, ABSOLUTE = 1e-4, 1e-7  # how far a gradient may be from them; the latter for a loss of size 1


def log_sum_exp(x: Tensor, dim: int) -> Tensor:
    """log Σ exp(x) along a dimension, which vanishes; the largest is subtracted first, so nothing overflows."""
    largest = _largest(x, dim)
    return (x - largest).exp().sum(dim).log() + largest.squeeze(dim)


def log_softmax(x: Tensor, dim: int) -> Tensor:
    """x less its log-sum-exp: finite for finite x, where the logarithm of a softmax that is rounded to 0 is not."""
    shifted = x - _largest(x, dim)
    return shifted - shifted.exp().sum(dim, keepdim=True).log()


def softmax(x: Tensor, dim: int) -> Tensor:
    """Exponentials that sum to 1 along a dimension (equation 4.1)."""
    return log_softmax(x, dim).exp()


def _largest(x: Tensor, dim: int) -> Tensor:
    """0 in place of an infinity, less which it would be nan."""
    largest = x.detach().amax(dim, keepdim=True)
    return torch.where(largest.isfinite(), largest, 0.0)


def jacobian(f: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """∂f_i/∂x_j of f: (N,) → (M,) at x, as (M, N)."""
    point = x.detach().requires_grad_()
    return _rows(f(point), [point])


def hessian(f: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """∂²f/∂x_i∂x_j of a scalar f: (N,) → () at x, as (N, N)."""
    point = x.detach().requires_grad_()
    return gradient_and_hessian(f(point), [point])[1]


def gradient_and_hessian(loss: Tensor, parameters: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Of a scalar by all entries of the parameters, one after another: (P,) and (P, P)."""
    gradients = torch.autograd.grad(loss, parameters, create_graph=True, allow_unused=True, materialize_grads=True)
    gradient = flatten(gradients)
    return gradient.detach(), _rows(gradient, parameters)


def flatten(tensors: Sequence[Tensor]) -> Tensor:
    """All entries one after another: (P,)."""
    return torch.cat([tensor.reshape(-1) for tensor in tensors])


def _rows(values: Tensor, parameters: Sequence[Tensor]) -> Tensor:
    """The gradients of each of the values (M,): (M, P)."""
    if not values.requires_grad:  # they do not depend on the parameters at all
        return values.new_zeros(len(values), sum(p.numel() for p in parameters))
    return torch.stack(
        [
            flatten(
                torch.autograd.grad(value, parameters, retain_graph=True, allow_unused=True, materialize_grads=True)
            )
            for value in values
        ]
    )


def classify_critical_point(
    f: Callable[[Tensor], Tensor], x: Tensor, *, flat: float = 1e-6, tolerance: float = 1e-6
) -> CriticalPoint:
    """What f: (N,) → () has at x, by the signs of its Hessian's eigenvalues (section 4.3.1).

    It is critical where no entry of the gradient exceeds `flat`. An eigenvalue counts as 0 within `tolerance` of the
    largest; with such ones and none of both signs the test is inconclusive: "degenerate". To be called with float64.
    """
    point = x.detach().requires_grad_()
    gradient, curvature = gradient_and_hessian(f(point), [point])
    if gradient.abs().max() > flat:
        return "not critical"
    eigenvalues = torch.linalg.eigvalsh((curvature + curvature.T) / 2)
    bound = tolerance * eigenvalues.abs().max()
    rising, falling = bool((eigenvalues > bound).any()), bool((eigenvalues < -bound).any())
    if rising and falling:
        return "saddle"
    if not (eigenvalues.abs() > bound).all():
        return "degenerate"
    return "minimum" if rising else "maximum"


@dataclass(frozen=True)
class Entry:
    """One entry of a gradient: what was computed, and what finite differences say."""

    parameter: str
    index: tuple[int, ...]
    gradient: float
    difference: float

    @property
    def distance(self) -> float:
        """How far apart they are, as a share of the larger; inf where one is not finite."""
        apart = abs(self.gradient - self.difference)
        return apart / max(abs(self.gradient), abs(self.difference), 1e-12) if math.isfinite(apart) else math.inf


@dataclass(frozen=True)
class GradientCheck:
    """What was checked. At a kink the gradient is not defined, so such entries are counted, not judged."""

    checked: int
    kinks: int
    wrong: int
    worst: Entry | None  # of the wrong ones, else of all judged

    def require(self) -> None:
        """Raises ValueError with the worst entry where some are wrong."""
        if self.wrong and (worst := self.worst):
            place = f"{worst.parameter}[{', '.join(map(str, worst.index))}]"
            raise ValueError(
                f"the gradient check failed at {self.wrong} of {self.checked} entries, worst at {place}: "
                f"the gradient is {worst.gradient:.8g}, finite differences say {worst.difference:.8g}"
            )


def check_gradients(
    loss: Callable[[], Tensor],
    parameters: Mapping[str, Tensor],
    *,
    entries: int = 20,
    generator: Generator | None = None,
) -> GradientCheck:
    """Compares autograd's gradient of a scalar with central differences (section 11.5), at some entries of each tensor.

    `loss()` must be a function of the parameters alone, the same at each call, and all in float64: ValueError if not.
    An entry is right if it agrees at one of the WIDTHS, within RELATIVE of the larger number or ABSOLUTE times the
    loss's size. If it doesn't, and the slopes to the left and right still differ at the smallest, it is a kink.
    """
    value = loss()
    if not torch.equal(value, loss()) or any(p.dtype != torch.float64 for p in parameters.values()):
        raise ValueError("gradients can only be checked of a loss in float64 that stays the same from call to call")
    tensors = list(parameters.values())
    gradients = torch.autograd.grad(value, tensors, allow_unused=True, materialize_grads=True)
    judged: list[tuple[bool, Entry]] = []
    kinks = 0
    for (name, tensor), gradient in zip(parameters.items(), gradients, strict=True):
        for position in torch.randperm(tensor.numel(), generator=generator)[:entries].tolist():
            slope = gradient.reshape(-1)[position].item()
            right, kink, difference = _judge(loss, tensor.detach().view(-1), position, slope, value.item())
            kinks += kink
            index = tuple(int(i) for i in torch.unravel_index(torch.tensor(position), tensor.shape))
            judged += [] if kink else [(right, Entry(name, index, slope, difference))]
    wrong = [entry for right, entry in judged if not right]
    worst = max(wrong or [entry for _, entry in judged], key=lambda entry: entry.distance, default=None)
    return GradientCheck(len(judged), kinks, len(wrong), worst)


def _judge(
    loss: Callable[[], Tensor], flat: Tensor, position: int, slope: float, middle: float
) -> tuple[bool, bool, float]:
    """Whether the slope is right, else whether it is at a kink; and the last difference."""
    allowed = ABSOLUTE * max(1.0, abs(middle))
    left = right = math.nan
    for left, right in _slopes(loss, flat, position, middle):
        difference = (left + right) / 2
        if abs(slope - difference) <= max(RELATIVE * max(abs(slope), abs(difference)), allowed):
            return True, False, difference
    return False, abs(left - right) > max(1e-2 * max(abs(left), abs(right)), 10 * allowed), (left + right) / 2


def _slopes(loss: Callable[[], Tensor], flat: Tensor, position: int, middle: float) -> Iterator[tuple[float, float]]:
    """To the left and to the right of an entry, over each width; the entry is put back."""
    given = flat[position].item()
    for share in WIDTHS:
        width = share * max(1.0, abs(given))
        values = []
        for at in (given - width, given + width):
            flat[position] = at
            with torch.no_grad():
                values.append(loss().item())
        flat[position] = given
        yield (middle - values[0]) / width, (values[1] - middle) / width
