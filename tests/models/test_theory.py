"""Bias and variance, the VC bound and divergences, each a second way; and the curse of dimensionality."""

import math

import numpy as np
import pytest
import scipy.stats
import torch
from torch import Generator, Tensor

from models.datasets import load, split
from models.datasets.generated import true_polynomial
from models.families import build
from models.theory import (
    Decomposition,
    FitAndPredict,
    add_irrelevant,
    cross_entropy,
    decompose_error,
    entropy,
    fit_polynomial,
    judge_estimator,
    kl_divergence,
    trace_capacity,
    vc_bound,
)


def test_the_mean_is_unbiased_and_the_samples_variance_is_not() -> None:
    samples = 1.0 + 2.0 * torch.randn(40_000, 8, generator=Generator().manual_seed(0), dtype=torch.float64)
    mean = judge_estimator(lambda rows: rows.mean(dim=1), samples, truth=1.0)
    assert mean.bias == pytest.approx(0.0, abs=0.02)
    assert mean.variance == pytest.approx(4.0 / 8, rel=0.03)  # σ² / m
    variance = judge_estimator(lambda rows: rows.var(dim=1, correction=0), samples, truth=4.0)
    assert variance.bias == pytest.approx(-4.0 / 8, rel=0.06)  # -σ² / m
    assert judge_estimator(lambda rows: rows.var(dim=1), samples, truth=4.0).bias == pytest.approx(0.0, abs=0.05)
    for found in (mean, variance):
        assert found.error == pytest.approx(found.bias**2 + found.variance, rel=1e-9)


def decompose(fit: FitAndPredict, noise: float = 0.5) -> Decomposition:
    def inputs(rows: int, generator: Generator) -> Tensor:
        return 2.0 * torch.rand(rows, 1, generator=generator, dtype=torch.float64) - 1.0

    return decompose_error(
        fit,
        lambda x: true_polynomial(x[:, 0]),
        inputs=inputs,
        noise=noise,
        rows=60,
        resamples=100,
        generator=Generator().manual_seed(0),
    )


def test_bias_falls_and_variance_rises_with_capacity_and_their_sum_is_a_u() -> None:
    degrees = (1, 3, 4, 5, 6, 8, 12)
    found = dict(zip(degrees, trace_capacity(degrees, decompose), strict=True))
    assert min(degrees, key=lambda degree: found[degree].total) == 5  # the true one
    assert found[1].bias_squared > 10 * found[5].bias_squared
    assert found[5].variance < found[8].variance < found[12].variance
    for degree in (1, 3, 4, 5, 6):  # measured on new targets, not summed
        assert found[degree].error == pytest.approx(found[degree].total, rel=0.05)


def test_the_variance_of_a_constant_model_is_the_targets_by_the_number_of_rows() -> None:
    found = decompose(fit_polynomial(0))
    grid = true_polynomial(torch.linspace(-1, 1, 10_001, dtype=torch.float64))
    spread = grid.var().item()
    assert found.variance == pytest.approx((spread + found.noise) / 60, rel=0.2)
    assert found.bias_squared == pytest.approx(spread, rel=0.2)


def test_the_vc_bound_is_its_formula_and_grows_with_capacity_and_shrinks_with_data() -> None:
    by_hand = math.sqrt((3 * (math.log(2 * 1000 / 3) + 1) - math.log(0.05 / 4)) / 1000)
    assert vc_bound(3, 1000, 0.05) == pytest.approx(by_hand)
    assert vc_bound(3, 1000, 0.05) < vc_bound(30, 1000, 0.05) < vc_bound(30, 500, 0.05)
    assert vc_bound(3, 1000, 0.05) < vc_bound(3, 1000, 0.01)
    for h, m, eta in ((0, 10, 0.1), (10, 10, 0.1), (1, 10, 0.0), (1, 10, 1.5)):
        with pytest.raises(ValueError, match="the bound is for"):
            vc_bound(h, m, eta)


def test_the_vc_bound_holds_for_thresholds_on_a_line() -> None:
    """VC dimension 1: the best threshold for noisy labels, in 300 samples; its true error is known exactly."""
    generator, flipped, m, exceeded = np.random.default_rng(0), 0.2, 50, 0
    for _ in range(300):
        x = np.sort(generator.random(m))
        y = (x > 0.5) ^ (generator.random(m) < flipped)
        wrong = np.concatenate([[0], np.cumsum(y)]) + np.concatenate([np.cumsum(~y[::-1])[::-1], [0]])
        best = int(wrong.argmin())  # the first `best` rows are said to be 0
        threshold = x[best - 1] if best else 0.0
        true_error = flipped + (1 - 2 * flipped) * abs(threshold - 0.5)
        exceeded += true_error - wrong[best] / m > vc_bound(1, m, 0.05)
    assert exceeded / 300 <= 0.05


def test_divergences_are_scipys_and_torchs() -> None:
    generator = Generator().manual_seed(0)
    p, q = (torch.rand(20, 6, generator=generator, dtype=torch.float64).softmax(dim=1) for _ in range(2))
    np.testing.assert_allclose(kl_divergence(p, q), scipy.stats.entropy(p, q, axis=1), rtol=1e-9)
    np.testing.assert_allclose(entropy(p), scipy.stats.entropy(p, axis=1), rtol=1e-9)
    torch.testing.assert_close(cross_entropy(p, q), torch.nn.functional.cross_entropy(q.log(), p, reduction="none"))


def test_divergence_and_cross_entropy_differ_by_what_the_model_has_no_part_in() -> None:
    p = torch.tensor([0.7, 0.2, 0.1, 0.0], dtype=torch.float64)
    models = torch.rand(50, 4, generator=Generator().manual_seed(1), dtype=torch.float64).softmax(dim=1)
    apart = cross_entropy(p, models) - kl_divergence(p, models)
    torch.testing.assert_close(apart, entropy(p).expand(50))
    assert kl_divergence(p, models).argmin() == cross_entropy(p, models).argmin()
    assert kl_divergence(p, p) == 0.0


def test_what_the_model_excludes_but_the_truth_does_not_costs_infinitely() -> None:
    p, q = torch.tensor([0.5, 0.5]), torch.tensor([1.0, 0.0])
    assert kl_divergence(p, q) == cross_entropy(p, q) == math.inf
    assert kl_divergence(q, p).item() == pytest.approx(math.log(2))


def test_neighbours_suffer_from_irrelevant_features_and_a_net_with_l1_hardly() -> None:
    errors = {}
    for irrelevant in (0, 50):
        parts = split(add_irrelevant(load("blobs"), irrelevant, seed=0))
        for trainer, params in (("knn", {"k": 10}), ("mlp", {"width": 16, "hidden_layers": 1, "l1": 0.006})):
            errors[trainer, irrelevant] = list(build(trainer, params).fit(parts))[-1].metrics["val_error"]
    assert errors["knn", 50] > errors["knn", 0] + 0.25
    assert errors["mlp", 50] < errors["mlp", 0] + 0.06
