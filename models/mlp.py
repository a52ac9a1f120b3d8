"""The multilayer perceptron (chapter 6): layers of hidden units, dropout, and an output unit by the task."""

from typing import Any

from torch import Generator, nn

from models.datasets import Schema
from models.descent import Descent, Training
from models.outputs import choose_output
from models.units import FIRST_BIAS, UNITS, Dense, Dropout, Flat, draw_weight


def build(
    *,
    seed: int,
    hidden_layers: int,
    width: int,
    activation: str,
    slope: float,
    init: str,
    dropout: float,
    **training: Any,  # the catalogue's DESCENT
) -> Descent:
    """[dense → unit → dropout] · hidden_layers → dense; the output's weights are Glorot's unless `init` is he."""

    def make_net(schema: Schema, generator: Generator) -> nn.Module:
        layers: list[nn.Module] = [Flat()]
        inputs = schema.size
        for _ in range(hidden_layers):
            weight = draw_weight(width, inputs, activation, slope, init, generator)
            layers += [Dense(weight, FIRST_BIAS.get(activation, 0.0)), UNITS[activation](width, slope)]
            if dropout:
                layers.append(Dropout(dropout, generator))
            inputs = width
        layers.append(Dense(draw_weight(choose_output(schema).width, inputs, "linear", slope, init, generator)))
        return nn.Sequential(*layers)  # (B, …) → (B, outputs)

    return Descent(make_net, Training.of(**training), seed=seed)
