"""What autoencoders are made of (chapter 14): layers with a unit, corruptions of the input, penalties on codes."""

from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from models.units import FIRST_BIAS, UNITS, Dense, Noise, draw_weight

# g'(z) of the units that act on each number by itself, from h = g(z)
SLOPES: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": torch.ones_like,
    "relu": lambda h: (h > 0).to(h),
    "tanh": lambda h: 1.0 - h * h,
    "sigmoid": lambda h: h * (1.0 - h),
    "softplus": lambda h: -torch.expm1(-h),
}
MARGIN = 1e-6  # mean activities are kept off 0 and 1, where the divergence is infinite


class Layer(nn.Module):
    """A dense layer and its unit, (B, inputs) → (B, outputs)."""

    def __init__(self, inputs: int, outputs: int, unit: str, generator: Generator, *, slope: float = 0.0) -> None:
        super().__init__()
        self.unit_name = unit
        self.dense = Dense(draw_weight(outputs, inputs, unit, slope, "auto", generator), FIRST_BIAS.get(unit, 0.0))
        self.unit = nn.Identity() if unit == "linear" else UNITS[unit](outputs, slope)

    def forward(self, x: Tensor) -> Tensor:
        h: Tensor = self.unit(self.dense(x))
        return h


class TiedLayer(nn.Module):
    """The way back through a layer by its own weights, transposed: (B, outputs) → (B, inputs)."""

    def __init__(self, layer: Layer, unit: str) -> None:
        super().__init__()
        self.weight = layer.dense.weight  # (outputs, inputs), learned once
        self.bias = nn.Parameter(torch.full((self.weight.shape[1],), FIRST_BIAS.get(unit, 0.0)))
        self.unit = nn.Identity() if unit == "linear" else UNITS[unit](self.weight.shape[1], 0.0)

    def forward(self, h: Tensor) -> Tensor:
        x: Tensor = self.unit(functional.linear(h, self.weight.T, self.bias))
        return x


class Masking(nn.Module):
    """Sets that share of the numbers to 0, which is the mean of standardized data, in training.

    From a generator of its own, so that a resumed run repeats it.
    """

    def __init__(self, share: float, generator: Generator) -> None:
        super().__init__()
        self._share, self._generator = share, generator

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        return torch.empty_like(x).bernoulli_(1.0 - self._share, generator=self._generator).mul_(x)


CORRUPTIONS: dict[str, Callable[[float, Generator], nn.Module]] = {"gaussian": Noise, "masking": Masking}


def corrupt(kind: str, noise: float, generator: Generator) -> nn.Module:
    """The corruption of that kind and strength; nothing for no noise."""
    return CORRUPTIONS[kind](noise, generator) if noise else nn.Identity()


def l1_penalty(code: Tensor) -> Tensor:
    """Ω(h) = Σ |hᵢ|, the mean over examples (section 14.2.1)."""
    return code.abs().sum(dim=1).mean()


def kl_penalty(code: Tensor, activity: float) -> Tensor:
    """Σ KL(ρ ‖ mean of hᵢ over the examples) for codes between 0 and 1 and the wanted mean activity ρ (Ng 2011)."""
    mean = code.mean(dim=0).clamp(MARGIN, 1.0 - MARGIN)
    wanted = torch.full_like(mean, activity)
    return (wanted * (wanted / mean).log() + (1.0 - wanted) * ((1.0 - wanted) / (1.0 - mean)).log()).sum()


def contractive_penalty(layers: Sequence[Layer], activations: Sequence[Tensor]) -> Tensor:
    """‖∂f(x)/∂x‖²_F, the mean over examples (section 14.7; Rifai 2011); exact for any depth.

    `activations` are the layers' outputs of the same x, the code last. One layer: Σⱼ g'(zⱼ)² ‖Wⱼ‖². Deeper ones
    multiply the Jacobians of the layers from the code downwards, (B, code, width) each; the first layer enters by its
    Gram matrix W Wᵀ, so that no Jacobian is as wide as the input.
    """
    weights = [layer.dense.weight for layer in layers]
    slopes = [SLOPES[layer.unit_name](h) for layer, h in zip(layers, activations, strict=True)]
    if len(layers) == 1:
        return (slopes[0].square() @ weights[0].square().sum(dim=1)).mean()
    jacobian = slopes[-1][:, :, None] * weights[-1]  # (B, code, width): of the code by the last hidden layer
    for slope, weight in zip(reversed(slopes[1:-1]), reversed(weights[1:-1]), strict=True):
        jacobian = (jacobian * slope[:, None, :]) @ weight
    jacobian = jacobian * slopes[0][:, None, :]
    return ((jacobian @ (weights[0] @ weights[0].T)) * jacobian).sum(dim=(1, 2)).mean()
