"""First-order optimizers (chapter 8) on torch's fused kernels, penalties around each step, and learning-rate decay.

The kernels are called directly: `torch.optim` loads torch's compiler at its first step, a second and a half of each
training process, and its bookkeeping costs a small net a tenth of every step.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

Decay = Literal["none", "linear", "exponential", "step"]
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # of Adam (Kingma 2015)


@dataclass(frozen=True)
class Rule:
    """How parameters are moved along the gradient; the catalogue says what each number means."""

    learning_rate: float
    optimizer: Literal["sgd", "adam", "adamw", "lbfgs", "newton"] = "sgd"
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0
    l1: float = 0.0
    l2: float = 0.0
    clip_norm: float = 0.0
    clip_value: float = 0.0
    damping: float = 1e-3
    history: int = 10
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

    @property
    def penalty(self) -> float:
        """The L2 penalty that is part of the gradient; sgd and adamw keep the weight decay apart from it."""
        return self.l2 + (0.0 if self.optimizer in ("sgd", "adamw") else self.weight_decay)


class Descending(Protocol):
    """What moves parameters downhill. It holds the parameters' tensors, so they must stay the same ones."""

    takes_all: bool  # whether a step asks for the whole training part instead of a mini-batch

    def start_epoch(self, epoch: int) -> None:
        """To be called before each epoch's steps."""

    def descend(self, loss: Callable[[], Tensor]) -> None:
        """One step; `loss` gives the same scalar with a new graph each time it is called."""

    def state(self) -> dict[str, Tensor]:
        """What further steps depend on, by flat names."""

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """The inverse of `state`. Raises ValueError where a shape does not fit."""


class Optimizer:
    """Steps by a first-order rule. The penalties act on weights (two or more dimensions), never on biases or slopes."""

    takes_all = False

    def __init__(self, parameters: Iterable[Tensor], rule: Rule) -> None:
        self._rule = rule
        given = list(parameters)
        weights = [p for p in given if p.dim() >= 2]
        self._parameters = [*weights, *(p for p in given if p.dim() < 2)]
        self._values = [p.detach() for p in self._parameters]  # the same storage, which may be written to
        self._weights = self._values[: len(weights)]
        self._rate = rule.rate(0)
        # a gradient that stays moves 1 / (1 - momentum) as far as without; L1 must keep up or it would count for less
        self._reach = 1.0 / (1.0 - rule.momentum) if rule.optimizer == "sgd" else 1.0
        self._slots = {name: self._empty(name) for name in _slots(rule)}

    def start_epoch(self, epoch: int) -> None:
        """Sets the learning rate; to be called before each epoch's steps."""
        self._rate = self._rule.rate(epoch)

    def descend(self, loss: Callable[[], Tensor]) -> None:
        """One step along the gradient of that loss."""
        torch.autograd.backward(loss())
        self.step()

    def step(self) -> None:
        """One step along the parameters' gradients, which are then dropped."""
        rule, count = self._rule, len(self._parameters)
        given = [p.grad for p in self._parameters]
        moved = [i for i in range(count) if given[i] is not None]
        grads = [g for g in given if g is not None]
        if rule.clip_value or rule.clip_norm:
            clip(grads, rule.clip_value, rule.clip_norm)
        if rule.weight_decay and rule.optimizer != "adam":
            # decoupled weight decay (Loshchilov 2019): with Adam this is AdamW
            torch._foreach_mul_(self._weights, 1.0 - self._rate * rule.weight_decay)
        weights = sum(i < len(self._weights) for i in moved) if rule.penalty else 0
        if weights:
            self._move(moved[:weights], grads[:weights], rule.penalty)
        self._move(moved[weights:], grads[weights:], 0.0)
        if rule.l1:
            self._threshold()
        for parameter in self._parameters:
            parameter.grad = None

    def state(self) -> dict[str, Tensor]:
        """Momenta and counts by flat names: `{index of the parameter, weights first}.{name}`."""
        return {f"{i}.{name}": tensor for name, tensors in self._slots.items() for i, tensor in enumerate(tensors)}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """The inverse of `state`. Raises ValueError where a name or shape does not fit."""
        own = self.state()
        for name, tensor in tensors.items():
            index, _, kind = name.partition(".")
            if name not in own or tensor.shape != own[name].shape:
                raise ValueError(f"the checkpoint does not fit: {kind} of parameter {index} is {tuple(tensor.shape)}")
        for name, slot in own.items():
            slot.copy_(tensors[name]) if name in tensors else slot.zero_()

    def _move(self, which: Sequence[int], grads: list[Tensor], penalty: float) -> None:
        """The rule's step on some parameters, by torch's fused kernel."""
        if not grads:
            return
        values, slots = self._values, {name: [own[i] for i in which] for name, own in self._slots.items()}
        chosen = [values[i] for i in which]
        if self._rule.optimizer == "sgd":
            momentum, buffers = self._rule.momentum, slots.get("momentum_buffer", [])
            nesterov = self._rule.nesterov and momentum > 0  # without momentum there is nothing to look ahead to
            torch._fused_sgd_(
                chosen,
                grads,
                buffers,
                weight_decay=penalty,
                momentum=momentum,
                lr=self._rate,
                dampening=0.0,
                nesterov=nesterov,
                maximize=False,
                is_first_step=False,
            )
        else:
            torch._foreach_add_(slots["step"], 1.0)
            torch._fused_adam_(
                chosen,
                grads,
                slots["exp_avg"],
                slots["exp_avg_sq"],
                [],
                slots["step"],
                lr=self._rate,
                beta1=BETA1,
                beta2=BETA2,
                weight_decay=penalty,
                eps=EPSILON,
                amsgrad=False,
                maximize=False,
            )

    def _threshold(self) -> None:
        """The proximal step of an L1 penalty (section 7.1.2): towards zero, and exactly zero within a step's reach."""
        bound = self._rate * self._reach * self._rule.l1
        for weight in self._weights:
            weight.sub_(weight.clamp(-bound, bound))

    def _empty(self, slot: str) -> list[Tensor]:
        return [torch.zeros(()) if slot == "step" else torch.zeros_like(value) for value in self._values]


def _slots(rule: Rule) -> tuple[str, ...]:
    """What a rule remembers of each parameter, by torch's names."""
    if rule.optimizer == "sgd":
        return ("momentum_buffer",) if rule.momentum else ()
    return "step", "exp_avg", "exp_avg_sq"


def clip(grads: list[Tensor], value: float, norm: float) -> None:
    """Clips each entry to ±value, then all to a joint Euclidean norm (section 10.11.1), in place; 0 is no limit."""
    if value:
        torch._foreach_clamp_min_(grads, -value)
        torch._foreach_clamp_max_(grads, value)
    if norm and (total := torch.stack(torch._foreach_norm(grads)).norm().item()) > norm:
        torch._foreach_mul_(grads, norm / total)
