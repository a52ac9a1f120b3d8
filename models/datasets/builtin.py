"""The built-in sets, from scikit-learn's own files: no download."""

from typing import Any

import torch
from sklearn import datasets as bundled

from models.catalog import DATASETS
from models.datasets.dataset import Dataset
from models.datasets.preprocessing import Column

_READERS = {
    "digits": bundled.load_digits,
    "iris": bundled.load_iris,
    "wine": bundled.load_wine,
    "breast_cancer": bundled.load_breast_cancer,
    "diabetes": bundled.load_diabetes,
}
_IMAGES = {"digits"}


def load(name: str) -> Dataset:
    """A built-in set by its name, never a path: names may come from a request. Raises ValueError for an unknown one."""
    if name not in _READERS:
        raise ValueError(f"there is no built-in data set {name!r}; there are {', '.join(_READERS)}")
    bunch: Any = _READERS[name]()  # scikit-learn has no types
    classification = DATASETS[name].task == "classification"
    scale = "pixels" if name in _IMAGES else ""
    return Dataset(
        name=name,
        task=DATASETS[name].task,
        x=torch.tensor(bunch.data, dtype=torch.float32),
        y=torch.tensor(bunch.target, dtype=torch.int64 if classification else torch.float32),
        columns=tuple(Column(str(feature), scale=scale) for feature in bunch.feature_names),
        classes=tuple(str(c) for c in bunch.target_names) if classification else (),
    )
