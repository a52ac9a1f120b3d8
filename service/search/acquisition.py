"""Where to look next: the point of highest expected improvement, searched for among points that can be suggested.

Pure: chance comes from a generator given. Rows are rounded before they are judged, so a model never prefers a point
that rounding would turn into another.
"""

from collections.abc import Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.spatial.distance import cdist
from scipy.special import erfcx, log_ndtr, logsumexp

from service.search.encoding import Encoding
from service.search.gaussian import Process
from service.search.novelty import Key, key
from trialbook.space import Space

Array = NDArray[np.float64]
_SCATTERED, _NEAR, _TOP, _ROUNDS, _STEPS = 600, 50, 5, 2, 20
_LOG_ROOT_TAU = 0.5 * np.log(2.0 * np.pi)
_FAR = -1e5  # below it the tail is its first term


@dataclass(frozen=True)
class Improvement:
    """Expected improvement over the lowest mean at a known point, averaged over the ways that running trials may end.

    In logarithms, which rank and climb where the improvement itself underflows (Ament et al., 2023, "Unexpected
    Improvements to Expected Improvement for Bayesian Optimization").
    """

    encoding: Encoding
    process: Process
    best: Array  # (f,) for each way

    def log(self, features: Array) -> Array:
        """The logarithm of the expected improvement at features (m, p): (m,)."""
        means, deviations = self.process.predict(features)
        gains = log_gain((self.best - means) / deviations[:, None]) + np.log(deviations)[:, None]
        logs: Array = logsumexp(gains, axis=1) - np.log(len(self.best))
        return logs

    def ranked(self, rows: Array) -> Array:
        """These rounded rows (n, d), the most promising first."""
        ranked: Array = rows[np.argsort(-self.log(self.encoding.features(rows)), kind="stable")]
        return ranked

    def distances(self, rows: Array) -> Array:
        """How far each of these rounded rows (n, d) is from the nearest known point in any one feature: (n,)."""
        distances: Array = cdist(self.encoding.features(rows), self.process.features, "chebyshev").min(axis=1)
        return distances

    def polished(self, row: Array) -> Array:
        """The row (d,) moved uphill along its active continuous parameters."""
        columns, parameters = self.encoding.smooth_features()
        active = self.encoding.active(row[None])[0, parameters]
        columns, parameters = columns[active], parameters[active]
        features = self.encoding.features(row[None])[0]

        def cost(units: Array) -> tuple[float, Array]:
            moved = features.copy()
            moved[columns] = units
            value, slope = self._climb(moved)
            return -value, -slope[columns]

        result = row.copy()
        if len(columns):
            bounds = [(0.0, 1.0)] * len(columns)
            start = features[columns]
            result[parameters] = minimize(
                cost, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": _STEPS}
            ).x
        return result

    def _climb(self, x: Array) -> tuple[float, Array]:
        """The logarithm at x (p,), and its gradient: for one way, (phi(z) ds - Phi(z) dm) / (s h(z))."""
        means, deviation, by_mean, by_deviation = self.process.slopes(x)
        z = (self.best - means) / deviation
        gains = log_gain(z)
        total = logsumexp(gains)
        density, below = np.exp(-0.5 * z * z - _LOG_ROOT_TAU - total), np.exp(log_ndtr(z) - total)
        slope = (density.sum() * by_deviation - by_mean @ below) / deviation
        return float(total - np.log(len(z)) + np.log(deviation)), slope


def log_gain(z: Array) -> Array:
    """log(phi(z) + z Phi(z)), far into the tail."""
    far = np.minimum(z, -1.0)
    scaled = -far * erfcx(-far / np.sqrt(2.0)) * np.sqrt(np.pi / 2.0)  # -> 1 from below as 1 - 1 / z^2
    tail = np.where(far < _FAR, -2.0 * np.log(-far), np.log1p(-np.where(far < _FAR, 0.5, scaled)))
    near = np.maximum(z, -1.0)
    gain = np.exp(-0.5 * near * near - _LOG_ROOT_TAU) + near * np.exp(log_ndtr(near))
    result: Array = np.where(z < -1.0, -0.5 * far * far - _LOG_ROOT_TAU + tail, np.log(gain))
    return result


def choose(
    gain: Improvement, starts: Array, space: Space, known: Set[Key], apart: float, chance: np.random.Generator
) -> Array | None:
    """The best new row (d,) found from everywhere and around the starts (n, d); None if only known ones were found.

    It is so far apart from each known point in at least one feature, where such a row was found.
    """
    encoding = gain.encoding

    def new(rows: Array) -> Array:
        ranked = gain.ranked(rows)
        spaced = _new(ranked[gain.distances(ranked) >= apart], space, known)
        return spaced if len(spaced) else _new(ranked, space, known)

    scattered = chance.random((_SCATTERED, starts.shape[1]))
    rows = np.concatenate([scattered, nearby(encoding, np.repeat(starts, _NEAR, axis=0), chance)])
    rows = new(encoding.rounded(rows))
    for _ in range(_ROUNDS):
        closer = nearby(encoding, np.repeat(rows[:_TOP], _NEAR, axis=0), chance)
        rows = new(np.concatenate([rows, encoding.rounded(closer)]))
    if encoding.smooth.any():
        polished = [gain.polished(row) for row in rows[: _TOP - 1]]
        rows = new(np.stack([*rows, *polished])) if polished else rows
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
