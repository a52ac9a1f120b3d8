"""A recurrent net over an image (chapter 10; Graves 2007): four cells, each from another corner, meet at the output."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from models.cells import draw_orthogonal
from models.datasets import Schema
from models.descent import Descent, Training
from models.goals import Supervised
from models.outputs import choose_output
from models.units import Dense, draw_weight

CORNERS = 4
States = tuple[Tensor, ...]  # (h,), the LSTM's (h, s)


def step_rnn(z: Tensor, left: States, above: States) -> States:
    """h = tanh(z)."""
    return (torch.tanh(z),)


def step_lstm(z: Tensor, left: States, above: States) -> States:
    """s = f_left * s_left + f_above * s_above + i * g and h = o * tanh(s): a forget gate for each side."""
    i, f_left, f_above, g, o = z.chunk(5, dim=-1)
    s = f_left.sigmoid() * left[1] + f_above.sigmoid() * above[1] + i.sigmoid() * g.tanh()
    return o.sigmoid() * s.tanh(), s


class Cell(NamedTuple):
    """From z = W x + U_left h_left + U_above h_above + b (…, G·H) and the states on both sides to the state here."""

    step: Callable[[Tensor, States, States], States]
    gates: int
    states: int


CELLS = {"rnn": Cell(step_rnn, 1, 1), "lstm": Cell(step_lstm, 5, 2)}


class Recurrence2d(nn.Module):
    """h[i, j] from x[i, j], h[i, j-1] and h[i-1, j], from each of the four corners: (B, R, S, P) → (D, 4, B, R, H).

    All cells of an anti-diagonal d = i + j depend on the one before alone, so they are one step: D = R + S - 1 steps in
    all, of the four corners together. What is outside of the image, as most rows are at first and at last, is zero.
    """

    def __init__(self, kind: str, inputs: int, size: int, generator: Generator) -> None:
        super().__init__()
        self._cell, self._size = CELLS[kind], size
        drawn = [_draw(self._cell.gates, inputs, size, generator) for _ in range(CORNERS)]
        self.W = nn.Parameter(torch.stack([W for W, _ in drawn]))  # (4, P, G·H)
        self.U = nn.Parameter(torch.stack([U for _, U in drawn]))  # (4, 2H, G·H): of the left, then of the one above
        self.b = nn.Parameter(torch.zeros(CORNERS * self._cell.gates * size))

    def forward(self, x: Tensor) -> Tensor:
        batch, rows, columns, _ = x.shape
        i, d = torch.arange(rows)[:, None], torch.arange(rows + columns - 1)
        j = d - i  # (R, D): row i is late by i steps
        turned = torch.stack([x, x.flip(2), x.flip(1), x.flip(1, 2)])  # each corner in turn is the upper left one
        late = turned[:, :, i, j.clamp(0, columns - 1)].permute(3, 0, 1, 2, 4)  # (D, 4, B, R, P)
        z = torch.matmul(late.flatten(2, 3), self.W) + self.b.reshape(CORNERS, 1, -1)  # (D, 4, B·R, G·H)
        inside = ((j >= 0) & (j < columns)).T[:, :, None].to(x.dtype)  # (D, R, 1)
        states: States = (x.new_zeros(CORNERS, batch, rows, self._size),) * self._cell.states
        hs = []
        for z_d, there in zip(z, inside, strict=True):
            states = tuple(state * there for state in self._step(z_d, states))
            hs.append(states[0])
        return torch.stack(hs)

    def _step(self, z: Tensor, left: States) -> States:
        """A row's state of the step before is its left one; that of the row above is the one above."""
        above = tuple(functional.pad(state, (0, 0, 1, -1)) for state in left)
        both = torch.cat([left[0], above[0]], dim=3).flatten(1, 2)  # (4, B·R, 2H)
        z = torch.baddbmm(z, both, self.U)
        return self._cell.step(z.reshape(*left[0].shape[:3], -1), left, above)


def _draw(gates: int, inputs: int, size: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """One corner's W (P, G·H), Glorot's, and U (2H, G·H): orthogonal halves, which together keep the state's size."""
    W = [draw_weight(size, inputs, "tanh", 0.0, "glorot", generator) for _ in range(gates)]
    U = [torch.cat([draw_orthogonal(size, generator) for _ in range(2)], dim=1) for _ in range(gates)]
    return torch.cat(W).T, torch.cat(U).T / math.sqrt(2.0)


class RecurrentNet2d(nn.Module):
    """Patches of an image, the recurrence from four corners, a readout and a dense layer: (B, C, H, W) → (B, outputs).

    Readouts: the last states, each corner's in the corner opposite, which has seen the whole image; or each corner's
    mean over all places.
    """

    def __init__(self, recurrence: Recurrence2d, patch: int, readout: str, output: Dense) -> None:
        super().__init__()
        self.recurrence, self.output = recurrence, output
        self._patch, self._readout = patch, readout

    def forward(self, x: Tensor) -> Tensor:
        patches = as_patches(x, self._patch)
        h = self.recurrence(patches)  # (D, 4, B, R, H)
        read = h[-1, :, :, -1] if self._readout == "last" else h.sum(dim=(0, 3)) / patches[0, :, :, 0].numel()
        outputs: Tensor = self.output(read.transpose(0, 1).flatten(1))  # (4, B, H) → (B, 4·H)
        return outputs


def as_patches(x: Tensor, patch: int) -> Tensor:
    """(B, C, H, W) → (B, R, S, C·patch·patch), of patches side by side; zeros fill up the last of a row or column."""
    height, width = x.shape[2:]
    x = functional.pad(x, (0, -width % patch, 0, -height % patch))
    return x.unfold(2, patch, patch).unfold(3, patch, patch).permute(0, 2, 3, 1, 4, 5).flatten(3)


def build(
    *,
    seed: int,
    cell: str,
    hidden_size: int,
    patch: int,
    readout: str,
    **training: Any,  # the catalogue's DESCENT
) -> Descent:
    """Patches → four corners' cells of `hidden_size` → readout → dense."""

    def make_net(schema: Schema, generator: Generator) -> RecurrentNet2d:
        recurrence = Recurrence2d(cell, schema.shape[0] * patch * patch, hidden_size, generator)
        width = choose_output(schema).width
        output = Dense(draw_weight(width, CORNERS * hidden_size, "linear", 0.0, "glorot", generator))
        return RecurrentNet2d(recurrence, patch, readout, output)

    settings = Training.of(**training)

    def make_goal(schema: Schema) -> Supervised:
        rows, columns = (math.ceil(side / patch) for side in schema.shape[1:])
        gates = CORNERS * CELLS[cell].gates * hidden_size
        return settings.supervise(schema, largest=(rows + columns - 1) * rows * gates)

    return Descent(make_net, settings, seed=seed, make_goal=make_goal)
