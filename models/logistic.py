"""Logistic and softmax regression (section 5.7.1): an affine map into a sigmoid (two classes) or a softmax (more)."""

from typing import Any

from models.descent import Descent, Training
from models.linear import make_affine


def build(*, seed: int, **training: Any) -> Descent:  # training: the catalogue's DESCENT
    """Maximum likelihood, which is the least cross-entropy; the output unit follows from the number of classes."""
    return Descent(make_affine, Training.of(**training), seed=seed)
