"""From raw examples to a learner's features: impute, standardize, encode. Everything is fitted on given rows only."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

ONE_HOT_LEVELS = 32
FEWEST_OCCURRENCES, MOST_WORDS = 2, 5_000  # of a vocabulary


@dataclass(frozen=True)
class Column:
    """A raw column: a number, or a category whose codes are positions in `levels`."""

    name: str
    levels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Number:
    """A number: missing becomes the training rows' median, then mean and deviation are taken away."""

    position: int
    name: str
    median: float
    mean: float
    deviation: float


@dataclass(frozen=True)
class Category:
    """A category: `kept` are the codes seen in training, the most frequent first.

    Up to 32 become one column each (missing or never seen: all zero); more become the standardized rank of their
    frequency, in one column (missing or never seen: zero).
    """

    position: int
    name: str
    levels: tuple[str, ...]
    kept: tuple[int, ...]

    @property
    def features(self) -> tuple[str, ...]:
        if len(self.kept) > ONE_HOT_LEVELS:
            return (self.name,)
        return tuple(f"{self.name}={self.levels[code]}" for code in self.kept)

    def encode(self, codes: Tensor) -> Tensor:
        """(N,) codes, NaN where missing → (N, len(self.features)) float32."""
        known = len(self.levels)
        codes = codes.nan_to_num(nan=known).long()
        table = torch.zeros(known + 1, len(self.features))  # the last row: missing
        if len(self.kept) > ONE_HOT_LEVELS:
            ranks = torch.arange(len(self.kept), dtype=torch.float32)
            table[list(self.kept), 0] = (ranks - ranks.mean()) / ranks.std(correction=0)
        else:
            table[list(self.kept), range(len(self.kept))] = 1.0
        return table[codes]


@dataclass(frozen=True)
class TableEncoding:
    """What was fitted to a table; numbers come first, then categories."""

    numbers: tuple[Number, ...]
    categories: tuple[Category, ...]
    kind: Literal["table"] = "table"

    @property
    def features(self) -> tuple[str, ...]:
        return (*(n.name for n in self.numbers), *(f for c in self.categories for f in c.features))

    def apply(self, x: Tensor) -> Tensor:
        """Raw rows (N, columns) → standardized, encoded features (N, features) float32 without missing values."""

        def row(values: list[float]) -> Tensor:
            return torch.tensor(values, dtype=x.dtype)

        raw = x[:, [n.position for n in self.numbers]]
        filled = torch.where(raw.isfinite(), raw, row([n.median for n in self.numbers]))
        centred = filled - row([n.mean for n in self.numbers])
        blocks = [(centred / row([n.deviation for n in self.numbers])).float()]
        blocks += [c.encode(x[:, c.position]) for c in self.categories]
        return torch.cat(blocks, dim=1)


@dataclass(frozen=True)
class ChannelScaling:
    """One mean and deviation for each channel of images, or feature of sequences.

    Not for each pixel, lest one that is hardly ever lit be blown up.
    """

    axis: int  # of the channels: 1 for (N, C, H, W), 2 for (N, T, F)
    means: tuple[float, ...]
    deviations: tuple[float, ...]
    kind: Literal["channels"] = "channels"

    def apply(self, x: Tensor) -> Tensor:
        """Raw images or sequences → standardized ones of the same shape, float32; what is missing becomes the mean."""
        sizes = [-1 if axis == self.axis else 1 for axis in range(x.dim())]
        means, deviations = torch.tensor(self.means).reshape(sizes), torch.tensor(self.deviations).reshape(sizes)
        return ((x - means) / deviations).float().nan_to_num(nan=0.0)


@dataclass(frozen=True)
class Vocabulary:
    """The words kept of a running text, as ids in its whole vocabulary: 0, "<unk>", then the most frequent first.

    `counts` is how often each stands in the training part; at 0, all the words that are not kept together.
    """

    kept: tuple[int, ...]
    counts: tuple[int, ...]
    kind: Literal["vocabulary"] = "vocabulary"

    def apply(self, x: Tensor) -> Tensor:
        """Raw ids (N, T) → positions in `kept` (N, T) int64; 0 for a word that is not kept."""
        positions = torch.zeros(max(self.kept) + 2, dtype=torch.int64)  # the last: all ids beyond
        positions[list(self.kept)] = torch.arange(len(self.kept))
        return positions[x.clamp(max=len(positions) - 1)]


@dataclass(frozen=True)
class Unchanged:
    """Nothing is done: the numbers are as a learner wants them."""

    kind: Literal["unchanged"] = "unchanged"

    def apply(self, x: Tensor) -> Tensor:
        return x


Preprocessing = TableEncoding | ChannelScaling | Vocabulary | Unchanged


def fit_table(columns: tuple[Column, ...], x: Tensor) -> TableEncoding:
    """Fits on the rows given, which must be the training part's: x (N, columns) raw."""
    numbers = tuple(
        _fit_number(position, column, x[:, position]) for position, column in enumerate(columns) if not column.levels
    )
    categories = tuple(
        _fit_category(position, column, x[:, position]) for position, column in enumerate(columns) if column.levels
    )
    return TableEncoding(numbers, categories)


def fit_channels(x: Tensor, axis: int, lengths: Tensor | None = None) -> ChannelScaling:
    """Fits on the images or sequences given, which must be the training part's; only on the steps that there are."""
    channels = x.movedim(axis, 0)  # (C, N, …)
    if lengths is not None:
        there = torch.arange(x.shape[1]) < lengths[:, None]  # (N, T)
        channels = channels[:, there]
    fitted = [moments(channel) for channel in channels]
    return ChannelScaling(axis, tuple(mean for mean, _ in fitted), tuple(deviation for _, deviation in fitted))


def fit_vocabulary(x: Tensor) -> Vocabulary:
    """Fits on the rows (N, T + 1) given, which must be the training part's: the words that come at least twice there.

    At most 5,000 with "<unk>"; ValueError if there is none. A row's first word, the last of the row before, is not
    counted.
    """
    counts = torch.bincount(x[:, 1:].flatten(), minlength=1)
    counts[0] = 0
    order = counts.argsort(descending=True, stable=True)[: MOST_WORDS - 1]
    kept = order[counts[order] >= FEWEST_OCCURRENCES]
    if not len(kept):
        raise ValueError("no word comes twice in the training part")
    others = counts.sum() - counts[kept].sum()
    return Vocabulary((0, *kept.tolist()), (int(others), *counts[kept].tolist()))


def _fit_number(position: int, column: Column, values: Tensor) -> Number:
    there = values[values.isfinite()]
    median = there.median().item() if len(there) else 0.0
    return Number(position, column.name, median, *moments(values))


def _fit_category(position: int, column: Column, codes: Tensor) -> Category:
    counts = torch.bincount(codes[codes.isfinite()].long(), minlength=len(column.levels))
    order = counts.argsort(descending=True, stable=True)
    return Category(position, column.name, column.levels, tuple(order[counts[order] > 0].tolist()))


def moments(values: Tensor) -> tuple[float, float]:
    """Mean and deviation of the values that are there, in float64; a constant has deviation 1, so that it becomes 0."""
    there = values[values.isfinite()].double()
    if not len(there):
        return 0.0, 1.0
    mean, deviation = there.mean().item(), there.std(correction=0).item()
    return mean, deviation if deviation > 1e-7 * max(abs(mean), 1e-30) else 1.0
