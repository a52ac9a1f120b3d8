"""Learning theory that can be computed (chapter 5): bias and variance, the VC bound, divergences, irrelevant features.

Knows no trainer: estimators and fits come in as functions.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor

from models.datasets import Column, Dataset

# training inputs (m, …) and targets (m,) → the predictions (M,) that the model fitted to them makes at given inputs
FitAndPredict = Callable[[Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Estimate:
    """How an estimator does over many samples (section 5.4): error = bias² + variance."""

    bias: float
    variance: float
    error: float  # mean squared


def judge_estimator(estimate: Callable[[Tensor], Tensor], samples: Tensor, truth: float) -> Estimate:
    """By samples (R, m), of which `estimate` makes R estimates (R,); each part is itself an estimate, over R."""
    values = estimate(samples).double()
    bias, variance = values.mean() - truth, values.var(correction=0)
    return Estimate(bias.item(), variance.item(), (values - truth).square().mean().item())


@dataclass(frozen=True)
class Decomposition:
    """The expected squared error at new points: bias² of the models' mean, their variance, and the target's noise."""

    bias_squared: float
    variance: float
    noise: float
    error: float  # measured on new noisy targets; about the sum of the three

    @property
    def total(self) -> float:
        return self.bias_squared + self.variance + self.noise


def decompose_error(
    fit: FitAndPredict,
    truth: Callable[[Tensor], Tensor],
    *,
    inputs: Callable[[int, Generator], Tensor],
    noise: float,
    rows: int,
    resamples: int,
    generator: Generator,
) -> Decomposition:
    """Fits anew to `resamples` training sets of `rows` rows, y = truth(x) + Gaussian noise of that deviation.

    All are judged at the same `rows` × 8 new points of the distribution of inputs (section 5.4.4, with the noise that
    no model can know).
    """
    points = inputs(8 * rows, generator)
    wanted = truth(points).double()
    predictions = []
    for _ in range(resamples):
        x = inputs(rows, generator)
        y = truth(x) + noise * torch.randn(rows, generator=generator, dtype=torch.float64)
        predictions.append(fit(x, y, points).double())
    models = torch.stack(predictions)  # (R, M)
    targets = wanted + noise * torch.randn(models.shape, generator=generator, dtype=torch.float64)
    return Decomposition(
        bias_squared=(models.mean(dim=0) - wanted).square().mean().item(),
        variance=models.var(dim=0, correction=0).mean().item(),
        noise=noise * noise,
        error=(models - targets).square().mean().item(),
    )


def vc_bound(h: float, m: float, eta: float) -> float:
    """By how much the test error may exceed the training error, but with probability eta (section 5.2; Vapnik 1995).

    √((h (log(2m / h) + 1) - log(η / 4)) / m) for VC dimension h and m training rows; it holds for m > h, is above 1 and
    says nothing where m is not many times h. The notes set the + 1 within the logarithm, which is a little less.
    ValueError for arguments out of range.
    """
    if not (h > 0 and m > h and 0 < eta <= 1):
        raise ValueError(f"the bound is for 0 < h < m and 0 < eta <= 1, not h = {h}, m = {m}, eta = {eta}")
    return math.sqrt((h * (math.log(2.0 * m / h) + 1.0) - math.log(eta / 4.0)) / m)


def entropy(p: Tensor) -> Tensor:
    """H(p) = -Σ p log p in nats, of distributions (…, K) → (…); 0 log 0 is 0 (section 3.13)."""
    return -torch.xlogy(p, p).sum(dim=-1)


def cross_entropy(p: Tensor, q: Tensor) -> Tensor:
    """H(p, q) = -Σ p log q in nats, (…, K) → (…); infinite where q excludes what p does not.

    What maximum likelihood minimizes over q, as it does the divergence: they differ by H(p), which q has no part in.
    """
    return -torch.xlogy(p, q).sum(dim=-1)


def kl_divergence(p: Tensor, q: Tensor) -> Tensor:
    """D(p‖q) = Σ p log(p / q) = H(p, q) - H(p) ≥ 0 in nats, (…, K) → (…)."""
    ratio = torch.where(p > 0, p / q, torch.ones_like(p))
    return torch.xlogy(p, ratio).sum(dim=-1)


def add_irrelevant(data: Dataset, features: int, seed: int) -> Dataset:
    """The table with so many columns more, of Gaussian noise: of the scale of standardized ones, and telling nothing.

    Distances are then mostly noise, and methods that trust in the neighbourhood fail: the curse of dimensionality
    (section 5.11.1). A model that weighs its features need not.
    """
    noise = torch.randn(len(data.x), features, generator=Generator().manual_seed(seed), dtype=data.x.dtype)
    columns = tuple(Column(f"noise{position + 1}") for position in range(features))
    return replace(data, x=torch.cat([data.x, noise], dim=1), columns=(*data.columns, *columns))


def fit_polynomial(degree: int) -> FitAndPredict:
    """Least squares in Chebyshev's polynomials up to the degree, for inputs (m, 1) within [-1, 1]."""

    def expand(x: Tensor) -> Tensor:
        return torch.cat([torch.cos(n * torch.arccos(x.double())) for n in range(degree + 1)], dim=1)

    def fit(x: Tensor, y: Tensor, points: Tensor) -> Tensor:
        weight: Tensor = torch.linalg.lstsq(expand(x), y.double()[:, None]).solution
        return torch.matmul(expand(points), weight)[:, 0]

    return fit


def trace_capacity(degrees: Sequence[int], decompose: Callable[[FitAndPredict], Decomposition]) -> list[Decomposition]:
    """The decomposition for polynomials of each degree: bias falls, variance rises, their sum has the U shape."""
    return [decompose(fit_polynomial(degree)) for degree in degrees]
