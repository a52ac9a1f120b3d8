"""A user's own images and sequences: what stands in the file is what is trained on."""

from pathlib import Path

import numpy as np
import pytest
import torch

from models.datasets import IGNORED, load_arrays, split
from models.families import build


def test_sequences_keep_their_lengths_and_what_is_beyond_is_zero(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    x, lengths = random.normal(3.0, 2.0, (40, 5, 2)), random.integers(1, 6, 40)
    np.savez(tmp_path / "s.npz", x=x, y=random.normal(size=40), lengths=lengths)
    parts = split(load_arrays(tmp_path / "s.npz", task="regression"))
    assert parts.schema.form == "sequence"
    assert parts.train.lengths is not None
    beyond = torch.arange(5) >= parts.train.lengths[:, None]
    assert (parts.train.x[beyond] == 0.0).all()
    assert parts.train.x[~beyond].mean(dim=0).abs().max() < 1e-5


def test_classes_are_the_values_in_order_and_negative_ones_are_classes_too(tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", x=np.zeros((4, 1, 2, 2)), y=np.array([1, -1, 1, 7]))
    data = load_arrays(tmp_path / "s.npz", task="classification")
    assert (data.form, data.classes, data.y.tolist()) == ("image", ("-1", "1", "7"), [1, 0, 1, 2])


def test_where_no_label_is_asked_none_counts(tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", x=np.zeros((2, 3, 1)), y=np.array([[-1, 4, 9], [9, -1, -1]]))
    data = load_arrays(tmp_path / "s.npz", task="labelling")
    assert data.classes == ("4", "9")
    assert data.y.tolist() == [[IGNORED, 0, 1], [1, IGNORED, IGNORED]]


def test_images_are_learned(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    y = np.arange(200) % 2
    np.savez(tmp_path / "s.npz", x=random.normal(size=(200, 1, 3, 3)) + 2.0 * y[:, None, None, None], y=y)
    curve = list(build("logistic", {"epochs": 20}).fit(split(load_arrays(tmp_path / "s.npz", task="classification"))))
    assert curve[-1].metrics["val_error"] < 0.05


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.zeros((3, 2))}, "no array 'y'"),
        ({"x": np.zeros(3), "y": np.zeros(3)}, "x is"),
        ({"x": np.zeros((3, 2)), "y": np.zeros(4)}, "does not fit"),
        ({"x": np.zeros((3, 2)), "y": np.array([None] * 3)}, "cannot be read"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    np.savez(tmp_path / "s.npz", **arrays)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=message):
        load_arrays(tmp_path / "s.npz", task="regression")
