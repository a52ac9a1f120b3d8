"""Encoder-decoder nets (section 10.4): a context is read from the input, and tokens are written from it.

Recurrent layers run on torch's fused kernels: whole sequences at once where the tokens are known, else step by step.
"""

from collections.abc import Callable
from typing import Literal, TypeVar

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from models.datasets import END
from models.units import Dense, Flat, draw_weight

Context = Literal["initial", "each_step", "both"]
CELLS: dict[str, Callable[..., nn.RNNBase]] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
STATES = {"rnn": 1, "lstm": 2, "gru": 1}  # vectors of a cell's state: LSTM's h and c
Steps = TypeVar("Steps", Tensor, PackedSequence)  # (T, B, F), or the steps that there are of sequences that differ


class Recurrent(nn.Module):
    """One recurrent layer in one direction or both. Its state is one vector: LSTM's is h and c, side by side."""

    def __init__(self, cell: str, inputs: int, hidden: int, directions: int, generator: Generator) -> None:
        super().__init__()
        # made without numbers, since torch would draw them from its global random state
        made = CELLS[cell](inputs, hidden, bidirectional=directions == 2, device="meta")
        self.kernel = made.to_empty(device="cpu")
        self._states = STATES[cell]
        _fill(self.kernel, cell, hidden, generator)

    def forward(self, steps: Steps, state: Tensor | None = None) -> tuple[Steps, Tensor]:
        """Steps and the state before them (B, S), zero for none → outputs, and the state after each's own last step.

        With two directions the state after the last step (B, 2 S) holds the forward one's, then the backward one's.
        """
        first = None
        if state is not None:
            parts = [vector.contiguous()[None] for vector in state.chunk(self._states, dim=1)]  # (1, B, H) each
            first = parts[0] if len(parts) == 1 else tuple(parts)
        outputs, last = self.kernel(steps, first)
        vectors = last if isinstance(last, tuple) else (last,)  # (directions, B, H) each
        return outputs, torch.cat([v[way] for way in range(len(vectors[0])) for v in vectors], dim=1)


class Embedding(nn.Module):
    """A vector for each token: int64 of any shape → (…, size)."""

    def __init__(self, tokens: int, size: int, generator: Generator) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(tokens, size).normal_(generator=generator))

    def forward(self, tokens: Tensor) -> Tensor:
        return functional.embedding(tokens, self.weight)


class Encoder(nn.Module):
    """Reads tokens (B, T), each sequence to its own end → the context: all layers' last states, (B, layers · S).

    With two directions, an affine map brings both ends' states down to the width of one.
    """

    def __init__(self, embedding: Embedding, layers: list[Recurrent], merge: Dense | None, dropout: nn.Module) -> None:
        super().__init__()
        self.embedding, self.layers, self.merge, self.dropout = embedding, nn.ModuleList(layers), merge, dropout

    def forward(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        if lengths is None:
            context = self._read(self.embedding(x.T))
        else:
            packed = pack_padded_sequence(x.T, lengths, enforce_sorted=False)
            context = self._read(_like(packed, self.embedding(packed.data)))
        return context if self.merge is None else self.merge(context)

    def _read(self, steps: Steps) -> Tensor:
        lasts = []
        for layer in self.layers:
            dropped = self.dropout(steps.data if isinstance(steps, PackedSequence) else steps)
            steps, last = layer(_like(steps, dropped))
            lasts.append(last)
        return torch.cat(lasts, dim=1)


class Vector(nn.Module):
    """The context of an example that is no sequence: an affine map of it, (B, …) → (B, layers · S)."""

    def __init__(self, affine: Dense) -> None:
        super().__init__()
        self.affine = nn.Sequential(Flat(), affine)

    def forward(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        context: Tensor = self.affine(x)
        return context


class Decoder(nn.Module):
    """Writes: the token before and the context → logits of the next token."""

    def __init__(
        self, embedding: Embedding, layers: list[Recurrent], output: Dense, dropout: nn.Module, context: Context
    ) -> None:
        super().__init__()
        self.embedding, self.layers, self.output, self.dropout = embedding, nn.ModuleList(layers), output, dropout
        self._is_initial, self._is_input = context != "each_step", context != "initial"

    def forward(self, before: Tensor, context: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Tokens before each step (U, B), and the state to go on from → logits (U, B, V) and the last state.

        Without a state it begins: with the context as its state, or with zeros where the context is an input only.
        """
        steps = self.embedding(before)
        if self._is_input:
            steps = torch.cat([steps, context.expand(len(before), -1, -1)], dim=2)
        if state is None and self._is_initial:
            state = context
        firsts = [None] * len(self.layers) if state is None else state.chunk(len(self.layers), dim=1)
        lasts = []
        for layer, first in zip(self.layers, firsts, strict=True):
            steps, last = layer(self.dropout(steps), first)
            lasts.append(last)
        return self.output(self.dropout(steps)), torch.cat(lasts, dim=1)

    def run(self, context: Tensor, steps: int) -> Tensor:
        """Free running, each step fed with the likeliest token of the one before: logits (U, B, V) of so many steps."""
        token, state, written = torch.full((len(context),), END), None, []
        for _ in range(steps):
            logits, state = self(token[None], context, state)
            token = logits[0].detach().argmax(dim=1)
            written.append(logits)
        return torch.cat(written)


class EncoderDecoder(nn.Module):
    """The net whole. `teacher_forcing` is the probability that a training batch is fed with the true tokens."""

    def __init__(
        self, encoder: Encoder | Vector, decoder: Decoder, teacher_forcing: float, generator: Generator
    ) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self._teacher_forcing, self._generator = teacher_forcing, generator

    def forward(self, context: Tensor, y: Tensor) -> Tensor:
        """Contexts (B, …) and true tokens (B, U) → logits (U, B, V); END stands before the first token too."""
        if self.training and self._is_free():
            return self.decoder.run(context, y.shape[1])
        logits: Tensor = self.decoder(functional.pad(y[:, :-1], (1, 0), value=END).T, context)[0]
        return logits

    def _is_free(self) -> bool:
        """Tossed for each batch, not for each step, so that forced batches keep the fused kernels' speed."""
        if self._teacher_forcing == 1.0:
            return False
        return torch.rand((), generator=self._generator).item() >= self._teacher_forcing


def _fill(kernel: nn.RNNBase, cell: str, hidden: int, generator: Generator) -> None:
    """Glorot's weights for inputs, orthogonal ones for the state; LSTM's forget gates start open (section 10.10)."""
    for name, tensor in kernel.named_parameters():
        for gate, rows in enumerate(torch.split(tensor.detach(), hidden)):
            if name.startswith("bias"):
                rows.fill_(1.0 if cell == "lstm" and gate == 1 and "_ih_" in name else 0.0)
            elif "_hh_" in name:
                nn.init.orthogonal_(rows, generator=generator)
            else:
                rows.copy_(draw_weight(hidden, rows.shape[1], "tanh", 0.0, "glorot", generator))


def _like(steps: Steps, data: Tensor) -> Steps:
    """Other numbers for the same steps."""
    if isinstance(steps, PackedSequence):
        return PackedSequence(data, steps.batch_sizes, steps.sorted_indices, steps.unsorted_indices)
    return data
