"""First-order optimizers (chapter 8) on torch's fused kernels, penalties around each step, and learning-rate decay."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from models.checkpoint import part

Decay = Literal["none", "linear", "exponential", "step"]


@dataclass(frozen=True)
class Rule:
    """How parameters are moved along the gradient; the catalogue says what each number means."""

    learning_rate: float
    optimizer: Literal["sgd", "adam"] = "sgd"
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0
    l1: float = 0.0
    l2: float = 0.0
    learning_rate_decay: Decay = "none"
    decay_factor: float = 0.1
    decay_epochs: int = 20

    def rate(self, epoch: int) -> float:
        """The learning rate of an epoch, counted from 0; each decay has fallen by `decay_factor` at `decay_epochs`.

        Linear falls until then and stays; exponential falls on smoothly; step falls at each multiple (section 8.3.1).
        """
        passed = epoch / self.decay_epochs
        shares = {
            "none": 1.0,
            "linear": 1.0 - (1.0 - self.decay_factor) * min(passed, 1.0),
            "exponential": math.pow(self.decay_factor, passed),
            "step": math.pow(self.decay_factor, epoch // self.decay_epochs),
        }
        return self.learning_rate * shares[self.learning_rate_decay]


class Optimizer:
    """Steps by a rule. The penalties act on weights (two or more dimensions), never on biases or slopes."""

    def __init__(self, parameters: Iterable[Tensor], rule: Rule) -> None:
        self._rule = rule
        given = list(parameters)
        self._weights = [p for p in given if p.dim() >= 2]
        self._parameters = [*self._weights, *(p for p in given if p.dim() < 2)]  # torch counts group by group
        self._rate = rule.rate(0)
        # a gradient that stays moves 1 / (1 - momentum) as far as without; L1 must keep up or it would count for less
        self._reach = 1.0 / (1.0 - rule.momentum) if rule.optimizer == "sgd" else 1.0
        self._descent = _make_descent(self._groups(), rule)

    def start_epoch(self, epoch: int) -> None:
        """Sets the learning rate; to be called before each epoch's steps."""
        self._rate = self._rule.rate(epoch)
        for group in self._descent.param_groups:
            group["lr"] = self._rate

    def step(self) -> None:
        """One step along the parameters' gradients, which are then dropped."""
        if self._rule.weight_decay:
            self._shrink()
        self._descent.step()
        if self._rule.l1:
            self._threshold()
        for parameter in self._parameters:
            parameter.grad = None

    def state(self) -> dict[str, Tensor]:
        """Momenta and counts by flat names: `{index of the parameter}.{name}`."""
        per_parameter = self._descent.state_dict()["state"]
        return {f"{i}.{name}": t for i, own in per_parameter.items() for name, t in own.items() if t is not None}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """The inverse of `state`. Raises ValueError where a shape does not fit its parameter's."""
        for name, tensor in tensors.items():
            index, _, kind = name.partition(".")
            if tensor.dim() and tensor.shape != self._parameters[int(index)].shape:
                raise ValueError(f"the checkpoint does not fit: {kind} of parameter {index} is {tuple(tensor.shape)}")
        own = {i: part(tensors, str(i)) for i in range(len(self._parameters))}
        copies = {i: {name: t.clone() for name, t in state.items()} for i, state in own.items() if state}
        self._descent.load_state_dict({"state": copies, "param_groups": self._descent.state_dict()["param_groups"]})

    def _groups(self) -> list[dict[str, object]]:
        if not self._rule.l2:
            return [{"params": self._parameters}]
        rest = self._parameters[len(self._weights) :]
        return [{"params": self._weights, "weight_decay": self._rule.l2}, {"params": rest}]

    @torch.no_grad()
    def _shrink(self) -> None:
        """Decoupled weight decay (Loshchilov 2019): with Adam this is AdamW."""
        for weight in self._weights:
            weight.mul_(1.0 - self._rate * self._rule.weight_decay)

    @torch.no_grad()
    def _threshold(self) -> None:
        """The proximal step of an L1 penalty (section 7.1.2): towards zero, and exactly zero within a step's reach."""
        bound = self._rate * self._reach * self._rule.l1
        for weight in self._weights:
            weight.sub_(weight.clamp(-bound, bound))


def _make_descent(groups: list[dict[str, object]], rule: Rule) -> torch.optim.Optimizer:
    if rule.optimizer == "adam":
        return torch.optim.Adam(groups, lr=rule.learning_rate, fused=True)
    nesterov = rule.nesterov and rule.momentum > 0  # without momentum there is nothing to look ahead to
    return torch.optim.SGD(groups, lr=rule.learning_rate, momentum=rule.momentum, nesterov=nesterov, fused=True)
