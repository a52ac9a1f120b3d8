"""Where to look next: the point of highest expected improvement, searched for among points that can be suggested.

Pure: chance comes from a generator given. Rows are rounded before they are judged, so a model never prefers a point
that rounding would turn into another.
"""

from collections.abc import Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from skopt.acquisition import gaussian_ei, gaussian_lcb

from service.search.encoding import Encoding
from service.search.gaussian import Regressor
from service.search.novelty import Key, key
from trialbook.space import Space

Array = NDArray[np.float64]
_SCATTERED, _NEAR, _TOP, _ROUNDS, _STEPS = 600, 50, 5, 2, 20


@dataclass(frozen=True)
class Improvement:
    """Expected improvement over `best`, the lowest target that the model sees at a known point."""

    encoding: Encoding
    model: Regressor
    best: float

    def ranked(self, rows: Array) -> Array:
        """These rounded rows (n, d), the most promising first."""
        features = self.encoding.features(rows)
        gain = gaussian_ei(features, self.model, y_opt=self.best, xi=0.0)
        if not gain.max() > 0:  # so far from any hope that it underflows
            gain = -gaussian_lcb(features, self.model)
        ranked: Array = rows[np.argsort(-gain, kind="stable")]
        return ranked

    def polished(self, row: Array) -> Array:
        """The row (d,) moved uphill along its active continuous parameters."""
        columns, parameters = self.encoding.smooth_features()
        active = self.encoding.active(row[None])[0, parameters]
        columns, parameters = columns[active], parameters[active]
        features = self.encoding.features(row[None])[0]

        def cost(units: Array) -> tuple[float, Array]:
            moved = features.copy()
            moved[columns] = units
            gain, slope = gaussian_ei(moved[None], self.model, y_opt=self.best, xi=0.0, return_grad=True)
            if not gain[0] > 1e-300:
                return 700.0, np.zeros(len(units))
            return -float(np.log(gain[0])), -np.ravel(slope)[columns] / gain[0]

        result = row.copy()
        if len(columns):
            bounds = [(0.0, 1.0)] * len(columns)
            start = features[columns]
            result[parameters] = minimize(
                cost, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": _STEPS}
            ).x
        return result


def choose(
    gain: Improvement, starts: Array, space: Space, known: Set[Key], chance: np.random.Generator
) -> Array | None:
    """The best new row (d,) found from everywhere and around the starts (n, d); None if only known ones were found."""
    encoding = gain.encoding
    scattered = chance.random((_SCATTERED, starts.shape[1]))
    rows = np.concatenate([scattered, nearby(encoding, np.repeat(starts, _NEAR, axis=0), chance)])
    rows = _new(gain.ranked(encoding.rounded(rows)), space, known)
    for _ in range(_ROUNDS):
        closer = nearby(encoding, np.repeat(rows[:_TOP], _NEAR, axis=0), chance)
        rows = _new(gain.ranked(np.concatenate([rows, encoding.rounded(closer)])), space, known)
    if encoding.smooth.any():
        polished = [gain.polished(row) for row in rows[: _TOP - 1]]
        rows = _new(gain.ranked(np.stack([*rows, *polished])), space, known) if polished else rows
    return rows[0] if len(rows) else None


def nearby(encoding: Encoding, rows: Array, chance: np.random.Generator) -> Array:
    """Each row (n, d) with some parameters moved: numbers by a thousandth to a third, choices to any other."""
    n, d = rows.shape
    moved = chance.random((n, d)) < max(2 / d, 0.3)
    moved[np.arange(n), chance.integers(d, size=n)] = True
    distance = 10 ** chance.uniform(-3.0, -0.5, size=(n, 1))
    numbers = rows + distance * chance.normal(size=(n, d))
    numbers = 1 - np.abs(1 - np.abs(numbers))  # reflected at both ends
    return np.clip(np.where(moved, np.where(encoding.choice, chance.random((n, d)), numbers), rows), 0.0, 1.0)


def _new(ranked: Array, space: Space, known: Set[Key], count: int = 20) -> Array:
    """The first few rows whose points are neither known nor repeated."""
    kept, seen = [], set(known)
    for row in ranked:
        point = key(space.from_row(row.tolist()))
        if point not in seen:
            seen.add(point)
            kept.append(row)
        if len(kept) == count:
            break
    return np.stack(kept) if kept else ranked[:0]
