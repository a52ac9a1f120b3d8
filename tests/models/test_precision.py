"""Mixed precision: training steps in bfloat16, everything else in float32."""

import math

import pytest
import torch

from models.datasets import load, split
from models.families import build
from tests.models.test_battery import ROWS
from tests.models.tiny import tiny


def error(precision, seed):
    learner = build("mlp", {"epochs": 12, "precision": precision}, seed=seed)
    return list(learner.fit(split(load("digits"), 0)))[-1].metrics["val_error"]


def test_digits_are_learned_in_bfloat16_as_well_as_in_float32():
    halves, wholes = ([error(precision, seed) for seed in (1, 2)] for precision in ("bfloat16", "float32"))
    assert max(halves) < 0.06
    assert abs(sum(halves) - sum(wholes)) / 2 < 0.02


def test_parameters_stay_float32_and_resuming_gives_the_same():
    data, params = split(load("iris"), 0), {"epochs": 4, "precision": "bfloat16"}
    whole, half, rest = (build("mlp", params) for _ in range(3))
    expected = list(whole.fit(data))
    epochs = half.fit(data)
    next(epochs), next(epochs)
    assert list(rest.fit(data, resume=half.state())) == expected[2:]
    assert {tensor.dtype for tensor in whole.parameters().values()} == {torch.float32}


@pytest.mark.parametrize("optimizer", ["lbfgs", "newton"])
def test_rules_that_need_more_precision_are_refused(optimizer):
    with pytest.raises(ValueError, match="precision must be float32"):
        build("mlp", {"precision": "bfloat16", "optimizer": optimizer})


@pytest.mark.parametrize("row", [row for row in ROWS if "precision" in row.about.parameters], ids=str)
def test_every_net_trains_in_bfloat16(row):
    learner = build(row.trainer, {**row.params, "epochs": 2, "precision": "bfloat16"})
    assert all(math.isfinite(value) for epoch in learner.fit(tiny(row.data)) for value in epoch.metrics.values())
