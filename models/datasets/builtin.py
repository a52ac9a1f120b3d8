"""The built-in sets, from scikit-learn's own files: no download."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from sklearn import datasets as bundled

from models.catalog import DATASETS
from models.datasets.dataset import Dataset
from models.datasets.generated import read_blobs, read_moons, read_polynomial
from models.datasets.mnist import read_fashion_mnist, read_mnist1d, read_mnist_5k
from models.datasets.pairs import read_dates, read_reversal, read_spelled_digits
from models.datasets.parity import read_digits_parity
from models.datasets.preprocessing import Column
from models.datasets.pronunciation import read_cmudict
from models.datasets.sequences import SEQUENCES
from models.datasets.text import read_python_docs

_BUNDLED = {
    "digits": bundled.load_digits,
    "iris": bundled.load_iris,
    "wine": bundled.load_wine,
    "breast_cancer": bundled.load_breast_cancer,
    "diabetes": bundled.load_diabetes,
}


def load(name: str) -> Dataset:
    """A built-in set by its name, never a path: names may come from a request. Raises ValueError for an unknown one."""
    if name not in READERS:
        raise ValueError(f"there is no built-in data set {name!r}; there are {', '.join(READERS)}")
    return READERS[name](name)


def _read_table(name: str) -> Dataset:
    bunch: Any = _BUNDLED[name]()  # scikit-learn has no types
    task = DATASETS[name].task
    return Dataset(
        name=name,
        task=task,
        x=torch.tensor(bunch.data, dtype=torch.float32),
        y=torch.tensor(bunch.target, dtype=torch.int64 if task == "classification" else torch.float32),
        columns=tuple(Column(str(feature)) for feature in bunch.feature_names),
        classes=tuple(str(c) for c in bunch.target_names) if task == "classification" else (),
    )


def _read_digits(name: str) -> Dataset:
    table = _read_table(name)
    return replace(table, x=table.x.reshape(-1, 1, 8, 8), columns=(), form="image")


READERS: dict[str, Callable[[str], Dataset]] = {
    **dict.fromkeys(("iris", "wine", "breast_cancer", "diabetes"), _read_table),
    "digits": _read_digits,
    "mnist_5k": read_mnist_5k,
    "fashion_mnist": read_fashion_mnist,
    "mnist1d": read_mnist1d,
    "digits_parity": read_digits_parity,
    "polynomial": read_polynomial,
    "moons": read_moons,
    "blobs": read_blobs,
    "python_docs": read_python_docs,
    "reversal": read_reversal,
    "dates": read_dates,
    "spelled_digits": read_spelled_digits,
    "cmudict": read_cmudict,
    **SEQUENCES,
}
