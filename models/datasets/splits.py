"""Splitting a data set into training, validation and test part, or into folds (chapter 5.3). The seed decides alone."""

from dataclasses import replace

import torch
from torch import Tensor

from models.datasets.dataset import Dataset, Part, Split
from models.datasets.preprocessing import fit


def split(dataset: Dataset, seed: int = 0, *, folds: int = 1, validation: float = 0.2, test: float = 0.2) -> Split:
    """Disjoint parts, with each class in proportion; the same for the same seed, whatever is trained on them.

    The test part depends on the seed alone, not on `folds`; with folds, each validates a k-th of the other rows.
    Raises ValueError where a part would be empty.
    """
    order = _shuffle(dataset, seed)
    tested = _spread(len(order), test)
    rest = order[~tested]
    if folds > 1:
        turns = [torch.arange(len(rest)) % folds == turn for turn in range(folds)]
    else:
        turns = [_spread(len(rest), validation / (1.0 - test))]
    splits = [_assemble(dataset, rest[~turn], rest[turn], order[tested]) for turn in turns]
    return replace(splits[0], folds=tuple(splits)) if folds > 1 else splits[0]


def _shuffle(dataset: Dataset, seed: int) -> Tensor:
    """Row numbers in random order; for classes, one class after the other, so that equal steps take equal shares."""
    order = torch.randperm(len(dataset.y), generator=torch.Generator().manual_seed(seed))
    return order[dataset.y[order].argsort(stable=True)] if dataset.task == "classification" else order


def _spread(rows: int, share: float) -> Tensor:
    """(rows,) of bool: `share` of them true, evenly spread."""
    passed = torch.floor(torch.arange(rows + 1, dtype=torch.float64) * share + 0.5)
    return passed[1:] > passed[:-1]


def _assemble(dataset: Dataset, train: Tensor, validation: Tensor, test: Tensor) -> Split:
    if not (len(train) and len(validation) and len(test)):
        raise ValueError(f"{dataset.name} has too few rows ({len(dataset.y)}) for training, validation and test")
    preprocessing = fit(dataset.columns, dataset.x[train], dataset.y[train])

    def part(rows: Tensor) -> Part:
        rows = rows.sort().values
        return Part(preprocessing.apply(dataset.x[rows]), dataset.y[rows])

    parts = (part(train), part(validation), part(test))
    return Split(dataset.name, dataset.task, *parts, dataset.classes, preprocessing)
