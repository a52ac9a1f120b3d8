"""Rows of the unit cube for many points at once: rounded as the space rounds them, and as features for a model.

Pure. Does with arrays what trialbook.space does for one point; the two agree (a test asserts it).
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from trialbook.space import Categorical, Float, Int, Point, Space

Array = NDArray[np.float64]
INACTIVE = 0.5
_ONE_HOT = 8  # beyond so many choices each gets a fixed code of this width


class Encoding:
    """The arrays of one space with d parameters and p features."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self.parameters = [space[name] for name in space.names]
        self._codes = {i: _codes(len(p.choices)) for i, p in enumerate(self.parameters) if isinstance(p, Categorical)}
        widths = [self._codes[i].shape[1] if i in self._codes else 1 for i in range(len(space))]
        free = [parameter.size != 1 for parameter in self.parameters]
        self._owner = np.repeat(np.arange(len(space)), np.where(free, widths, 0))  # (p,) each feature's parameter
        self.smooth = np.array([parameter.size is None for parameter in self.parameters])  # (d,) a continuum
        self.choice = np.array([i in self._codes for i in range(len(space))])  # (d,) without order

    @property
    def width(self) -> int:
        """p, the number of features; 0 where the space holds a single point."""
        return len(self._owner)

    def rows(self, points: Iterable[Point]) -> Array:
        """The rows of these points: (n, d)."""
        rows = [self._space.to_row(point, inactive=INACTIVE) for point in points]
        return np.array(rows, dtype=float).reshape(len(rows), len(self._space))

    def rounded(self, rows: Array) -> Array:
        """Each row as it comes back from its point: (n, d), INACTIVE where a parameter does not count."""
        columns = [_rounded(parameter, rows[:, i]) for i, parameter in enumerate(self.parameters)]
        rounded = np.stack(columns, axis=1)
        return np.where(self.active(rounded), rounded, INACTIVE)

    def active(self, rounded: Array) -> NDArray[np.bool_]:
        """Which parameters count in each rounded row: (n, d)."""
        names = {name: i for i, name in enumerate(self._space.names)}
        active = np.ones(rounded.shape, dtype=bool)
        for name in self._space.ordered:
            for parent, values in (self._space[name].when or {}).items():
                units = np.array([self._space[parent].to_unit(value) for value in values])
                met = (np.abs(rounded[:, names[parent], None] - units) < 1e-12).any(axis=1)
                active[:, names[name]] &= active[:, names[parent]] & met
        return active

    def features(self, rounded: Array) -> Array:
        """What a model sees: numbers as they are, choices as codes (0 where inactive): (n, p)."""
        active = self.active(rounded)
        columns = []
        for i in np.unique(self._owner):
            column = rounded[:, [i]]  # (n, 1)
            if i in self._codes:
                codes = self._codes[i]
                chosen = np.minimum((column[:, 0] * len(codes)).astype(int), len(codes) - 1)
                column = np.where(active[:, [i]], codes[chosen], 0.0)
            columns.append(column)
        return np.concatenate(columns, axis=1) if columns else np.zeros((len(rounded), 0))

    def owners(self) -> list[Float | Int | Categorical]:
        """The parameter that each feature is, or of whose code it is a part: (p,)."""
        return [self.parameters[i] for i in self._owner]

    def smooth_features(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The features that may move freely in [0, 1], and the parameters that they are."""
        features = np.flatnonzero(self.smooth[self._owner])
        return features, self._owner[features]


def _codes(count: int) -> Array:
    """One code per choice, a unit apart from each other (about so, where there are many)."""
    codes: Array = np.eye(count)
    if count > _ONE_HOT:
        codes = np.random.default_rng(count).normal(size=(count, _ONE_HOT))
    codes /= np.linalg.norm(codes, axis=1, keepdims=True) * np.sqrt(2)
    return codes


def _rounded(parameter: Float | Int | Categorical, units: Array) -> Array:
    result: Array
    if parameter.size == 1:
        return np.full(len(units), parameter.to_unit(parameter.from_unit(0.0)))
    if isinstance(parameter, Int) and parameter.log:
        low, high = np.log(parameter.low - 0.5), np.log(parameter.high + 0.5)
        values = np.clip(np.rint(np.exp(low + units * (high - low))), parameter.low, parameter.high)
        result = (np.log(values) - low) / (high - low)
        return result
    if parameter.size is None:
        result = np.clip(units, 0.0, 1.0)
        return result
    result = (np.clip(np.floor(units * parameter.size), 0, parameter.size - 1) + 0.5) / parameter.size
    return result
