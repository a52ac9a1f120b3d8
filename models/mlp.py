"""The multilayer perceptron (chapter 6): layers of hidden units, dropout, and an output unit by the task."""

from typing import Any

from torch import Generator, nn

from models.datasets import Schema
from models.descent import Descent, Training
from models.goals import Supervised
from models.outputs import choose_output
from models.units import FIRST_BIAS, UNITS, Dense, Dropout, Flat, Noise, draw_weight
from models.windows import Windowed


def build(
    *,
    seed: int,
    hidden_layers: int,
    width: int,
    activation: str,
    slope: float,
    init: str,
    dropout: float,
    hidden_noise: float,
    window: int,
    **training: Any,  # the catalogue's DESCENT
) -> Descent:
    """[dense → unit → noise → dropout] · hidden_layers → dense; the output's weights are Glorot's unless `init` is he.

    Of a sequence all steps at once, or a window of them: the last, or where each step has a label, the one before each.
    """

    def make_net(schema: Schema, generator: Generator) -> nn.Module:
        layers: list[nn.Module] = [Flat()]
        steps = _window(schema, window)
        inputs = steps * schema.shape[1] if steps else schema.size
        for _ in range(hidden_layers):
            weight = draw_weight(width, inputs, activation, slope, init, generator)
            layers += [Dense(weight, FIRST_BIAS.get(activation, 0.0)), UNITS[activation](width, slope)]
            if hidden_noise:
                layers.append(Noise(hidden_noise, generator))
            if dropout:
                layers.append(Dropout(dropout, generator))
            inputs = width
        layers.append(Dense(draw_weight(choose_output(schema).width, inputs, "linear", slope, init, generator)))
        net = nn.Sequential(*layers)  # (B, …) → (B, outputs)
        return Windowed(net, steps, at_each=schema.task == "labelling") if steps else net

    settings = Training.of(**training)

    def make_goal(schema: Schema) -> Supervised:
        return settings.supervise(schema, with_lengths=_window(schema, window) > 0)

    return Descent(make_net, settings, seed=seed, make_goal=make_goal)


def _window(schema: Schema, asked: int) -> int:
    """The steps of the window; 0 where all of an example is seen at once."""
    if schema.form != "sequence":
        return 0
    return asked or (schema.shape[0] if schema.task == "labelling" else 0)
