"""Splitting a data set into training, validation and test part, or into folds (chapter 5.3). The seed decides alone."""

from dataclasses import replace

import torch
from torch import Tensor

from models.datasets.dataset import Dataset, Part, Schema, Split
from models.datasets.preprocessing import (
    Preprocessing,
    Unchanged,
    Vocabulary,
    fit_channels,
    fit_table,
    fit_vocabulary,
    moments,
)

BLOCK = 8  # neighbouring rows of a text that stay in one part, so that validation isn't between the lines of training


def split(dataset: Dataset, seed: int = 0, *, folds: int = 1, validation: float = 0.2, test: float = 0.2) -> Split:
    """Disjoint parts, with each class in proportion; the same for the same seed, whatever is trained on them.

    The test part depends on the seed alone, not on `folds`, or is the set's own where it has one; with folds, each
    validates a k-th of the other rows. A text is divided by blocks of eight neighbouring rows. Raises ValueError where
    a part would be empty.
    """
    given = len(dataset.y) - dataset.own_test
    size = BLOCK if dataset.form == "text" else 1
    order = _shuffle(dataset, -(-given // size), seed)
    if dataset.own_test:
        tested, rest = torch.arange(given, len(dataset.y)), order
    else:
        chosen = _spread(len(order), test)
        tested, rest = _rows(order[chosen], size, given), order[~chosen]
    if folds > 1:
        turns = [torch.arange(len(rest)) % folds == turn for turn in range(folds)]
    else:
        turns = [_spread(len(rest), validation / (1.0 - test))]
    splits = [
        _assemble(dataset, _rows(rest[~turn], size, given), _rows(rest[turn], size, given), tested) for turn in turns
    ]
    return replace(splits[0], folds=tuple(splits)) if folds > 1 else splits[0]


def _shuffle(dataset: Dataset, rows: int, seed: int) -> Tensor:
    """So many rows or blocks in random order; classes one after the other, so that equal steps take equal shares."""
    order = torch.randperm(rows, generator=torch.Generator().manual_seed(seed))
    return order[dataset.y[order].argsort(stable=True)] if dataset.task == "classification" else order


def _spread(rows: int, share: float) -> Tensor:
    """(rows,) of bool: `share` of them true, evenly spread."""
    passed = torch.floor(torch.arange(rows + 1, dtype=torch.float64) * share + 0.5)
    return passed[1:] > passed[:-1]


def _rows(blocks: Tensor, size: int, rows: int) -> Tensor:
    """The rows of those blocks of `size` neighbours; the last block of all may be shorter."""
    spread = (blocks[:, None] * size + torch.arange(size)).flatten()
    return spread[spread < rows]


def _assemble(dataset: Dataset, train: Tensor, validation: Tensor, test: Tensor) -> Split:
    if not (len(train) and len(validation) and len(test)):
        raise ValueError(f"{dataset.name} has too few rows ({len(dataset.y)}) for training, validation and test")
    preprocessing = _fit(dataset, train)

    def part(rows: Tensor) -> Part:
        rows = rows.sort().values
        lengths = None if dataset.lengths is None else dataset.lengths[rows]
        x = preprocessing.apply(dataset.x[rows])
        if lengths is not None and x.is_floating_point():
            x[torch.arange(x.shape[1]) >= lengths[:, None]] = 0.0  # what is beyond the end says nothing
        return Part(x, dataset.y[rows], lengths)

    parts = (part(train), part(validation), part(test))
    return Split(_describe(dataset, parts[0], preprocessing), *parts)


def _fit(dataset: Dataset, train: Tensor) -> Preprocessing:
    if dataset.form == "table":
        return fit_table(dataset.columns, dataset.x[train])
    if dataset.form == "text":
        return fit_vocabulary(dataset.x[train])
    if not dataset.standardized or not dataset.x.is_floating_point():
        return Unchanged()
    lengths = None if dataset.lengths is None else dataset.lengths[train]
    return fit_channels(dataset.x[train], 1 if dataset.form == "image" else 2, lengths)


def _describe(dataset: Dataset, train: Part, preprocessing: Preprocessing) -> Schema:
    mean, deviation = moments(train.y) if dataset.task == "regression" else (0.0, 1.0)
    source = dataset.source
    if isinstance(preprocessing, Vocabulary):
        source = tuple(source[word] for word in preprocessing.kept)
    return Schema(
        dataset.name,
        dataset.form,
        dataset.task,
        tuple(train.x.shape[1:]),
        dataset.classes,
        dataset.heads,
        source,
        dataset.target,
        mean,
        deviation,
        train.y.shape[1] if dataset.task == "seq2seq" else 0,
        preprocessing,
    )
