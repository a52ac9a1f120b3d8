"""A user's own images and sequences from an NPZ file: arrays `x`, `y` and, where sequences differ in it, `lengths`."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.catalog import Form, Task
from models.datasets.dataset import IGNORED, Dataset
from models.datasets.preprocessing import Column

FORMS: dict[int, Form] = {2: "table", 3: "sequence", 4: "image"}  # by the dimensions of x


def load_arrays(path: Path | str, *, task: Task) -> Dataset:
    """x: (N, F), (N, T, F) sequences or (N, C, H, W) images; y: (N,), or (N, T) for labelling, negative: nothing asked.

    Classes are the different values that are asked, in order. Raises ValueError that names what is wrong.
    """
    path = Path(path)
    arrays = _read(path)
    x, y = arrays["x"], arrays["y"]
    if x.ndim not in FORMS:
        raise ValueError(f"x is {x.shape}; it must be (N, F), (N, T, F) or (N, C, H, W)")
    if y.shape != (x.shape[:2] if task == "labelling" else x.shape[:1]):
        raise ValueError(f"y is {y.shape}, which does not fit x {x.shape} for {task}")
    targets, classes = (
        (_numbers(y), ()) if task == "regression" else _classes(y, y >= 0 if task == "labelling" else y == y)
    )
    lengths = arrays.get("lengths")
    return Dataset(
        path.stem,
        task,
        torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32)),
        targets,
        columns=tuple(Column(f"x{i}") for i in range(x.shape[1])) if x.ndim == 2 else (),
        classes=classes,
        form=FORMS[x.ndim],
        lengths=None if lengths is None else torch.from_numpy(lengths.astype(np.int64)),
    )


def _read(path: Path) -> dict[str, Any]:  # Any: arrays of whatever numbers
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"the arrays cannot be read: {error}") from error
    for name in ("x", "y"):
        if name not in arrays:
            raise ValueError(f"there is no array {name!r}; there are {', '.join(arrays)}")
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):  # NumPy gives the bytes of a member that is none
            raise ValueError(f"{name!r} is no array")
    return arrays


def _numbers(y: Any) -> Tensor:  # Any: an array
    return torch.from_numpy(y.astype(np.float32))


def _classes(y: Any, asked: Any) -> tuple[Tensor, tuple[str, ...]]:  # Any: arrays
    """Positions among the classes, IGNORED where none is asked, and the classes' names in the order of their size."""
    values = np.unique(y[asked])
    positions = np.where(asked, np.searchsorted(values, y), IGNORED)
    return torch.from_numpy(positions.astype(np.int64)), tuple(f"{value:g}" for value in values)
