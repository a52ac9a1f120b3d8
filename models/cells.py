"""Recurrent cells (chapter 10): vanilla RNN, LSTM and GRU, step by step as their equations say, or by torch's kernels.

A cell's weights are stacked gate by gate: `W` (G·H, F) sees the step, `U` (G·H, H) the state before it, `b` (G·H,).
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from models.units import draw_weight

State = tuple[Tensor, ...]  # what goes from step to step: (h,), the LSTM's (h, s); each (B, H)


class Weights(NamedTuple):
    """Of one cell, in the order that its equations name the gates."""

    W: Tensor
    U: Tensor
    b: Tensor


Step = Callable[[Tensor, State, Weights], State]  # x_t (B, F) and the state before → the state after


def step_rnn(x: Tensor, state: State, weights: Weights) -> State:
    """h_t = tanh(W x_t + U h_{t-1} + b)."""
    (h,) = state
    return (torch.tanh(functional.linear(x, weights.W, weights.b) + functional.linear(h, weights.U)),)


def step_relu_rnn(x: Tensor, state: State, weights: Weights) -> State:
    """h_t = max(0, W x_t + U h_{t-1} + b)."""
    (h,) = state
    return (torch.relu(functional.linear(x, weights.W, weights.b) + functional.linear(h, weights.U)),)


def step_lstm(x: Tensor, state: State, weights: Weights) -> State:
    """s_t = f * s_{t-1} + i * g and h_t = o * tanh(s_t), of input gate, forget gate, candidate and output gate.

    i, f, o = sigmoid(W x_t + U h_{t-1} + b) and g = tanh(W x_t + U h_{t-1} + b), each with weights of its own.
    """
    h, s = state
    i, f, g, o = (functional.linear(x, weights.W, weights.b) + functional.linear(h, weights.U)).chunk(4, dim=1)
    s = f.sigmoid() * s + i.sigmoid() * g.tanh()
    return o.sigmoid() * s.tanh(), s


def step_gru(x: Tensor, state: State, weights: Weights) -> State:
    """h_t = (1 - u) * h_{t-1} + u * g, of reset gate, update gate and candidate.

    r, u = sigmoid(W x_t + U h_{t-1} + b) and g = tanh(W x_t + r * U h_{t-1} + b), each with weights of its own.
    """
    (h,) = state
    r_x, u_x, g_x = functional.linear(x, weights.W, weights.b).chunk(3, dim=1)
    r_h, u_h, g_h = functional.linear(h, weights.U).chunk(3, dim=1)
    u = (u_x + u_h).sigmoid()
    g = torch.tanh(g_x + (r_x + r_h).sigmoid() * g_h)
    return ((1.0 - u) * h + u * g,)


# torch's kernel over a whole sequence: (x, state with a first axis of one layer, weights with two biases, training)
# → the h of each step, then the last state
Kernel = Callable[[Tensor, State, list[Tensor], bool], tuple[Tensor, ...]]


def _run_rnn(x: Tensor, state: State, weights: list[Tensor], training: bool) -> tuple[Tensor, ...]:
    return torch.rnn_tanh(x, state[0], weights, True, 1, 0.0, training, False, True)


def _run_relu_rnn(x: Tensor, state: State, weights: list[Tensor], training: bool) -> tuple[Tensor, ...]:
    return torch.rnn_relu(x, state[0], weights, True, 1, 0.0, training, False, True)


def _run_lstm(x: Tensor, state: State, weights: list[Tensor], training: bool) -> tuple[Tensor, ...]:
    return torch.lstm(x, state, weights, True, 1, 0.0, training, False, True)


def _run_gru(x: Tensor, state: State, weights: list[Tensor], training: bool) -> tuple[Tensor, ...]:
    return torch.gru(x, state[0], weights, True, 1, 0.0, training, False, True)


class Cell(NamedTuple):
    """A kind of cell. `signs` says for each gate whether torch's kernel takes the same weights or the negated ones.

    `keeping` has 1 for a gate that, when open, keeps the old state, -1 for one that lets the new in.
    """

    step: Step
    kernel: Kernel
    signs: tuple[float, ...]
    keeping: tuple[float, ...]
    states: int = 1


CELLS: dict[str, Cell] = {
    "rnn": Cell(step_rnn, _run_rnn, (1.0,), (0.0,)),
    "relu_rnn": Cell(step_relu_rnn, _run_relu_rnn, (1.0,), (0.0,)),
    "lstm": Cell(step_lstm, _run_lstm, (1.0, 1.0, 1.0, 1.0), (-1.0, 1.0, 0.0, 0.0), states=2),
    "gru": Cell(step_gru, _run_gru, (1.0, -1.0, 1.0), (0.0, -1.0, 0.0)),  # torch's gate is 1 - u
}


class Recurrence(nn.Module):
    """A cell of a kind in CELLS over a sequence, forwards in time: (B, T, F) → the h of each step (B, T, H)."""

    _signs: Tensor
    _no_bias: Tensor

    def __init__(
        self, kind: str, inputs: int, size: int, generator: Generator, *, init: str = "orthogonal", forget: float = 1.0
    ) -> None:
        """First weights by `init`; biases 0, but of gates that weigh old and new.

        What starts by keeping the old state, by `forget`, takes in as little of the new: else it would fill up with
        noise before there is something to remember (Tallec and Ollivier 2018).
        """
        super().__init__()
        self._cell, self.size = CELLS[kind], size
        gates = len(self._cell.signs)
        draw = _draw_uniform if init == "uniform" else _draw_orthogonal
        drawn = [draw(inputs, size, generator) for _ in range(gates)]
        self.W = nn.Parameter(torch.cat([w for w, _ in drawn]))
        self.U = nn.Parameter(torch.cat([u for _, u in drawn]))
        self.b = nn.Parameter(forget * torch.tensor(self._cell.keeping).repeat_interleave(size))
        signs = torch.tensor(self._cell.signs).repeat_interleave(size)
        self.register_buffer("_signs", signs, persistent=False)
        self.register_buffer("_no_bias", torch.zeros(gates * size), persistent=False)

    @property
    def weights(self) -> Weights:
        return Weights(self.W, self.U, self.b)

    def start(self, x: Tensor) -> State:
        """The state before the first step: zeros."""
        return (x.new_zeros(len(x), self.size),) * self._cell.states

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """The h of each step (B, T, H) and the state after the last, by torch's kernel; equals `unroll`."""
        begun = self.start(x) if state is None else state
        outputs, *last = self._cell.kernel(x, tuple(s[None] for s in begun), self._for_torch(), self.training)
        return outputs, tuple(s[0] for s in last)

    def step(self, x: Tensor, state: State) -> State:
        """One step by the equations: x_t (B, F) and the state before → the state after, whose first is h."""
        return self._cell.step(x, state, self.weights)

    def unroll(self, x: Tensor, state: State | None = None) -> list[State]:
        """The state after each step, by the equations: slow, but each stands in the graph for itself."""
        states = [self.start(x) if state is None else state]
        for x_t in x.unbind(1):
            states.append(self.step(x_t, states[-1]))
        return states[1:]

    def _for_torch(self) -> list[Tensor]:
        """The kernels add a second bias, to U h; the GRU's would come under its reset gate. So it is zero."""
        W, U, b = self.weights
        if min(self._cell.signs) < 0:
            W, U, b = W * self._signs[:, None], U * self._signs[:, None], b * self._signs
        return [W, U, b, self._no_bias]


def draw_orthogonal(size: int, generator: Generator) -> Tensor:
    """A matrix (H, H), uniform over those that turn the state and change no length (Saxe 2014)."""
    turned, triangle = torch.linalg.qr(torch.empty(size, size).normal_(generator=generator))
    drawn: Tensor = turned * triangle.diagonal().sign()  # the signs make it uniform
    return drawn


def _draw_orthogonal(inputs: int, size: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """One gate's W, Glorot's, and U, orthogonal."""
    return draw_weight(size, inputs, "tanh", 0.0, "glorot", generator), draw_orthogonal(size, generator)


def _draw_uniform(inputs: int, size: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """One gate's W and U, uniform within 1 / sqrt(H), as torch's own layers start."""
    bound = 1.0 / math.sqrt(size)
    W, U = (torch.empty(size, n).uniform_(-bound, bound, generator=generator) for n in (inputs, size))
    return W, U
