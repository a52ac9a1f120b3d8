"""Polynomial regression against numpy's, against ridge's normal equations, and the U over the degree."""

import math

import numpy as np
import pytest
import torch
from numpy.polynomial import Legendre, Polynomial

from models.catalog import Value
from models.datasets import Column, Dataset, Split, load, split
from models.datasets.generated import DEGREE, NOISE, true_polynomial
from models.families import build
from models.polynomial import legendre, list_terms, solve_ridge
from models.training import Learner


def fit(parts: Split, **params: Value) -> Learner:
    learner = build("polynomial", params)
    list(learner.fit(parts))
    return learner


@pytest.mark.parametrize("degree", [1, 5, 15])
def test_of_one_feature_it_is_numpys_least_squares_fit(degree: int) -> None:
    parts = split(load("polynomial"))
    x, y, new = parts.train.x[:, 0].double(), parts.train.y.double(), parts.validation.x[:, 0].double()
    np.testing.assert_allclose(
        fit(parts, degree=degree).predict(parts.validation.x), Legendre.fit(x, y, degree)(new.numpy()), rtol=1e-4
    )


def test_of_several_features_it_finds_a_polynomial_with_products_exactly() -> None:
    x = torch.randn(200, 3, generator=torch.Generator().manual_seed(0))
    y = 1.0 - 2.0 * x[:, 0] * x[:, 1] + x[:, 2] ** 3 + x[:, 0] * x[:, 1] * x[:, 2]
    parts = split(Dataset("products", "regression", x, y, tuple(Column(name) for name in "abc")))
    for degree, interactions, exact in ((3, True, True), (2, True, False), (3, False, False), (6, False, False)):
        learner = fit(parts, degree=degree, interactions=interactions)
        wrong = (learner.predict(parts.validation.x) - parts.validation.y).abs().max().item()
        assert (wrong < 1e-4) == exact


def test_without_products_the_function_is_a_sum_of_functions_of_one_feature() -> None:
    parts = split(load("diabetes"))
    learner = fit(parts, degree=3, interactions=False)
    a, b = parts.train.x[:1], parts.train.x[1:2]
    mixed = [torch.cat([left[:, :4], right[:, 4:]], dim=1) for left, right in ((a, a), (b, b), (a, b), (b, a))]
    both, neither, first, second = (learner.predict(x) for x in mixed)
    torch.testing.assert_close(both + neither, first + second)


def test_ridge_solves_the_normal_equations_and_needs_no_full_rank() -> None:
    generator = torch.Generator().manual_seed(0)
    phi, y = torch.randn(30, 8, generator=generator).double(), torch.randn(30, generator=generator).double()
    expected = torch.linalg.solve(2 / 30 * phi.T @ phi + 0.7 * torch.eye(8).double(), 2 / 30 * phi.T @ y)
    torch.testing.assert_close(solve_ridge(phi, y, 0.7), expected)
    wide = torch.cat([phi, phi], dim=1)  # each column twice: of all solutions the shortest shares equally
    torch.testing.assert_close(
        solve_ridge(wide, y, 0.0), torch.linalg.lstsq(phi, y[:, None]).solution[:, 0].repeat(2) / 2
    )


def test_the_penalty_shrinks_the_weights_to_the_mean() -> None:
    parts = split(load("polynomial"))
    sizes = [fit(parts, degree=9, l2=l2).parameters()["0.weight"].norm().item() for l2 in (0.0, 0.1, 10.0, 1e6)]
    assert sizes == sorted(sizes, reverse=True)
    predicted = fit(parts, degree=9, l2=1e6).predict(parts.test.x)
    torch.testing.assert_close(predicted, torch.full_like(predicted, parts.schema.target_mean), atol=1e-3, rtol=0)


def test_the_basis_is_legendres_and_orthonormal_on_an_even_grid() -> None:
    t = torch.linspace(-1.0, 1.0, 20_001, dtype=torch.float64)[:, None]
    values = legendre(t, 6)[:, :, 0]
    for n in range(7):
        np.testing.assert_allclose(values[::500, n], math.sqrt(2 * n + 1) * Legendre.basis(n)(t[::500, 0].numpy()))
    torch.testing.assert_close(values.T @ values / len(t), torch.eye(7, dtype=torch.float64), atol=5e-3, rtol=0)


def test_terms_are_all_monomials_up_to_the_total_degree() -> None:
    factors = list_terms(4, 3, interactions=True)
    exponents = torch.zeros(factors.shape[1], 4, dtype=torch.int64)
    for row in factors:
        exponents[torch.arange(len(row)), row % 4] += row // 4
    found = {tuple(one) for one in exponents.tolist()}
    assert len(found) == factors.shape[1] == math.comb(7, 3) - 1
    assert all(1 <= sum(one) <= 3 for one in found)


def test_too_many_terms_are_refused_with_advice() -> None:
    schema_of_digits = split(load("digits")).schema
    assert schema_of_digits.size == 64
    with pytest.raises(ValueError, match=r"degree 3 in 64 features has 47904 terms.*or set interactions to false"):
        list_terms(64, 3, interactions=True)
    assert list_terms(64, 3, interactions=False).shape == (1, 192)


def test_the_built_in_set_is_what_its_formula_says() -> None:
    data = load("polynomial")
    fitted = Polynomial.fit(np.linspace(-1, 1, 50), true_polynomial(torch.linspace(-1, 1, 50)), 8).convert()
    assert np.flatnonzero(np.abs(fitted.coef) > 1e-3).max() == DEGREE
    noise = data.y - true_polynomial(data.x[:, 0])
    assert noise.mean().abs() < 0.1
    assert noise.std().item() == pytest.approx(NOISE, rel=0.15)


def test_the_validation_error_is_a_u_over_the_degree_with_its_minimum_at_the_true_one() -> None:
    for seed in range(2):
        parts = split(load("polynomial"), seed, folds=5)
        errors = {}
        for degree in range(1, 16):
            [epoch] = build("polynomial", {"degree": degree}).fit(parts)
            errors[degree] = epoch.metrics["val_mse"]
        best = min(errors, key=errors.__getitem__)
        assert abs(best - DEGREE) <= 1
        assert errors[1] > 2 * errors[best]  # underfits
        assert errors[15] > 1.05 * errors[best]  # overfits
