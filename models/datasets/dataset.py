"""Data in memory: a set as it was read, what a model must know of it, and its parts that a learner can take."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import repeat
from typing import Literal

import torch
from torch import Tensor

from models.catalog import Form, Task
from models.datasets.preprocessing import Column, Preprocessing, Unchanged

PartName = Literal["train", "validation", "test"]
IGNORED = -1  # the class of a step or head that has none
END = 0  # the token that ends a sequence, and fills it up


@dataclass(frozen=True)
class Head:
    """One of several targets of the same example (multi-task learning)."""

    name: str
    classes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Examples as they were read, before any fitting.

    x by form: table (N, F) with the codes of categories and NaN for a missing value, float32 or, from a file whose raw
    numbers may be dates, float64; image (N, C, H, W) and sequence (N, T, F) float32; tokens and text (N, T) int64,
    positions in `source`. y by task: classification (N,) int64; regression (N,) float32; multitask (N, heads) int64,
    IGNORED where unknown; labelling (N, T) int64, IGNORED where nothing is asked; seq2seq (N, U) int64, positions in
    `target`, each row ending with END at least once; language (N, 0).
    """

    name: str
    task: Task
    x: Tensor
    y: Tensor
    columns: tuple[Column, ...] = ()  # of a table
    classes: tuple[str, ...] = ()  # of classification and labelling
    form: Form = "table"
    lengths: Tensor | None = (
        None  # (N,) int64 steps of each sequence, if they differ; what is beyond counts for nothing
    )
    heads: tuple[Head, ...] = ()  # of multitask
    source: tuple[str, ...] = ()  # the tokens of x
    target: tuple[str, ...] = ()  # the tokens of y
    standardized: bool = True  # whether images and sequences are to be standardized, channel by channel
    own_test: int = 0  # the last so many examples are the set's own test part


@dataclass(frozen=True, eq=False, slots=True)
class Part:
    """Preprocessed examples. `targets` is what a loss takes in place of y, where a goal has made it beforehand."""

    x: Tensor
    y: Tensor
    lengths: Tensor | None = None
    targets: Tensor | None = None

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: Tensor) -> "Part":
        """The examples at those positions (M,), in that order."""
        x, y = self.x.index_select(0, rows), self.y.index_select(0, rows)
        lengths = None if self.lengths is None else self.lengths.index_select(0, rows)
        return Part(x, y, lengths, None if self.targets is None else self.targets.index_select(0, rows))

    def first(self, rows: int) -> "Part":
        """The first examples, at most so many."""
        return next(self.batches(rows))

    def batches(self, size: int) -> Iterator["Part"]:
        """The examples in order, `size` at a time; the last batch may be smaller."""

        def cut(tensor: Tensor | None) -> Iterator[Tensor | None]:
            return repeat(None) if tensor is None else iter(torch.split(tensor, size))

        pairs = zip(torch.split(self.x, size), torch.split(self.y, size), strict=True)
        for (x, y), lengths, targets in zip(pairs, cut(self.lengths), cut(self.targets), strict=False):
            yield Part(x, y, lengths, targets)


@dataclass(frozen=True)
class Schema:
    """All that a model must know of data besides its rows; with this and its parameters it can predict.

    `shape` is that of one preprocessed example: (F,), (C, H, W), (T, F) or (T,). A regression's learners see the
    target minus `target_mean`, by `target_deviation` (the training part's); the parts keep the target's own unit.
    """

    name: str
    form: Form
    task: Task
    shape: tuple[int, ...]
    classes: tuple[str, ...] = ()
    heads: tuple[Head, ...] = ()
    source: tuple[str, ...] = ()
    target: tuple[str, ...] = ()
    target_mean: float = 0.0
    target_deviation: float = 1.0
    target_length: int = 0  # of seq2seq: the tokens of the longest target, its END included
    preprocessing: Preprocessing = field(default=Unchanged())

    @property
    def size(self) -> int:
        """How many numbers one example has."""
        return math.prod(self.shape)


@dataclass(frozen=True, eq=False)
class Split:
    """Training, validation and test part, preprocessed by what was fitted on the training part alone.

    With k folds, `folds` holds k splits that share the test rows and take turns in validation (chapter 5.3.1); the
    split's own parts are those of the first.
    """

    schema: Schema
    train: Part
    validation: Part
    test: Part
    folds: tuple["Split", ...] = field(default=())

    @property
    def parts(self) -> dict[PartName, Part]:
        """The three parts by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}
