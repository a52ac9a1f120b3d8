"""The data sets that come with scikit-learn's own files: tables, and the handwritten digits.

scikit-learn is loaded only where it is needed: it costs each process two seconds, as much as torch.
"""

import importlib
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.catalog import DATASETS
from models.datasets.dataset import Dataset
from models.datasets.preprocessing import Column

DIGITS = "datasets/data/digits.csv.gz"


def read_table(name: str) -> Dataset:
    """A table by the name that scikit-learn's loader has too."""
    bunch: Any = getattr(importlib.import_module("sklearn.datasets"), f"load_{name}")()  # scikit-learn has no types
    task = DATASETS[name].task
    return Dataset(
        name=name,
        task=task,
        x=torch.tensor(bunch.data, dtype=torch.float32),
        y=torch.tensor(bunch.target, dtype=torch.int64 if task == "classification" else torch.float32),
        columns=tuple(Column(str(feature)) for feature in bunch.feature_names),
        classes=tuple(str(c) for c in bunch.target_names) if task == "classification" else (),
    )


def read_digits(name: str) -> Dataset:
    """The pictures, by their digit."""
    images, digits = digit_images()
    return Dataset(name, "classification", images, digits, classes=tuple("0123456789"), form="image")


def digit_images() -> tuple[Tensor, Tensor]:
    """(1797, 1, 8, 8) float32 from 0 to 16 and (1797,) int64, from the file that scikit-learn's load_digits reads."""
    found = importlib.util.find_spec("sklearn")
    if found is None or found.origin is None:
        raise ValueError("the digits need the package scikit-learn")
    table = np.loadtxt(Path(found.origin).parent / DIGITS, delimiter=",", dtype=np.float32)
    return torch.from_numpy(table[:, :-1].reshape(-1, 1, 8, 8).copy()), torch.from_numpy(table[:, -1].astype(np.int64))
