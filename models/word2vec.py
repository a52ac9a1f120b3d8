"""Skip-gram with negative samples (Mikolov 2013): vectors that tell a word's true neighbours from noise words."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from models.datasets import Part, Schema
from models.datasets.text import encode
from models.descent import Descent, Training
from models.language_model import MEASURED_ROWS, thin
from models.unigram import count_words, noise

GAP = -1  # where a row has no further word
MEASURED_WINDOW, MEASURED_NOISE, MEASURED_POWER = 5, 20, 0.75  # the same for all trials, so that they can be compared
ROWS_AT_ONCE = 128


@dataclass(frozen=True, eq=False)
class Pairs:
    """How pairs of a word and its neighbour are drawn from rows of words, with noise words beside each."""

    window: int
    dynamic: bool  # each word's reach is uniform from 1 to the window, so that near words weigh more
    negatives: int
    kept: Tensor  # (V,) how likely each word stays in the text
    noise: Tensor  # (V,) the noise words' distribution

    def draw(self, x: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        """Rows (B, T) → words (P,) and for each the neighbour, then the noise words (P, 1 + negatives)."""
        stays = torch.rand(x.shape, generator=generator) < self.kept[x]
        rows = close_up(x, stays)
        if self.dynamic:
            reach = torch.randint(1, self.window + 1, x.shape, generator=generator)
        else:
            reach = torch.full_like(x, self.window)
        words, neighbours = pair(rows, reach, self.window)
        drawn = self.noise.multinomial(max(1, len(words)) * self.negatives, replacement=True, generator=generator)
        others = drawn[: len(words) * self.negatives].reshape(-1, self.negatives)
        return words, torch.cat([neighbours[:, None], others], dim=1)


def share_kept(schema: Schema, threshold: float) -> Tensor:
    """(V,) min(1, sqrt(threshold / frequency)): frequent words are thinned out; 0 keeps all. "<unk>" is no word."""
    counts = count_words(schema)
    frequency = counts / counts.sum()
    kept = (threshold / frequency).sqrt().clamp(max=1.0) if threshold else torch.ones_like(frequency)
    kept[0] = 0.0
    return kept.float()


def noise_words(schema: Schema, power: float) -> Tensor:
    """(V,) the noise distribution of the words that are kept."""
    probabilities = noise(schema, power)
    probabilities[0] = 0.0
    return (probabilities / probabilities.sum()).float()


def close_up(x: Tensor, stays: Tensor) -> Tensor:
    """Rows (B, T) without the words that don't stay: the others move left, in order, and GAP fills up."""
    order = stays.logical_not().byte().argsort(dim=1, stable=True)
    return x.masked_fill(~stays, GAP).gather(1, order)


def pair(rows: Tensor, reach: Tensor, window: int) -> tuple[Tensor, Tensor]:
    """Rows (B, T) → all words (P,) with each neighbour (P,) within the word's own reach (B, T), to both sides."""
    words, neighbours = [], []
    for distance in range(1, min(window, rows.shape[1] - 1) + 1):
        left, right = rows[:, :-distance], rows[:, distance:]
        there = (left != GAP) & (right != GAP)
        onwards, back = there & (reach[:, :-distance] >= distance), there & (reach[:, distance:] >= distance)
        words += [left[onwards], right[back]]
        neighbours += [right[onwards], left[back]]
    return torch.cat(words), torch.cat(neighbours)


class SkipGram(nn.Module):
    """Two vectors for each word: its own, and one as a neighbour. Their product is the logit of a true pair."""

    def __init__(self, words: Tensor, neighbours: Tensor, pairs: Pairs, generator: Generator) -> None:
        super().__init__()
        self.words, self.neighbours = nn.Parameter(words), nn.Parameter(neighbours)  # (V, E)
        self._pairs, self._generator = pairs, generator

    def forward(self, x: Tensor) -> Tensor:
        """Rows (B, T) → logits (P, 1 + negatives) of pairs drawn from them: the true neighbour's, then the noise's."""
        words, candidates = self._pairs.draw(x, self._generator)
        own = functional.embedding(words, self.words)[:, None]  # (P, 1, E)
        # not bmm: its gradient, an outer product for each pair, would cost more than all else
        return (functional.embedding(candidates, self.neighbours) * own).sum(dim=2)


def negative_sampling_loss(logits: Tensor) -> Tensor:
    """-log σ(true) - Σ log σ(-noise), the mean over pairs (P, 1 + negatives); 0 for no pair (Mikolov 2013, eq. 4)."""
    true, others = logits[:, 0], logits[:, 1:]
    return (functional.softplus(-true).sum() + functional.softplus(others).sum()) / max(1, len(logits))


