"""Linear regression (section 5.1.4) by gradient descent, with L2 (ridge) and L1 (lasso) penalties."""

from typing import Any

import torch
from torch import Generator, nn

from models.datasets import Schema
from models.descent import Descent, Training
from models.outputs import choose_output
from models.units import Dense, Flat


def build(*, seed: int, **training: Any) -> Descent:  # training: the catalogue's DESCENT
    """ŷ = W x + b on standardized features and target; starts from zero."""
    return Descent(make_affine, Training.of(**training), seed=seed)


def make_affine(schema: Schema, generator: Generator) -> nn.Module:
    """An affine map from zero: its loss is convex, so there is no symmetry to break by random weights."""
    return nn.Sequential(Flat(), Dense(torch.zeros(choose_output(schema).width, schema.size)))
