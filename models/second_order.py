"""Optimizers that know curvature (sections 4.3.1 and 8.6): Newton's method and L-BFGS, on the whole training part.

Neither has a learning rate: the whole of a step is natural, and a line search shortens it where the loss asks for it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from torch import Tensor

from models.numerics import flatten, gradient_and_hessian
from models.optimizers import Rule

NEWTONS_LIMIT = 2_000  # parameters: the Hessian has their square of entries, and solving takes their cube of steps
SUFFICIENT, FLATTER = 1e-4, 0.9  # Wolfe's conditions: share of the promised fall, share of the slope that may be left
EVALUATIONS = 25  # of one line search, at most

Loss = Callable[[], Tensor]
Line = Callable[[float], tuple[float, float, Tensor]]  # a step's length → value, slope along the step, gradient


class Surface:
    """A loss with its L2 penalty over all parameters as one vector (P,) in float64."""

    def __init__(self, parameters: Iterable[Tensor], rule: Rule) -> None:
        if rule.l1:
            raise ValueError(f"l1 needs the steps of sgd, adam or adamw, not of {rule.optimizer}")
        self._parameters = [p for p in parameters if p.requires_grad]
        self._penalty = rule.penalty
        self.size = sum(p.numel() for p in self._parameters)

    def position(self) -> Tensor:
        return flatten([p.detach() for p in self._parameters]).double()

    def move(self, point: Tensor) -> None:
        places = torch.split(point, [p.numel() for p in self._parameters])
        for parameter, values in zip(self._parameters, places, strict=True):
            parameter.detach().copy_(values.view_as(parameter))

    def slope(self, loss: Loss) -> tuple[float, Tensor]:
        """The value and the gradient (P,) where the parameters are."""
        value = self._value(loss)
        gradients = torch.autograd.grad(value, self._parameters, allow_unused=True, materialize_grads=True)
        return value.item(), flatten(gradients).double()

    def curvature(self, loss: Loss) -> tuple[float, Tensor, Tensor]:
        """The value, the gradient and the Hessian (P, P) where the parameters are."""
        value = self._value(loss)
        gradient, hessian = gradient_and_hessian(value, self._parameters)
        return value.item(), gradient.double(), hessian.double()

    def along(self, loss: Loss, start: Tensor, direction: Tensor) -> Line:
        """The loss on the line from a point; each evaluation leaves the parameters where it was."""

        def evaluate(length: float) -> tuple[float, float, Tensor]:
            self.move(start + length * direction)
            value, gradient = self.slope(loss)
            return value, float(gradient @ direction), gradient

        return evaluate

    def _value(self, loss: Loss) -> Tensor:
        value = loss()
        if self._penalty:
            weights: Sequence[Tensor] = [p for p in self._parameters if p.dim() >= 2]
            value = value + self._penalty / 2 * torch.stack([w.square().sum() for w in weights]).sum()
        return value


class Newton:
    """x ← x − (H + λ I)⁻¹ g (equation 4.12), with the damping λ raised until all curvature is positive.

    The step is halved until the loss falls by a share of what the slope promises; at a point where none does, it stays.
    Raises ValueError for more than NEWTONS_LIMIT parameters, and for an L1 penalty.
    """

    takes_all = True

    def __init__(self, parameters: Iterable[Tensor], rule: Rule) -> None:
        self._surface, self._damping = Surface(parameters, rule), rule.damping
        if self._surface.size > NEWTONS_LIMIT:
            raise ValueError(
                f"newton solves for all parameters at once: at most {NEWTONS_LIMIT:,}, and here are "
                f"{self._surface.size:,}; lbfgs has no limit"
            )

    def start_epoch(self, epoch: int) -> None:
        pass

    def descend(self, loss: Loss) -> None:
        start = self._surface.position()
        value, gradient, hessian = self._surface.curvature(loss)
        direction = _solve(hessian, gradient, self._damping)
        evaluate, length = self._surface.along(loss, start, direction), 1.0
        for _ in range(EVALUATIONS):
            if evaluate(length)[0] <= value + SUFFICIENT * length * float(gradient @ direction):
                return
            length /= 2
        self._surface.move(start)

    def state(self) -> dict[str, Tensor]:
        return {}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        if tensors:
            raise ValueError(f"the checkpoint does not fit: newton remembers no {', '.join(tensors)}")


def _solve(hessian: Tensor, gradient: Tensor, damping: float) -> Tensor:
    """−(H + λ I)⁻¹ g with the least λ = damping, or a power of 10 times it, that makes the matrix positive definite."""
    size = hessian.diagonal().abs().mean().item() or 1.0
    for raised in [damping, *(max(damping, 1e-4 * size) * 10.0**k for k in range(12))]:
        factor, failed = torch.linalg.cholesky_ex(hessian + raised * torch.eye(len(gradient), dtype=hessian.dtype))
        if not failed:
            return -torch.cholesky_solve(gradient[:, None], factor)[:, 0]
    return -gradient


class LBFGS:
    """The inverse Hessian by the last `history` steps and changes of the gradient (Nocedal 1980; section 8.6.2).

    One step of strong Wolfe's line search at each call. Raises ValueError for an L1 penalty.
    """

    takes_all = True

    def __init__(self, parameters: Iterable[Tensor], rule: Rule) -> None:
        self._surface, self._history = Surface(parameters, rule), rule.history
        self._steps: list[Tensor] = []
        self._changes: list[Tensor] = []

    def start_epoch(self, epoch: int) -> None:
        pass

    def descend(self, loss: Loss) -> None:
        start = self._surface.position()
        value, gradient = self._surface.slope(loss)
        direction = -self._multiply(gradient)
        first = 1.0 if self._steps else 1.0 / max(1.0, gradient.abs().sum().item())
        evaluate = self._surface.along(loss, start, direction)
        found = search_line(evaluate, value, float(gradient @ direction), first)
        if found is None:
            self._surface.move(start)
            self._steps, self._changes = [], []  # what was remembered misleads: begin again with steepest descent
            return
        length, new_gradient = found
        self._surface.move(start + length * direction)
        self._remember(self._surface.position() - start, new_gradient - gradient)

    def state(self) -> dict[str, Tensor]:
        """Of the remembered steps, the oldest first: `steps` and `changes` (k, P); nothing before the first."""
        return {"steps": torch.stack(self._steps), "changes": torch.stack(self._changes)} if self._steps else {}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        if tensors and set(tensors) != {"steps", "changes"}:
            raise ValueError(f"the checkpoint does not fit: lbfgs remembers no {', '.join(tensors)}")
        for name, tensor in tensors.items():
            if tensor.dim() != 2 or tensor.shape[1] != self._surface.size:
                raise ValueError(f"the checkpoint does not fit: {name} of lbfgs is {tuple(tensor.shape)}")
        self._steps = list(tensors["steps"].clone()) if tensors else []
        self._changes = list(tensors["changes"].clone()) if tensors else []

    def _remember(self, step: Tensor, change: Tensor) -> None:
        if float(step @ change) <= 1e-10 * float(change @ change):  # no positive curvature to learn from
            return
        self._steps = [*self._steps, step][-self._history :]
        self._changes = [*self._changes, change][-self._history :]

    def _multiply(self, gradient: Tensor) -> Tensor:
        """The inverse Hessian's product with a vector, by the two loops of Nocedal & Wright, algorithm 7.4."""
        product, shares = gradient.clone(), []
        pairs = list(zip(self._steps, self._changes, strict=True))
        for step, change in reversed(pairs):
            shares.append((step @ product) / (step @ change))
            product -= shares[-1] * change
        if pairs:
            step, change = pairs[-1]
            product *= (step @ change) / (change @ change)
        for (step, change), share in zip(pairs, reversed(shares), strict=True):
            product += (share - (change @ product) / (step @ change)) * step
        return product


def search_line(evaluate: Line, value: float, slope: float, length: float) -> tuple[float, Tensor] | None:
    """A length under strong Wolfe's conditions, with its gradient, by widening and then halving a bracket.

    Nocedal & Wright, section 3.1. Where EVALUATIONS don't find one, the last that falls enough; None where none does.
    """
    low, low_value, high = 0.0, value, None
    fallen: tuple[float, Tensor] | None = None
    for _ in range(EVALUATIONS if slope < 0.0 else 0):
        new_value, new_slope, gradient = evaluate(length)
        if not new_value <= value + SUFFICIENT * length * slope or (low > 0.0 and new_value >= low_value):
            high = length  # too far; also for nan
        else:
            fallen = length, gradient
            if abs(new_slope) <= -FLATTER * slope:
                return fallen
            if new_slope > 0.0:
                high = length
            else:
                low, low_value = length, new_value
        length = 4.0 * length if high is None else (low + high) / 2
    return fallen
