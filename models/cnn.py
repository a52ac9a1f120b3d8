"""The convolutional net (chapter 9): blocks of convolutions and a pooling, then fully connected layers.

Images and sequences take one way: a sequence is a map of height 1. Maps lie channels-last in memory, which is what the
processor's convolutions are fastest on; hence the weights' order.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from models.datasets import Schema
from models.descent import Descent, Training
from models.outputs import choose_output
from models.units import FIRST_BIAS, UNITS, Dense, Dropout, draw_weight

Size = tuple[int, int]  # height, width


def build(
    *,
    seed: int,
    blocks: int,
    convolutions: int,
    filters: int,
    filter_growth: float,
    filter_size: int,
    stride: int,
    padding: Literal["same", "valid"],
    pooling: Literal["max", "average", "none"],
    pool_size: int,
    fc_layers: int,
    fc_width: int,
    activation: str,
    slope: float,
    init: str,
    dropout: float,
    **training: Any,  # the catalogue's DESCENT
) -> Descent:
    """[[convolution → unit]·convolutions → pooling]·blocks → [dropout → dense → unit]·fc_layers → dropout → dense.

    With `pooling` none a block's last convolution strides by pool_size in its place (Springenberg 2015). A trial whose
    filter does not fit its map fails before the first epoch, by ValueError; that takes padding valid.
    """

    def make_net(schema: Schema, generator: Generator) -> nn.Module:
        chain = Chain(schema, Drawing(activation, slope, init, generator))
        for block in range(blocks):
            width = max(1, round(filters * filter_growth**block))
            for turn in range(convolutions):
                in_place = pool_size if pooling == "none" and turn == convolutions - 1 else 1
                step = (stride if turn == 0 else 1) * in_place
                chain.convolve(width, filter_size, step, padding, f"convolution {turn + 1} of block {block + 1}")
            if pooling != "none":
                chain.pool(pooling, pool_size)
        layers = [*chain.layers, Features()]
        inputs = chain.channels * math.prod(chain.size)
        for _ in range(fc_layers):
            layers += [*_drop(dropout, generator), *chain.drawing.dense(fc_width, inputs)]
            inputs = fc_width
        weight = draw_weight(choose_output(schema).width, inputs, "linear", slope, init, generator)
        return nn.Sequential(*layers, *_drop(dropout, generator), Dense(weight))  # (B, …) → (B, outputs)

    return Descent(make_net, Training.of(**training), seed=seed)


@dataclass(frozen=True)
class Drawing:
    """Layers of one kind of unit, with first weights from a generator."""

    activation: str
    slope: float
    init: str
    generator: Generator

    def convolution(self, outputs: int, channels: int, window: Size, step: Size, edges: Size) -> list[nn.Module]:
        area = math.prod(window)
        weight = draw_weight(
            outputs, area * channels, self.activation, self.slope, self.init, self.generator, fan_out=area * outputs
        )
        layer = Convolution(weight.reshape(outputs, *window, channels), self._bias, step, edges)
        return [layer, UNITS[self.activation](outputs, self.slope)]

    def dense(self, outputs: int, inputs: int) -> list[nn.Module]:
        weight = draw_weight(outputs, inputs, self.activation, self.slope, self.init, self.generator)
        return [Dense(weight, self._bias), UNITS[self.activation](outputs, self.slope)]

    @property
    def _bias(self) -> float:
        return FIRST_BIAS.get(self.activation, 0.0)


class Chain:
    """The convolutional part while it grows: its layers, and the channels and size of the maps that they give."""

    def __init__(self, schema: Schema, drawing: Drawing) -> None:
        self.drawing = drawing
        self.layers: list[nn.Module] = [Images() if schema.form == "image" else Sequences()]
        if schema.form == "image":
            self.channels, self.size = schema.shape[0], (schema.shape[1], schema.shape[2])
        else:
            self.channels, self.size = schema.shape[1], (1, schema.shape[0])
        self._is_flat = schema.form == "sequence"

    def convolve(self, filters: int, size: int, stride: int, padding: str, where: str) -> None:
        window, step = self._across(size), self._across(stride)
        if padding == "valid" and any(s < w for s, w in zip(self.size, window, strict=True)):
            raise ValueError(
                f"{where}: a filter of {self._say(window)} is larger than its input of {self._say(self.size)}; "
                "take padding same, a smaller filter_size, stride or pool_size, or fewer blocks"
            )
        edges = (window[0] - 1, window[1] - 1) if padding == "same" else (0, 0)
        self.layers += self.drawing.convolution(filters, self.channels, window, step, edges)
        self.channels = filters
        height, width = (self.size[axis] + edges[axis] - window[axis] for axis in (0, 1))
        self.size = (height // step[0] + 1, width // step[1] + 1)

    def pool(self, pooling: str, size: int) -> None:
        """Windows side by side; the last may hang over the edge, where only what is there counts."""
        window = self._across(size)
        kind = nn.MaxPool2d if pooling == "max" else nn.AvgPool2d
        self.layers.append(kind(window, ceil_mode=True))
        self.size = (-(-self.size[0] // window[0]), -(-self.size[1] // window[1]))

    def _across(self, number: int) -> Size:
        return (1 if self._is_flat else number, number)

    def _say(self, size: Size) -> str:
        return f"{size[1]} steps" if self._is_flat else f"{size[0]} x {size[1]}"


class Images(nn.Module):
    """Images (B, C, H, W) as maps: the same numbers, channels-last."""

    def forward(self, x: Tensor) -> Tensor:
        return x.contiguous(memory_format=torch.channels_last)


class Sequences(nn.Module):
    """Sequences (B, T, F) as maps (B, F, 1, T), channels-last as they are."""

    def forward(self, x: Tensor) -> Tensor:
        return x.transpose(1, 2)[:, :, None]


class Convolution(nn.Module):
    """Cross-correlation (section 9.1) of maps (B, C, H, W) with zeros around, `edges` rows and columns in all."""

    def __init__(self, weight: Tensor, bias: float, stride: Size, edges: Size) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)  # (filters, height, width, C)
        self.bias = nn.Parameter(torch.full((len(weight),), bias))
        self._stride, self._edges = stride, edges

    def forward(self, x: Tensor) -> Tensor:
        around = (self._edges[0] // 2, self._edges[1] // 2)
        if self._edges[0] % 2 or self._edges[1] % 2:  # an even filter: one row and column more after than before
            x = functional.pad(x, (0, self._edges[1] % 2, 0, self._edges[0] % 2))
        return functional.conv2d(x, self.weight.permute(0, 3, 1, 2), self.bias, self._stride, around)


class Features(nn.Module):
    """Maps (B, C, H, W) as plain features (B, H · W · C), in the order in which they lie in memory."""

    def forward(self, maps: Tensor) -> Tensor:
        return maps.permute(0, 2, 3, 1).flatten(1)


def _drop(share: float, generator: Generator) -> list[nn.Module]:
    return [Dropout(share, generator)] if share else []
