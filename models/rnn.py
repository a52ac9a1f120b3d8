"""Recurrent nets over sequences (chapter 10): stacked cells, in one direction of time or both, and a readout."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from models.cells import Recurrence
from models.datasets import Schema
from models.descent import Descent, Training
from models.goals import Supervised
from models.outputs import choose_output
from models.units import Dense, Dropout, draw_weight


class Layer(nn.Module):
    """A cell over a sequence and, where it has a second, one from the end to the start: (B, T, F) → (B, T, D·H).

    Of a sequence with a length of its own, the second starts at its own last step; what is beyond never matters.
    """

    def __init__(self, onwards: Recurrence, backwards: Recurrence | None = None) -> None:
        super().__init__()
        self.onwards, self.backwards = onwards, backwards

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        return self.join(self.onwards(x)[0], x, lengths)

    def join(self, h: Tensor, x: Tensor, lengths: Tensor | None) -> Tensor:
        """The states (B, T, H) of the first direction with those of the second, step by step."""
        if self.backwards is None:
            return h
        later, _ = self.backwards(reverse(x, lengths))
        return torch.cat([h, reverse(later, lengths)], dim=2)


def reverse(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Sequences (B, T, F) from the last of their own steps to the first; what is beyond stays where it is."""
    if lengths is None:
        return x.flip(1)
    steps = torch.arange(x.shape[1])
    mirrored = lengths[:, None] - 1 - steps
    return x.gather(1, torch.where(mirrored >= 0, mirrored, steps)[:, :, None].expand_as(x))


def read_last(h: Tensor, lengths: Tensor | None, size: int) -> Tensor:
    """Each direction's last state: the first's at the sequence's own last step, the second's at the first step."""
    onwards = h[:, -1, :size] if lengths is None else h[torch.arange(len(h)), lengths - 1, :size]
    return onwards if h.shape[2] == size else torch.cat([onwards, h[:, 0, size:]], dim=1)


def read_mean(h: Tensor, lengths: Tensor | None, size: int) -> Tensor:
    """The mean over the sequence's own steps."""
    return h.mean(dim=1) if lengths is None else _within(h, lengths, 0.0).sum(dim=1) / lengths[:, None]


def read_max(h: Tensor, lengths: Tensor | None, size: int) -> Tensor:
    """Each unit's greatest value over the sequence's own steps."""
    return (h if lengths is None else _within(h, lengths, -torch.inf)).amax(dim=1)


def read_all(h: Tensor, lengths: Tensor | None, size: int) -> Tensor:
    """The states of all steps side by side (B, T·D·H), zero beyond the sequence's end."""
    return (h if lengths is None else _within(h, lengths, 0.0)).flatten(1)


def _within(h: Tensor, lengths: Tensor, beyond: float) -> Tensor:
    return h.masked_fill((torch.arange(h.shape[1]) >= lengths[:, None])[:, :, None], beyond)


# (states (B, T, D·H), lengths (B,), H) → what the output layer sees
Readout = Callable[[Tensor, Tensor | None, int], Tensor]
READOUTS: dict[str, Readout] = {"last": read_last, "mean": read_mean, "max": read_max, "all": read_all}


class RecurrentNet(nn.Module):
    """Layers, then a readout and a dense layer: (B, T, F) → (B, outputs); without a readout (B, T, outputs).

    An image (B, C, H, W) is a sequence of its H rows, of C·W numbers each.
    """

    def __init__(self, layers: list[Layer], dropout: Dropout | None, readout: Readout | None, output: Dense) -> None:
        super().__init__()
        self.below, self.top, self.output = nn.ModuleList(layers[:-1]), layers[-1], output
        self._dropout, self._readout = dropout, readout

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        return self.leave(self.top(self.enter(x, lengths), lengths), lengths)

    def enter(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """What the top layer sees (B, T, F')."""
        h = x if x.dim() == 3 else x.transpose(1, 2).flatten(2)
        for layer in self.below:
            h = layer(h, lengths)
            h = h if self._dropout is None else self._dropout(h)
        return h

    def leave(self, h: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The outputs, from the top layer's states (B, T, D·H)."""
        if self._readout is not None:
            h = self._readout(h, lengths, self.top.onwards.size)
        outputs: Tensor = self.output(h)
        return outputs


def build(
    *,
    seed: int,
    cell: str,
    nonlinearity: str,
    hidden_size: int,
    layers: int,
    bidirectional: bool,
    readout: str,
    dropout: float,
    init: str,
    forget_bias: float,
    **training: Any,  # the catalogue's DESCENT
) -> Descent:
    """[layer → dropout] · (layers - 1) → layer → readout → dense; labelling has no readout, but an output each step."""
    kind = "relu_rnn" if (cell, nonlinearity) == ("rnn", "relu") else cell
    width = hidden_size * (2 if bidirectional else 1)

    def make_net(schema: Schema, generator: Generator) -> RecurrentNet:
        def make_cell(inputs: int) -> Recurrence:
            return Recurrence(kind, inputs, hidden_size, generator, init=init, forget=forget_bias)

        def make_layer(inputs: int) -> Layer:
            return Layer(make_cell(inputs), make_cell(inputs) if bidirectional else None)

        steps, features = as_steps(schema.shape)
        stack = [make_layer(features), *(make_layer(width) for _ in range(layers - 1))]
        read = None if schema.task == "labelling" else READOUTS[readout]
        seen = width * (steps if read is read_all else 1)
        weight = draw_weight(choose_output(schema).width, seen, "linear", 0.0, "glorot", generator)
        return RecurrentNet(stack, Dropout(dropout, generator) if dropout else None, read, Dense(weight))

    settings = Training.of(**training)

    def make_goal(schema: Schema) -> Supervised:
        return settings.supervise(schema, with_lengths=True)

    return Descent(make_net, settings, seed=seed, make_goal=make_goal)


def as_steps(shape: tuple[int, ...]) -> tuple[int, int]:
    """Steps and features of one example: (T, F), or of an image (C, H, W) its H rows of C·W."""
    if len(shape) == 2:
        return shape[0], shape[1]
    channels, rows, columns = shape
    return rows, channels * columns


def gradient_norms(net: RecurrentNet, x: Tensor, y: Tensor) -> Tensor:
    """How much of the loss's gradient reaches each step of x (B, T, F): (T,) norms over the examples.

    Of the gradient by the state after the step, in the top layer's first direction: h, or the LSTM's s. y (B,) are
    numbers, for the squared error, or classes of a softmax output. The cells are unrolled by their equations.
    """
    below = net.enter(x)
    states = net.top.onwards.unroll(below)
    outputs = net.leave(net.top.join(torch.stack([state[0] for state in states], dim=1), below, None))
    loss = functional.mse_loss(outputs[:, 0], y) if y.is_floating_point() else functional.cross_entropy(outputs, y)
    carried = torch.autograd.grad(loss, [state[-1] for state in states])
    norms: Tensor = torch.linalg.vector_norm(torch.stack(carried), dim=(1, 2))
    return norms
