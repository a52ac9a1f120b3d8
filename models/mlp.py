"""The multilayer perceptron (chapter 6): layers of hidden units, dropout, and an output unit by the task."""

from typing import Any

from torch import Generator, nn

from models.descent import Descent
from models.optimizers import Rule
from models.units import FIRST_BIAS, UNITS, Dense, Dropout, draw_weight


def build(
    *,
    seed: int,
    epochs: int,
    batch_size: int,
    hidden_layers: int,
    width: int,
    activation: str,
    slope: float,
    init: str,
    dropout: float,
    **rule: Any,  # the fields of Rule
) -> Descent:
    """[dense → unit → dropout] · hidden_layers → dense; the output's weights are Glorot's unless `init` is he."""

    def make_net(inputs: int, outputs: int, generator: Generator) -> nn.Module:
        layers: list[nn.Module] = []
        for _ in range(hidden_layers):
            weight = draw_weight(width, inputs, activation, slope, init, generator)
            layers += [Dense(weight, FIRST_BIAS.get(activation, 0.0)), UNITS[activation](width, slope)]
            if dropout:
                layers.append(Dropout(dropout, generator))
            inputs = width
        layers.append(Dense(draw_weight(outputs, inputs, "linear", slope, init, generator)))
        return nn.Sequential(*layers)  # (B, inputs) → (B, outputs)

    return Descent(make_net, Rule(**rule), epochs=epochs, batch_size=batch_size, seed=seed)