class Neighbourhood:
    """A `Goal`: to tell true neighbours from noise.

    Measured on all pairs within 5 words and 20 fixed noise words for each row, whatever a trial draws in training:
    `loss`, with the noise weighing as much as the trial's `negatives` do, and `mrr`, the mean reciprocal rank of the
    true neighbour among the noise words, by which trials of different `negatives` compare.
    Predictions: (N, V), the probabilities of a neighbour of the row's last word.
    """

    def __init__(self, schema: Schema, negatives: int, power: float) -> None:
        self._negatives = negatives
        self._measured = noise_words(schema, MEASURED_POWER)
        self._trained = noise_words(schema, power)

    def prepare(self, part: Part) -> Part:
        drawn = self._measured.multinomial(
            len(part) * MEASURED_NOISE, replacement=True, generator=Generator().manual_seed(0)
        )
        return Part(part.x, part.y, None, drawn.reshape(len(part), MEASURED_NOISE))

    def loss(self, net: nn.Module, batch: Part) -> Tensor:
        return negative_sampling_loss(net(batch.x))

    def measure(self, net: nn.Module, part: Part) -> dict[str, Tensor]:
        assert isinstance(net, SkipGram)  # noqa: S101  # this goal's only net
        totals = [self._measure(net, batch) for batch in thin(part, MEASURED_ROWS).batches(ROWS_AT_ONCE)]
        pairs, loss, reciprocal = torch.stack(totals).sum(dim=0)
        return {"loss": loss / pairs, "mrr": reciprocal / pairs}

    def _measure(self, net: SkipGram, batch: Part) -> Tensor:
        """(3,) number of pairs, sum of their losses, sum of their reciprocal ranks."""
        assert batch.targets is not None  # noqa: S101  # prepared
        x, others = batch.x, batch.targets
        own = functional.embedding(x, net.words)  # (B, T, E)
        true = own @ functional.embedding(x, net.neighbours).transpose(1, 2)  # (B, T, T)
        noise = own @ functional.embedding(others, net.neighbours).transpose(1, 2)  # (B, T, 20)
        row, word, neighbour = neighbourhood(x, MEASURED_WINDOW).unbind(1)
        logits, beside = true[row, word, neighbour], noise[row, word]  # (P,) and (P, 20)
        losses = functional.softplus(-logits) + self._negatives * functional.softplus(beside).mean(dim=1)
        different = others[row] != x[row, neighbour][:, None]
        ranks = 1 + (different & ~(beside < logits[:, None])).sum(dim=1)  # a draw, or nan, is lost
        return torch.stack([torch.tensor(len(row)), losses.double().sum(), (1.0 / ranks.double()).sum()])

    def predict(self, net: nn.Module, part: Part) -> Tensor:
        """What the logits mean: they are log p(neighbour | word) - log noise(neighbour) up to a constant."""
        assert isinstance(net, SkipGram)  # noqa: S101  # this goal's only net
        logits = net.words[part.x[:, -1]] @ net.neighbours.T
        return (logits + self._trained.log()).softmax(dim=1)


def neighbourhood(x: Tensor, window: int) -> Tensor:
    """Rows (B, T) → (P, 3): row, place of a word and place of each neighbour at most `window` away; none is "<unk>"."""
    place = torch.arange(x.shape[1])
    distance = (place[:, None] - place).abs()
    known = x > 0
    return (known[:, :, None] & known[:, None] & (distance > 0) & (distance <= window)).nonzero()


def build(
    *,
    seed: int,
    embedding_size: int,
    window: int,
    dynamic_window: bool,
    negatives: int,
    subsampling: float,
    noise_power: float,
    **training: Any,  # the catalogue's DESCENT
) -> Descent:
    """Words' vectors start small and uniform, those as neighbours at zero, as in Mikolov's own program."""

    def make_net(schema: Schema, generator: Generator) -> SkipGram:
        size = (len(schema.source), embedding_size)
        words = torch.empty(size).uniform_(-0.5 / embedding_size, 0.5 / embedding_size, generator=generator)
        pairs = Pairs(
            window, dynamic_window, negatives, share_kept(schema, subsampling), noise_words(schema, noise_power)
        )
        return SkipGram(words, torch.zeros(size), pairs, generator)

    def make_goal(schema: Schema) -> Neighbourhood:
        return Neighbourhood(schema, negatives, noise_power)

    return Descent(make_net, Training.of(**training), seed=seed, make_goal=make_goal)


def neighbours(parameters: Mapping[str, Tensor], schema: Schema, word: str, k: int = 10) -> list[tuple[str, float]]:
    """The k nearest words by the cosine of their vectors, and the cosines, nearest first.

    `parameters` are a learner's, of which the first seed's and fold's count. Raises ValueError for an unknown word.
    """
    position = int(encode([word], schema.source)[0])
    if position == 0:
        raise ValueError(f"the model's vocabulary has no word {word!r}")
    cosines = cosines_with(parameters["0.words"], position)
    cosines[[0, position]] = -math.inf
    best = cosines.topk(min(k, len(cosines) - 2))
    return [(schema.source[i], value) for i, value in zip(best.indices.tolist(), best.values.tolist(), strict=True)]


def cosines_with(vectors: Tensor, position: int) -> Tensor:
    """(V,) the cosine of each of the vectors (V, E) with the one at that position."""
    directions = functional.normalize(vectors, dim=1)
    return directions @ directions[position]
