"""A Gaussian process over features in the unit cube: fitted once, then conditioned on more points at the same kernel.

scikit-optimize's regressor and kernels; the hyperparameters are the most probable ones under weak priors, by a
likelihood of our own.
"""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve, solve_triangular
from scipy.optimize import minimize
from skopt.learning import GaussianProcessRegressor
from skopt.learning.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

Array = NDArray[np.float64]
Kernel = Any  # skopt has no types
_MAX_SCALES = 32  # beyond so many features one length scale serves them all
_MAX_FITTED = 128  # points that the hyperparameters are fitted to
_MAX_STEPS = 30
_JITTER = 1e-8
_LEAST_VARIANCE = 1e-18  # at a known point the variance is no more than rounding


class Regressor(GaussianProcessRegressor):  # type: ignore[misc]  # skopt has no types
    """skopt's, with deviations from the triangular factor, more exact than by the inverse, and faster gradients."""

    def predict(self, X: Array, return_std: bool = False, **more: bool) -> Any:  # Any: as skopt's, one to four arrays
        """Mean, or mean and deviation at X (m, p); with return_mean_grad also both's gradients at X's only row."""
        if more.get("return_mean_grad"):
            return self._with_gradients(X[0])
        if more or not return_std:
            return super().predict(X, return_std=return_std, **more)
        cross = self.kernel_(X, self.X_train_)  # (m, n)
        whitened = solve_triangular(self.L_, cross.T, lower=True, check_finite=False)  # (n, m)
        variance = self.kernel_.diag(X) - np.einsum("nm,nm->m", whitened, whitened)
        return cross @ self.alpha_, np.sqrt(np.maximum(variance, 0.0))

    def _with_gradients(self, x: Array) -> tuple[Array, Array, Array, Array]:
        """Mean (1,), deviation (1,) and their gradients (p,) at x (p,).

        The kernel is c (1 + s + s^2 / 3) exp(-s) with s = sqrt(5) |(x - x') / scale| (Rasmussen and Williams, 2006,
        "Gaussian Processes for Machine Learning", equation 4.17); its gradient in x follows by the chain rule.
        """
        variance, scale = self.kernel_.k1.k1.constant_value, self.kernel_.k1.k2.length_scale
        apart = (x - self.X_train_) / scale  # (n, p)
        s = np.sqrt(5.0 * np.einsum("np,np->n", apart, apart))
        decay = variance * np.exp(-s)
        cross = (1.0 + s + s * s / 3.0) * decay
        slope = (-5.0 / 3.0 * (1.0 + s) * decay)[:, None] * apart / scale  # (n, p)
        whitened = solve_triangular(self.L_, cross, lower=True, check_finite=False)
        weights = solve_triangular(self.L_, whitened, lower=True, trans="T", check_finite=False)
        deviation = np.sqrt(max(variance - whitened @ whitened, _LEAST_VARIANCE))
        return (
            np.array([cross @ self.alpha_]),
            np.array([deviation]),
            slope.T @ self.alpha_,
            -(slope.T @ weights) / deviation,
        )


def fit(features: Array, targets: Array) -> Kernel:
    """The kernel with the hyperparameters most probable given features (n, p) and targets (n,)."""
    start = _kernel(features.shape[1])
    if not features.shape[1]:
        return start
    chosen = _telling(targets)
    likelihood = Likelihood(features[chosen], targets[chosen], shared=features.shape[1] > _MAX_SCALES)

    def cost(theta: Array) -> tuple[float, Array]:
        value, gradient = likelihood(theta)
        penalty, slope = _penalty(theta)
        return value + penalty, gradient + slope

    options = {"maxiter": _MAX_STEPS}
    found = minimize(cost, start.theta, jac=True, method="L-BFGS-B", bounds=start.bounds, options=options)
    return start.clone_with_theta(found.x)


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
        s = np.sqrt(5.0 * (self._squared @ precision))  # (n, n)
        decay = variance * np.exp(-s)
        smooth = (1.0 + s + s * s / 3.0) * decay
        n = len(self._targets)
        try:
            factor = cho_factor(smooth + (noise + _JITTER) * np.eye(n), lower=True, check_finite=False)
        except LinAlgError:
            return 1e10, np.zeros_like(theta)
        weights = cho_solve(factor, self._targets, check_finite=False)
        excess = cho_solve(factor, np.eye(n), check_finite=False) - np.outer(weights, weights)
        value = 0.5 * self._targets @ weights + np.log(np.diag(factor[0])).sum() + 0.5 * n * np.log(2.0 * np.pi)
        by_scale = np.einsum("nm,nmp->p", excess * (5.0 / 3.0 * (1.0 + s) * decay), self._squared) * precision
        gradient = np.concatenate([[np.vdot(excess, smooth)], by_scale, [noise * np.trace(excess)]])
        return float(value), 0.5 * gradient


def condition(kernel: Kernel, features: Array, targets: Array) -> Regressor:
    """The process given these points, the kernel's hyperparameters as they are."""
    model = Regressor(kernel=kernel, optimizer=None, noise="gaussian", alpha=_JITTER)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a hyperparameter at its bound is no news
        model.fit(features, targets)
    return model


def believe(model: Regressor, features: Array) -> Regressor:
    """The process as if these points (m, p) had turned out as it expects (a "kriging believer")."""
    return condition(
        model.kernel,
        np.concatenate([model.X_train_, features]),
        np.concatenate([model.y_train_, model.predict(features)]),
    )


def _telling(targets: Array) -> NDArray[np.intp]:
    """Which points tell most for their number: the better half, and an even selection of the others."""
    order = np.argsort(targets, kind="stable")
    if len(order) <= _MAX_FITTED:
        return np.arange(len(order))
    best, others = np.split(order, [_MAX_FITTED // 2])
    even = np.linspace(0, len(others) - 1, _MAX_FITTED - len(best)).astype(int)
    return np.concatenate([best, others[even]])


def _kernel(width: int) -> Kernel:
    scale = np.full(width, 0.5) if width <= _MAX_SCALES else 0.5 * np.sqrt(width / 8)
    smooth = Matern(length_scale=scale, length_scale_bounds=(0.03, 30.0), nu=2.5)
    return ConstantKernel(1.0, (0.05, 50.0)) * smooth + WhiteKernel(1e-3, (1e-6, 1.0))


def _penalty(theta: Array) -> tuple[float, Array]:
    """Minus the log of the priors of (variance, length scales, noise), all log-normal, and its gradient."""
    scales = len(theta) - 2
    mean = np.concatenate([[0.0], np.full(scales, np.log(0.5)), [-6.0]])
    deviation = np.concatenate([[1.5], np.full(scales, 1.0), [2.0]])
    z = (theta - mean) / deviation
    return 0.5 * float(z @ z), z / deviation
