"""Changed copies of the training examples, other ones at each step (section 7.4), and noise on the inputs (7.5).

Knows inputs only, never labels: each change must leave an example's label as it is.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor
from torch.nn import functional

from models.catalog import Form
from models.datasets import Part, Schema
from models.datasets.preprocessing import ChannelScaling

Change = Callable[[Tensor, Generator], Tensor]  # x (B, …) float → a new tensor of the same shape

FORMS: dict[str, tuple[Form, ...]] = {
    "flip": ("image",),
    "rotation": ("image",),
    "shift": ("image", "sequence"),
    "scaling": ("sequence", "table"),
    "input_noise": ("table", "image", "sequence"),
}


@dataclass(frozen=True)
class Augmentation:
    """How much the training examples are changed, as in the catalogue's DESCENT; zeros change nothing."""

    flip: bool = False
    rotation: float = 0.0
    shift: int = 0
    scaling: float = 0.0
    input_noise: float = 0.0

    def changes(self, schema: Schema) -> tuple[Change, ...]:
        """What is to be done to a batch's x, in order. Raises ValueError where one does not suit the data."""
        made: dict[str, Callable[[], Change]] = {
            "flip": lambda: flip,
            "rotation": lambda: around(dark(schema), lambda x, random: rotate(x, self.rotation, random)),
            "shift": lambda: _make_shift(schema, self.shift),
            "scaling": lambda: lambda x, random: scale(x, self.scaling, random),
            "input_noise": lambda: lambda x, random: add_noise(x, self.input_noise, random),
        }
        asked = [name for name in made if getattr(self, name)]
        for name in asked:
            _require(name, schema)
        return tuple(made[name]() for name in asked)


def augment(batch: Part, changes: tuple[Change, ...], generator: Generator) -> Part:
    """The batch with its x changed; the steps beyond a sequence's end stay zero."""
    x = batch.x
    for change in changes:
        x = change(x, generator)
    if batch.lengths is not None:
        x = x * (torch.arange(x.shape[1]) < batch.lengths[:, None])[:, :, None]
    return replace(batch, x=x)


def flip(x: Tensor, generator: Generator) -> Tensor:
    """Images (B, C, H, W), each with even odds mirrored left to right."""
    mirrored = torch.rand(len(x), generator=generator) < 0.5
    return torch.where(mirrored[:, None, None, None], x.flip(3), x)


def rotate(x: Tensor, degrees: float, generator: Generator) -> Tensor:
    """Images (B, C, H, W), each turned about its middle by a uniform angle up to `degrees` either way, bilinearly."""
    angle = (torch.rand(len(x), generator=generator) * 2.0 - 1.0) * math.radians(degrees)
    return turn(x, angle)


def turn(x: Tensor, angle: Tensor) -> Tensor:
    """Images (B, C, H, W), each turned clockwise by its angle (B,) in radians; what comes in is 0."""
    height, width = x.shape[2:]
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    # where in the old image each new pixel lies; both run from -1 to 1, so that unequal sides need their quotient
    across = torch.stack([cos, sin * (height / width), zero], dim=1)
    down = torch.stack([-sin * (width / height), cos, zero], dim=1)
    grid = functional.affine_grid(torch.stack([across, down], dim=1), list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def shift_images(x: Tensor, pixels: int, generator: Generator) -> Tensor:
    """Images (B, C, H, W), each moved by up to so many whole pixels, across and down; what comes in is 0."""
    height, width = x.shape[2:]
    down, across = torch.randint(2 * pixels + 1, (2, len(x)), generator=generator)
    padded = functional.pad(x, (pixels, pixels, pixels, pixels))
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)  # (B, C, 2 pixels + 1, 2 pixels + 1, H, W), a view
    return windows[torch.arange(len(x)), :, down, across]


def shift_sequences(x: Tensor, steps: int, generator: Generator) -> Tensor:
    """Sequences (B, T, F), each moved by up to so many steps, earlier or later; what comes in is 0."""
    moved = torch.randint(2 * steps + 1, (len(x),), generator=generator)
    windows = functional.pad(x, (0, 0, steps, steps)).unfold(1, x.shape[1], 1)  # (B, 2 steps + 1, F, T), a view
    return windows[torch.arange(len(x)), moved].transpose(1, 2).contiguous()


def scale(x: Tensor, deviation: float, generator: Generator) -> Tensor:
    """x (B, …), each example times a normal factor of mean 1."""
    factors = torch.empty(len(x)).normal_(1.0, deviation, generator=generator)
    return x * factors.reshape(-1, *[1] * (x.dim() - 1))


def add_noise(x: Tensor, deviation: float, generator: Generator) -> Tensor:
    """x (B, …) plus independent normal noise."""
    return x + torch.empty_like(x).normal_(0.0, deviation, generator=generator)


def dark(schema: Schema) -> Tensor:
    """What a raw zero, an image's black, has become by preprocessing: (C, 1, 1)."""
    scaling = schema.preprocessing
    if not isinstance(scaling, ChannelScaling):
        return torch.zeros(1, 1, 1)
    return -(torch.tensor(scaling.means) / torch.tensor(scaling.deviations))[:, None, None]


def around(middle: Tensor, change: Change) -> Change:
    """The same change, of differences from `middle`: what it fills with zero becomes that."""
    return lambda x, generator: change(x - middle, generator) + middle


def _make_shift(schema: Schema, most: int) -> Change:
    if schema.task == "labelling":
        raise ValueError("shift would part the steps of a sequence from their classes")
    sizes = schema.shape[1:] if schema.form == "image" else schema.shape[:1]
    if most >= min(sizes):
        raise ValueError(f"shift must be less than {min(sizes)}, lest nothing be left of an example, not {most}")
    if schema.form == "image":
        return around(dark(schema), lambda x, random: shift_images(x, most, random))
    return lambda x, random: shift_sequences(x, most, random)


def _require(name: str, schema: Schema) -> None:
    if schema.form not in FORMS[name]:
        kinds = [f"{form}s" for form in FORMS[name]]
        listed = " or ".join([", ".join(kinds[:-1]), kinds[-1]] if kinds[1:] else kinds)
        raise ValueError(f"{name} needs {listed}, not {schema.form}")
