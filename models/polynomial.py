"""Polynomial regression (section 5.2) with an L2 penalty, in closed form and float64."""

import math
from itertools import combinations_with_replacement

import torch
from torch import Tensor

from models.datasets import Schema
from models.fitted import Fitted, Learned, Shape

MOST_TERMS = 20_000
MOST_NUMBERS = 100_000_000  # of the training rows' terms: 0.8 GB
ROWS_AT_ONCE = 512


def build(*, seed: int, degree: int, l2: float, interactions: bool) -> Fitted:
    """ŷ = b + Σ wⱼ φⱼ(x), the minimum of MSE + l2/2 |w|² in deviations of the target; no randomness."""
    return Fitted(lambda schema: Polynomial(schema, degree, l2, interactions))


class Polynomial:
    """All polynomials up to a total degree, or sums of polynomials of one feature each, without interactions.

    The terms φ are products of Legendre polynomials of the features, which are scaled to [-1, 1] by the training rows'
    range: they span what monomials do, but are nearly orthogonal, so that high degrees can be solved for. They are
    scaled to mean square 1 for features spread evenly, so that L2 asks the same of each.
    """

    def __init__(self, schema: Schema, degree: int, l2: float, interactions: bool) -> None:
        self._features, self._degree, self._l2 = schema.size, degree, l2
        self._factors = list_terms(schema.size, degree, interactions)

    def shapes(self) -> dict[str, Shape]:
        features = (self._features,)
        return {"weight": (self._factors.shape[1],), "bias": (), "centre": features, "reach": features}

    def fit(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        low, high = x.double().aminmax(dim=0)
        reach = (high - low) / 2
        learned = {"centre": (high + low) / 2, "reach": torch.where(reach > 0, reach, torch.ones_like(reach))}
        terms = self._factors.shape[1]
        if len(x) * terms > MOST_NUMBERS:
            raise ValueError(f"degree {self._degree} gives {terms} terms, too many for {len(x)} rows: lower it")
        phi = self._expand(learned, x)
        mean = phi.mean(dim=0)
        weight = solve_ridge(phi - mean, y - y.mean(), self._l2)
        return {**learned, "weight": weight, "bias": y.mean() - mean @ weight}

    def outputs(self, learned: Learned, x: Tensor) -> Tensor:
        values = [self._expand(learned, rows) @ learned["weight"] for rows in torch.split(x, ROWS_AT_ONCE)]
        return (torch.cat(values) + learned["bias"])[:, None]

    def _expand(self, learned: Learned, x: Tensor) -> Tensor:
        """Features (N, F) → terms (N, P) float64."""
        scaled = (x.double() - learned["centre"]) / learned["reach"]
        table = legendre(scaled, self._degree).flatten(1)  # (N, (degree + 1) · F)
        phi = table[:, self._factors[0]]
        for factor in self._factors[1:]:
            phi *= table[:, factor]
        return phi


def list_terms(features: int, degree: int, interactions: bool) -> Tensor:
    """The terms but the constant, each as the positions of its factors (factors, P) in a table (degree + 1, F).

    Row n of that table holds degree n, so that position 0 is the factor 1. Raises ValueError for too many terms.
    """
    count = math.comb(features + degree, degree) - 1 if interactions else features * degree
    if count > MOST_TERMS:
        advice = "lower the degree" + (", or set interactions to false" if interactions else "")
        raise ValueError(f"degree {degree} in {features} features has {count} terms, above {MOST_TERMS}: {advice}")
    if not interactions:
        return torch.arange(features, features * (degree + 1))[None]
    terms = [
        [features * chosen.count(feature) + feature for feature in sorted(set(chosen))]
        for size in range(1, degree + 1)
        for chosen in combinations_with_replacement(range(features), size)
    ]
    most = min(degree, features)
    return torch.tensor([term + [0] * (most - len(term)) for term in terms]).T


def legendre(t: Tensor, degree: int) -> Tensor:
    """√(2n + 1) Pₙ(t) for n from 0 to the degree: (N, F) → (N, degree + 1, F).

    By Bonnet's recursion, (n + 1) Pₙ₊₁ = (2n + 1) t Pₙ - n Pₙ₋₁.
    """
    values = [torch.ones_like(t), t]
    for n in range(1, degree):
        values.append(((2 * n + 1) * t * values[n] - n * values[n - 1]) / (n + 1))
    return torch.stack([math.sqrt(2 * n + 1) * value for n, value in enumerate(values[: degree + 1])], dim=1)


def solve_ridge(phi: Tensor, y: Tensor, l2: float) -> Tensor:
    """The w (P,) that minimizes |φ w - y|² / N + l2/2 |w|², by singular values; of equals the shortest."""
    U, s, Vt = torch.linalg.svd(phi, full_matrices=False)  # φ (N, P)
    kept = s > s[0] * max(phi.shape) * torch.finfo(s.dtype).eps
    inverse = torch.where(kept, s / (s.square() + len(y) * l2 / 2), torch.zeros_like(s))
    solution: Tensor = Vt.T @ (inverse * (U.T @ y))
    return solution
