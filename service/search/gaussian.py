"""A Gaussian process over features in the unit cube: fitted once, then conditioned on more points at the same kernel.

scikit-optimize's regressor and kernels; hyperparameters are the most probable ones under weak priors.
"""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.optimize import minimize
from skopt.learning import GaussianProcessRegressor
from skopt.learning.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

Array = NDArray[np.float64]
Kernel = Any  # skopt has no types
_MAX_SCALES = 32  # beyond so many features one length scale serves them all
_MAX_FITTED = 128  # points that the hyperparameters are fitted to
_MAX_STEPS = 30
_JITTER = 1e-8


class Regressor(GaussianProcessRegressor):  # type: ignore[misc]  # skopt has no types
    """skopt's, with the variance at many points from the triangular factor: faster and more exact than the inverse."""

    def predict(self, X: Array, return_std: bool = False, **more: bool) -> Any:  # Any: as skopt's, one to four arrays
        """Mean, or mean and deviation at X (m, p); gradients are skopt's."""
        if more or not return_std:
            return super().predict(X, return_std=return_std, **more)
        cross = self.kernel_(X, self.X_train_)  # (m, n)
        whitened = solve_triangular(self.L_, cross.T, lower=True, check_finite=False)  # (n, m)
        variance = self.kernel_.diag(X) - np.einsum("nm,nm->m", whitened, whitened)
        return cross @ self.alpha_, np.sqrt(np.maximum(variance, 0.0))


def fit(features: Array, targets: Array) -> Kernel:
    """The kernel with the hyperparameters most probable given features (n, p) and targets (n,)."""
    chosen = _telling(targets)
    optimize = _most_probable if features.shape[1] else None
    model = _regressor(_kernel(features.shape[1]), optimize)
    _fit(model, features[chosen], targets[chosen])
    return model.kernel_.set_params(k2=WhiteKernel(model.noise_))  # skopt takes the noise out for predictions


def condition(kernel: Kernel, features: Array, targets: Array) -> Regressor:
    """The process given these points, the kernel's hyperparameters as they are."""
    model = _regressor(kernel, None)
    _fit(model, features, targets)
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


def _most_probable(
    unlikelihood: Callable[[Array], tuple[float, Array]], start: Array, bounds: Array
) -> tuple[Array, float]:
    """skopt's seam for an optimizer of the hyperparameters: one start, few steps, priors added."""

    def cost(theta: Array) -> tuple[float, Array]:
        value, gradient = unlikelihood(theta)
        if not np.isfinite(value):  # no Cholesky factor there
            return 1e10, np.zeros_like(theta)
        penalty, slope = _penalty(theta)
        return value + penalty, gradient + slope

    found = minimize(cost, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": _MAX_STEPS})
    return found.x, found.fun


def _regressor(kernel: Kernel, optimizer: Callable[..., tuple[Array, float]] | None) -> Regressor:
    return Regressor(kernel=kernel, optimizer=optimizer, noise="gaussian", alpha=_JITTER)


def _fit(model: Regressor, features: Array, targets: Array) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a hyperparameter at its bound is no news
        model.fit(features, targets)
