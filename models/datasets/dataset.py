"""Data in memory: a set as it was read, a part of it that a learner can take, and a split into parts."""

from dataclasses import dataclass, field

from torch import Tensor

from models.catalog import Task
from models.datasets.preprocessing import Column, Preprocessing


@dataclass(frozen=True, eq=False)
class Dataset:
    """Rows as they were read, before any fitting.

    x (N, F): numbers, and the codes of categories; NaN is a missing value. Float32, or float64 from a table, whose
    raw numbers may be dates. y (N,): class indices (int64) or the numbers to predict (float32).
    """

    name: str
    task: Task
    x: Tensor  # (N, F)
    y: Tensor  # (N,)
    columns: tuple[Column, ...]
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Part:
    """Preprocessed rows: x (N, F) float32, standardized; y (N,) class indices (int64) or numbers in their own unit."""

    x: Tensor
    y: Tensor


@dataclass(frozen=True, eq=False)
class Split:
    """Training, validation and test part, preprocessed by what was fitted on the training part alone.

    With k folds, `folds` holds k splits that share the test rows and take turns in validation (chapter 5.3.1); the
    split's own parts are those of the first.
    """

    name: str
    task: Task
    train: Part
    validation: Part
    test: Part
    classes: tuple[str, ...]
    preprocessing: Preprocessing
    folds: tuple["Split", ...] = field(default=())
