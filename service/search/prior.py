"""What is expected of a score before anything is known, by the kinds of the parameters alone.

Pure. It rises from the middle of the ranges to their ends: ranges are chosen around what is expected to be good, and a
Gaussian process without such a mean goes to their ends first, since it knows least there (Snoek et al., 2015,
"Scalable Bayesian Optimization Using Deep Neural Networks", give theirs a quadratic mean for this).

And it changes soonest along a range of orders of magnitude, such as a learning rate's, and least along a fraction or
from choice to choice. (The length scales that fit best to a hundred random points of 26 tuning tasks have these
medians: 0.2 for logarithmic numbers, 0.7 for whole ones, 0.9 for other numbers, 1.8 for choices.)
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trialbook.space import Categorical, Float, Int

Array = NDArray[np.float64]
Parameter = Float | Int | Categorical
_HEIGHT = 1.0  # of the corners above the middle, in deviations of the targets
# length scales, as shares of a range: of logarithmic, whole and other numbers; of the way from one choice to another
_LOG, _WHOLE, _OTHER, _CHOICE = 0.35, 0.5, 0.7, 1.0


@dataclass(frozen=True)
class Prior:
    """The mean of a process's targets over features in the unit cube, and the likeliest of its length scales."""

    numbers: NDArray[np.bool_]  # (p,) which features are numbers: choices have no middle
    scales: Array  # (p,)

    def mean(self, X: Array) -> Array:
        """At X (m, p): (m,)."""
        apart = 2.0 * X[:, self.numbers] - 1.0
        heights: Array = _HEIGHT * np.einsum("mp,mp->m", apart, apart) / self._count
        return heights

    def slope(self, x: Array) -> Array:
        """The gradient of the mean at x (p,): (p,)."""
        return np.where(self.numbers, 4.0 * _HEIGHT * (2.0 * x - 1.0) / self._count, 0.0)

    @property
    def _count(self) -> int:
        return max(int(self.numbers.sum()), 1)


def expected(parameters: Sequence[Parameter]) -> Prior:
    """The prior over features of which each is of, or belongs to, one of these parameters: (p,)."""
    numbers = np.array([not isinstance(parameter, Categorical) for parameter in parameters], dtype=bool)
    return Prior(numbers, np.array([_scale(parameter) for parameter in parameters], dtype=float))


def _scale(parameter: Parameter) -> float:
    if isinstance(parameter, Categorical):
        return _CHOICE
    if isinstance(parameter, Int):
        return _WHOLE
    return _LOG if parameter.log else _OTHER
