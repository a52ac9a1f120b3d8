"""The analysis of variance against Optuna's, over the same forest, and against a closed form."""

import numpy as np
import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.importance import FanovaImportanceEvaluator

from service.dashboard.figures.fanova import main_effects


def points(n: int, d: int) -> np.ndarray:
    return np.random.default_rng(0).random((n, d))


def test_shares_are_those_of_optunas_evaluator():
    X = points(60, 3)
    y = (X[:, 0] - 0.3) ** 2 + 0.5 * X[:, 1] * X[:, 2]
    study = optuna.create_study()
    distributions = {name: FloatDistribution(0.0, 1.0) for name in "abc"}
    study.add_trials(
        optuna.trial.create_trial(
            params=dict(zip("abc", row.tolist(), strict=True)), distributions=distributions, value=v
        )
        for row, v in zip(X, y.tolist(), strict=True)
    )
    theirs = FanovaImportanceEvaluator(n_trees=8, seed=3).evaluate(study)
    assert main_effects(X, y, n_trees=8, seed=3) == pytest.approx([theirs[name] for name in "abc"])


def test_shares_of_a_sum_are_its_terms_variances():
    X = points(2000, 2)
    y = 2 * X[:, 0] + X[:, 1]  # variances 4/12 and 1/12
    assert main_effects(X, y, n_trees=16, seed=0) == pytest.approx([0.8, 0.2], abs=0.02)


def test_constant_values_have_nothing_to_explain():
    assert main_effects(points(20, 2), np.ones(20), n_trees=4, seed=0) == pytest.approx([0.0, 0.0])
