"""Neural language models (section 12.4.2): the next word from the last n (Bengio 2003), or by recurrence from all."""

import math
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from models.cells import Recurrence
from models.datasets import Part, Schema
from models.descent import Descent, Training
from models.rnn import Layer
from models.unigram import unigram
from models.units import Dense, Dropout, draw_weight

MEASURED_ROWS = 512  # of a larger part so many rows are measured, evenly spread: the softmax is what an epoch costs
ROWS_AT_ONCE = 32


class Window(nn.Module):
    """A hidden layer over the last n words' vectors side by side: (B, T, E) → (B, T, H).

    Before a row's first word stand zeros.
    """

    def __init__(self, context: int, inputs: int, size: int, generator: Generator) -> None:
        super().__init__()
        self._context = context
        self.dense = Dense(draw_weight(size, context * inputs, "tanh", 0.0, "glorot", generator))

    def forward(self, words: Tensor) -> Tensor:
        steps = words.shape[1]
        padded = functional.pad(words, (0, 0, self._context - 1, 0))
        seen = torch.cat([padded[:, k : k + steps] for k in range(self._context)], dim=2)  # (B, T, n·E)
        return torch.tanh(self.dense(seen))


class LanguageNet(nn.Module):
    """Words → vectors → layers → logits of the next word after each: (B, T) ids → (B, T, V), or the last's (B, V).

    Dropout is between the layers, never within a recurrence (Zaremba 2014). With tied weights the output compares
    a word's vector with the hidden state, brought to the vectors' size (Press and Wolf 2017).
    """

    def __init__(
        self,
        vectors: Tensor,
        layers: list[nn.Module],
        output: Tensor,
        bias: Tensor,
        dropout: Dropout | None,
        *,
        tied: bool,
    ) -> None:
        super().__init__()
        self.vectors = nn.Parameter(vectors)  # (V, E)
        self.layers = nn.ModuleList(layers)
        self.output = nn.Parameter(output)  # (V, H), or tied (E, H)
        self.bias = nn.Parameter(bias)  # (V,)
        self._dropout, self._tied = dropout, tied

    def forward(self, x: Tensor, last: bool = False) -> Tensor:
        h = self._drop(functional.embedding(x, self.vectors))
        for layer in self.layers:
            h = self._drop(layer(h))
        if last:
            h = h[:, -1]
        if self._tied:
            return functional.linear(functional.linear(h, self.output), self.vectors, self.bias)
        return functional.linear(h, self.output, self.bias)

    def _drop(self, h: Tensor) -> Tensor:
        return h if self._dropout is None else self._dropout(h)


class NextWord:
    """A `Goal`: the next word after each of a row (N, T + 1), in which every word but the first is predicted once.

    Predictions: (N, V), the probabilities of the word that comes after the row's last.
    """

    def prepare(self, part: Part) -> Part:
        return Part(part.x[:, :-1].contiguous(), part.y, None, part.x[:, 1:].contiguous())

    def loss(self, net: nn.Module, batch: Part) -> Tensor:
        assert batch.targets is not None  # noqa: S101  # prepared
        return functional.cross_entropy(net(batch.x).flatten(0, 1), batch.targets.flatten())

    def measure(self, net: nn.Module, part: Part) -> dict[str, Tensor]:
        """Means over the words: cross-entropy, its exp, and the share for which no other next word is likelier."""
        rows = thin(part, MEASURED_ROWS)
        sums = torch.stack([_count(net, batch) for batch in rows.batches(ROWS_AT_ONCE)]).sum(dim=0)
        loss, accuracy = sums / rows.x.numel()
        return {"loss": loss, "perplexity": loss.exp(), "accuracy": accuracy}

    def predict(self, net: nn.Module, part: Part) -> Tensor:
        return torch.cat([net(batch.x, last=True).softmax(dim=1) for batch in part.batches(ROWS_AT_ONCE)])


def _count(net: nn.Module, batch: Part) -> Tensor:
    """(2,) float64 sums over the batch: cross-entropy, and words than which none is likelier; nan is likelier."""
    assert batch.targets is not None  # noqa: S101  # prepared
    logits, words = net(batch.x).flatten(0, 1), batch.targets.flatten()
    loss = functional.cross_entropy(logits, words, reduction="sum")
    right = logits.gather(1, words[:, None])[:, 0] >= logits.amax(dim=1)  # several times as fast as argmax
    return torch.stack([loss.double(), right.sum().double()])


def thin(part: Part, rows: int) -> Part:
    """At most so many of the part's examples, evenly spread."""
    return part if len(part) <= rows else part.take(torch.arange(rows) * len(part) // rows)


def build(
    *,
    seed: int,
    kind: str,
    embedding_size: int,
    hidden_size: int,
    context: int,
    layers: int,
    dropout: float,
    tie_weights: bool,
    **training: Any,  # the catalogue's DESCENT
) -> Descent:
    """vectors → [layer → dropout] · layers → softmax.

    The first of a window's layers sees `context` words, the others are dense. At the start the output says how often
    each word comes (section 8.4: a bias that gives the right marginal statistics).
    """

    def make_layer(inputs: int, generator: Generator, is_first: bool) -> nn.Module:
        if kind == "window":
            return Window(context if is_first else 1, inputs, hidden_size, generator)
        return Layer(Recurrence(kind, inputs, hidden_size, generator))

    def make_net(schema: Schema, generator: Generator) -> LanguageNet:
        words = len(schema.source)
        vectors = torch.empty(words, embedding_size).normal_(0.0, 1.0 / math.sqrt(embedding_size), generator=generator)
        stack = [make_layer(hidden_size if i else embedding_size, generator, is_first=i == 0) for i in range(layers)]
        rows = embedding_size if tie_weights else words
        output = draw_weight(rows, hidden_size, "linear", 0.0, "glorot", generator)
        drop = Dropout(dropout, generator) if dropout else None
        return LanguageNet(vectors, stack, output, unigram(schema).log().float(), drop, tied=tie_weights)

    return Descent(make_net, Training.of(**training), seed=seed, make_goal=lambda schema: NextWord())
