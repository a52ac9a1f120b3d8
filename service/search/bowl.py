"""What is expected of a score before anything is known: that it rises from the middle of the ranges to their ends.

Ranges are chosen around what is expected to be good, and a Gaussian process without such a mean goes to their ends
first, since it knows least there (Snoek et al., 2015, "Scalable Bayesian Optimization Using Deep Neural Networks",
give theirs a quadratic mean for this). Pure.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_HEIGHT = 0.5  # of the corners above the middle, in deviations of the targets; 0.25 and 1 gained less, measured


@dataclass(frozen=True)
class Bowl:
    """The mean of a process's targets, over features in the unit cube: choices have no middle, and are left out."""

    numbers: NDArray[np.bool_]  # (p,) which features are numbers

    def at(self, X: Array) -> Array:
        """At X (m, p): (m,)."""
        apart = 2.0 * X[:, self.numbers] - 1.0
        heights: Array = _HEIGHT * np.einsum("mp,mp->m", apart, apart) / self._count
        return heights

    def slope(self, x: Array) -> Array:
        """The gradient at x (p,): (p,)."""
        return np.where(self.numbers, 4.0 * _HEIGHT * (2.0 * x - 1.0) / self._count, 0.0)

    @property
    def _count(self) -> int:
        return max(int(self.numbers.sum()), 1)
