"""Logistic and softmax regression (section 5.7.1): an affine map into a sigmoid (two classes) or a softmax (more)."""

from typing import Any

from models.descent import Descent
from models.linear import make_affine
from models.optimizers import Rule


def build(*, seed: int, epochs: int, batch_size: int, **rule: Any) -> Descent:  # rule: the fields of Rule
    """Maximum likelihood, which is the least cross-entropy; the output unit follows from the number of classes."""
    return Descent(make_affine, Rule(**rule), epochs=epochs, batch_size=batch_size, seed=seed)
