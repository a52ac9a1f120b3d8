"""A Gaussian process over features in the unit cube: fitted once, then conditioned on more points at the same kernel.

Pure. The mean is what a prior expects; the kernel is a Matérn 5/2 with a length scale per feature, plus noise, and its
hyperparameters are the most probable ones under weak priors. Where a known point's target is uncertain, as a running
trial's is, each column of the targets is one way that it may turn out: all columns share the deviations, and each has
its own mean.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize
from scipy.spatial.distance import cdist

from service.search.prior import Prior

Array = NDArray[np.float64]
_MAX_SCALES = 32  # beyond so many features one length scale serves them all
_MAX_FITTED = 128  # points that the hyperparameters are fitted to
_MAX_STEPS = 30
_JITTERS = (1e-8, 1e-6, 1e-4)  # tried in turn, where rounding leaves a matrix short of positive definite
_LEAST_VARIANCE = 1e-18  # at a known point the variance is no more than rounding
_BOUNDS = {  # of the length scales: in units of the expected ones
    "variance": (0.05, 50.0),
    "scale": (0.1, 30.0),
    "noise": (1e-6, 1.0),
}


@dataclass(frozen=True)
class Kernel:
    """Matérn 5/2 and noise (Rasmussen and Williams, 2006, "Gaussian Processes for Machine Learning", equation 4.17)."""

    variance: float
    scales: Array  # (p,)
    noise: float

    def between(self, X: Array, Z: Array) -> Array:
        """Covariances of the function at X (m, p) and Z (n, p), without noise: (m, n)."""
        return self.variance * _covariance(cdist(X / self.scales, Z / self.scales))


@dataclass(frozen=True)
class Process:
    """What is believed of a function, given n points under one kernel and one prior."""

    prior: Prior
    kernel: Kernel
    features: Array  # (n, p)
    targets: Array  # (n, f): f ways that they may have turned out
    factor: Array  # (n, n) the lower triangular one of the covariances
    weights: Array  # (n, f) of the targets less their mean

    def means(self, X: Array) -> Array:
        """At X (m, p), for each way: (m, f)."""
        return self._means(X, self.kernel.between(X, self.features))

    def _means(self, X: Array, cross: Array) -> Array:
        means: Array = self.prior.mean(X)[:, None] + cross @ self.weights
        return means

    def predict(self, X: Array) -> tuple[Array, Array]:
        """Means (m, f) and deviations (m,) of the function at X (m, p)."""
        cross = self.kernel.between(X, self.features)
        whitened = solve_triangular(self.factor, cross.T, lower=True, check_finite=False)  # (n, m)
        variance = self.kernel.variance - np.einsum("nm,nm->m", whitened, whitened)
        return self._means(X, cross), np.sqrt(np.maximum(variance, _LEAST_VARIANCE))

    def slopes(self, x: Array) -> tuple[Array, float, Array, Array]:
        """Means (f,) and the deviation at x (p,), and their gradients: (p, f), (p,)."""
        apart = (x - self.features) / self.kernel.scales  # (n, p)
        r = np.sqrt(np.einsum("np,np->n", apart, apart))
        cross = self.kernel.variance * _covariance(r)
        slope = -self.kernel.variance * _fall(r)[:, None] * apart / self.kernel.scales  # (n, p)
        whitened = solve_triangular(self.factor, cross, lower=True, check_finite=False)
        solved = solve_triangular(self.factor, whitened, lower=True, trans="T", check_finite=False)
        deviation = float(np.sqrt(max(self.kernel.variance - whitened @ whitened, _LEAST_VARIANCE)))
        means = self._means(x[None], cross[None])[0]
        by_mean = self.prior.slope(x)[:, None] + slope.T @ self.weights
        return means, deviation, by_mean, -(slope.T @ solved) / deviation

    def drawn(self, X: Array, normals: Array) -> Array:
        """Joint draws of the first way's function at X (m, p), by standard normals (m, f): (m, f)."""
        cross = self.kernel.between(X, self.features)
        whitened = solve_triangular(self.factor, cross.T, lower=True, check_finite=False)
        covariances = self.kernel.between(X, X) - whitened.T @ whitened
        draws: Array = self._means(X, cross)[:, :1] + _factor(covariances, self.kernel.noise) @ normals
        return draws


def _covariance(r: Array) -> Array:
    """k(r) of two points r length scales apart, at unit variance."""
    s = np.sqrt(5.0) * r
    covariance: Array = (1.0 + s + s * s / 3.0) * np.exp(-s)
    return covariance


def _fall(r: Array) -> Array:
    """-k'(r) / r."""
    s = np.sqrt(5.0) * r
    fall: Array = 5.0 / 3.0 * (1.0 + s) * np.exp(-s)
    return fall


