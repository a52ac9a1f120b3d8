"""Linear regression (section 5.1.4) by gradient descent, with L2 (ridge) and L1 (lasso) penalties."""

from typing import Any

import torch
from torch import Generator

from models.descent import Descent
from models.optimizers import Rule
from models.units import Dense


def build(*, seed: int, epochs: int, batch_size: int, **rule: Any) -> Descent:  # rule: the fields of Rule
    """ŷ = W x + b on standardized features and target; starts from zero."""
    return Descent(make_affine, Rule(**rule), epochs=epochs, batch_size=batch_size, seed=seed)


def make_affine(inputs: int, outputs: int, generator: Generator) -> Dense:
    """An affine map from zero: its loss is convex, so there is no symmetry to break by random weights."""
    return Dense(torch.zeros(outputs, inputs))
