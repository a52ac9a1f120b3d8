"""Hidden units (chapter 6.3) and the first weights that suit each (He 2015; Glorot 2010)."""

import math
from collections.abc import Callable

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional


class Absolute(nn.Module):
    """Absolute value rectification: g(z) = max(0, z) - min(0, z)."""

    def forward(self, z: Tensor) -> Tensor:
        return z.abs()


# by name: (width, slope) → a module (B, width) → (B, width); slope is α below zero, in max(0, z) + α min(0, z)
UNITS: dict[str, Callable[[int, float], nn.Module]] = {
    "relu": lambda width, slope: nn.ReLU(),
    "leaky_relu": lambda width, slope: nn.LeakyReLU(slope),
    "prelu": lambda width, slope: nn.PReLU(width, init=slope),
    "absolute": lambda width, slope: Absolute(),
    "tanh": lambda width, slope: nn.Tanh(),
    "sigmoid": lambda width, slope: nn.Sigmoid(),
    "softplus": lambda width, slope: nn.Softplus(),
    "hard_tanh": lambda width, slope: nn.Hardtanh(),
    "softmax": lambda width, slope: nn.Softmax(dim=1),
}
FIRST_BIAS = {"relu": 0.1}  # small and positive, so that the unit starts active for most inputs (section 6.3.1)


class Flat(nn.Module):
    """Examples of any form as plain features: (B, …) → (B, inputs)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)


class Dense(nn.Module):
    """An affine layer (B, inputs) → (B, outputs)."""

    def __init__(self, weight: Tensor, bias: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)  # (outputs, inputs)
        self.bias = nn.Parameter(torch.full((len(weight),), bias))

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.weight, self.bias)


class Dropout(nn.Module):
    """Inverted dropout (section 7.12) with masks from a generator of its own, so that a resumed run repeats them."""

    def __init__(self, share: float, generator: Generator) -> None:
        super().__init__()
        self._kept = 1.0 - share
        self._generator = generator

    def forward(self, h: Tensor) -> Tensor:
        if not self.training:
            return h
        mask = torch.empty_like(h).bernoulli_(self._kept, generator=self._generator)
        return h * mask.div_(self._kept)


class Noise(nn.Module):
    """Gaussian noise on hidden units in training (section 7.5), from a generator of its own as dropout's."""

    def __init__(self, deviation: float, generator: Generator) -> None:
        super().__init__()
        self._deviation = deviation
        self._generator = generator

    def forward(self, h: Tensor) -> Tensor:
        if not self.training:
            return h
        return h + torch.empty_like(h).normal_(0.0, self._deviation, generator=self._generator)


def draw_weight(
    outputs: int, inputs: int, unit: str, slope: float, init: str, generator: Generator, *, fan_out: int = 0
) -> Tensor:
    """Normal weights (outputs, inputs) that keep the signal's size: He's where `init` or the unit ask for it.

    `fan_out` is how many outputs an input reaches, where weights are shared; 0 stands for `outputs`.
    """
    slopes = {"relu": 0.0, "softplus": 0.0, "leaky_relu": slope, "prelu": slope, "absolute": -1.0}
    if init == "he" or (init == "auto" and unit in slopes):
        variance = 2.0 / ((1.0 + slopes.get(unit, 0.0) ** 2) * max(inputs, 1))
    else:
        variance = 2.0 / (inputs + (fan_out or outputs))
    return torch.empty(outputs, inputs).normal_(0.0, math.sqrt(variance), generator=generator)