def fit(features: Array, targets: Array, expected: Array) -> Kernel:
    """The kernel most probable given features (n, p), targets less their mean (n,) and expected length scales (p,).

    Of more than 32 features the length scales are the expected ones, all longer or shorter by one factor.
    """
    width = features.shape[1]
    shared = width > _MAX_SCALES
    count = 1 if shared else width
    start = np.log([1.0, *[np.sqrt(width / 8) if shared else 1.0] * count, 1e-3])
    if not width:
        return _kernel(start, expected)
    chosen = _telling(targets)
    likelihood = Likelihood(features[chosen] / expected, targets[chosen], shared=shared)

    def cost(theta: Array) -> tuple[float, Array]:
        value, gradient = likelihood(theta)
        penalty, slope = _penalty(theta)
        return value + penalty, gradient + slope

    bounds = np.log([_BOUNDS["variance"], *[_BOUNDS["scale"]] * count, _BOUNDS["noise"]])
    found = minimize(cost, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": _MAX_STEPS})
    return _kernel(found.x, expected)


def _kernel(theta: Array, expected: Array) -> Kernel:
    return Kernel(float(np.exp(theta[0])), np.exp(theta[1:-1]) * expected, float(np.exp(theta[-1])))


class Likelihood:
    """Minus the log marginal likelihood of the kernel's hyperparameters, and its gradient in their logarithms.

    Rasmussen and Williams (2006), equations 5.8 and 5.9: with a = K^-1 y the gradient is tr((K^-1 - a a^T) dK) / 2.
    """

    def __init__(self, features: Array, targets: Array, *, shared: bool) -> None:
        squared = (features[:, None, :] - features[None, :, :]) ** 2  # (n, n, p)
        self._squared = squared.sum(axis=2, keepdims=True) if shared else squared
        self._targets = targets

    def __call__(self, theta: Array) -> tuple[float, Array]:
        """At theta (2 + scales,): the logarithms of variance, length scales and noise."""
        variance, precision, noise = np.exp(theta[0]), np.exp(-2.0 * theta[1:-1]), np.exp(theta[-1])
        r = np.sqrt(self._squared @ precision)  # (n, n)
        smooth = variance * _covariance(r)
        n = len(self._targets)
        try:
            factor = cho_factor(smooth + (noise + _JITTERS[0]) * np.eye(n), lower=True, check_finite=False)
        except LinAlgError:
            return 1e10, np.zeros_like(theta)
        weights = cho_solve(factor, self._targets, check_finite=False)
        excess = cho_solve(factor, np.eye(n), check_finite=False) - np.outer(weights, weights)
        value = 0.5 * self._targets @ weights + np.log(np.diag(factor[0])).sum() + 0.5 * n * np.log(2.0 * np.pi)
        by_scale = np.einsum("nm,nmp->p", excess * variance * _fall(r), self._squared) * precision
        gradient = np.concatenate([[np.vdot(excess, smooth)], by_scale, [noise * np.trace(excess)]])
        return float(value), 0.5 * gradient


def learn(prior: Prior, features: Array, targets: Array) -> Process:
    """The process given these points (n, p) and targets (n,), its kernel fitted to them."""
    kernel = fit(features, targets - prior.mean(features), prior.scales)
    return condition(prior, kernel, features, targets[:, None])


def condition(prior: Prior, kernel: Kernel, features: Array, targets: Array) -> Process:
    """The process given these points (n, p) and targets (n, f), the kernel's hyperparameters as they are."""
    factor = _factor(kernel.between(features, features), kernel.noise)
    weights = cho_solve((factor, True), targets - prior.mean(features)[:, None], check_finite=False)
    return Process(prior, kernel, features, targets, factor, weights)


def imagine(process: Process, features: Array, normals: Array) -> Process:
    """The process as if these points (m, p) had turned out in f ways, drawn by standard normals (m, f)."""
    known = np.repeat(process.targets[:, :1], normals.shape[1], axis=1)
    targets = np.concatenate([known, process.drawn(features, normals)])
    return condition(process.prior, process.kernel, np.concatenate([process.features, features]), targets)


def _factor(covariances: Array, noise: float) -> Array:
    for jitter in _JITTERS:
        try:
            factor: Array = cholesky(
                covariances + (noise + jitter) * np.eye(len(covariances)), lower=True, check_finite=False
            )
        except LinAlgError:
            continue
        return factor
    raise LinAlgError("the covariances are not positive definite")


def _telling(targets: Array) -> NDArray[np.intp]:
    """Which points tell most for their number: the better half, and an even selection of the others."""
    order = np.argsort(targets, kind="stable")
    if len(order) <= _MAX_FITTED:
        return np.arange(len(order))
    best, others = np.split(order, [_MAX_FITTED // 2])
    even = np.linspace(0, len(others) - 1, _MAX_FITTED - len(best)).astype(int)
    return np.concatenate([best, others[even]])


def _penalty(theta: Array) -> tuple[float, Array]:
    """Minus the log of the priors of (variance, length scales, noise), all log-normal, and its gradient."""
    scales = len(theta) - 2
    mean = np.concatenate([[0.0], np.zeros(scales), [-6.0]])
    deviation = np.concatenate([[1.5], np.full(scales, 0.8), [2.0]])
    z = (theta - mean) / deviation
    return 0.5 * float(z @ z), z / deviation
