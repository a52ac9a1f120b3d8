"""From raw columns to a learner's features: impute, standardize, encode. Everything is fitted on given rows only."""

import json
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

ONE_HOT_LEVELS = 32


@dataclass(frozen=True)
class Column:
    """A raw column: a number, or a category whose codes are positions in `levels`.

    Columns of the same `scale` share one mean and deviation, as the pixels of an image must, lest a pixel that is
    hardly ever lit be blown up.
    """

    name: str
    levels: tuple[str, ...] = ()
    scale: str = ""


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
class Preprocessing:
    """What was fitted: apply it to raw rows to get features (N, len(self.features)), numbers first, then categories.

    `target_mean` and `target_deviation` are those of a regression's target (0 and 1 for classes); learners that need
    a target near the unit scale use them, the parts keep the target's own unit.
    """

    numbers: tuple[Number, ...]
    categories: tuple[Category, ...]
    target_mean: float = 0.0
    target_deviation: float = 1.0

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

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> "Preprocessing":
        """The inverse of `to_json`."""
        fields: dict[str, Any] = json.loads(text)  # the shape is to_json's own
        return Preprocessing(
            numbers=tuple(Number(**n) for n in fields["numbers"]),
            categories=tuple(
                Category(c["position"], c["name"], tuple(c["levels"]), tuple(c["kept"])) for c in fields["categories"]
            ),
            target_mean=fields["target_mean"],
            target_deviation=fields["target_deviation"],
        )


def fit(columns: tuple[Column, ...], x: Tensor, y: Tensor) -> Preprocessing:
    """Fits on the rows given, which must be the training part's: x (N, columns) raw, y (N,) classes or numbers."""
    categories = tuple(
        _fit_category(position, column, x[:, position]) for position, column in enumerate(columns) if column.levels
    )
    if not y.is_floating_point():
        return Preprocessing(_fit_numbers(columns, x), categories)
    mean, deviation = _moments(y)
    return Preprocessing(_fit_numbers(columns, x), categories, mean, deviation)


def _fit_numbers(columns: tuple[Column, ...], x: Tensor) -> tuple[Number, ...]:
    groups: dict[str, list[int]] = {}
    for position, column in enumerate(columns):
        if not column.levels:
            groups.setdefault(column.scale or f"column {position}", []).append(position)
    moments = {position: _moments(x[:, group]) for group in groups.values() for position in group[:1]}
    numbers = []
    for group in groups.values():
        medians = x[:, group].nanmedian(dim=0).values.nan_to_num(nan=0.0).tolist()
        mean, deviation = moments[group[0]]
        numbers += [
            Number(p, columns[p].name, median, mean, deviation) for p, median in zip(group, medians, strict=True)
        ]
    return tuple(sorted(numbers, key=lambda number: number.position))


def _fit_category(position: int, column: Column, codes: Tensor) -> Category:
    counts = torch.bincount(codes[codes.isfinite()].long(), minlength=len(column.levels))
    order = counts.argsort(descending=True, stable=True)
    return Category(position, column.name, column.levels, tuple(order[counts[order] > 0].tolist()))


def _moments(values: Tensor) -> tuple[float, float]:
    """Mean and deviation of the values that are there, in float64; a constant has deviation 1, so that it becomes 0."""
    there = values[values.isfinite()].double()
    if not len(there):
        return 0.0, 1.0
    mean, deviation = there.mean().item(), there.std(correction=0).item()
    return mean, deviation if deviation > 1e-7 * max(abs(mean), 1e-30) else 1.0
