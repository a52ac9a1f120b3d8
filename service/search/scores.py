"""Scores as a model can bear them: finite, of unit spread, the hopeless ones drawn in.

Pure. Smaller is better on both sides.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.search.protocol import Observation

Array = NDArray[np.float64]
_HUGE = 1e300  # leaves room to add a thousand of them
_REACH = 3.0  # so many widths above the edge, logarithms of distances end


@dataclass(frozen=True)
class Scale:
    """target = (score - center) / spread, where a score above an edge counts by the logarithm of its distance from it.

    The edge is the best quarter's, the distance in units of that quarter's width. So a learning rate that blew up by
    10^6 leaves the differences between good trials visible, and bad trials still tell where it gets better: a cap in
    its place makes all of them equally bad once the best ones lie close together. e^3 - 1 widths above the edge there
    is a cap.
    """

    center: float
    spread: float
    edge: float
    width: float
    worst: float  # the worst finite score: what has none is as bad

    def target(self, scores: Array) -> Array:
        """(n,) scores, finite or not, as targets of the model."""
        finite = np.where(np.isfinite(scores), np.clip(scores, -_HUGE, _HUGE), self.worst)
        result: Array = _bent(finite, self.edge, self.width) / self.spread - self.center / self.spread
        return result

    def score(self, target: float) -> float:
        """The score of a predicted target."""
        bent = self.center + self.spread * target
        return bent if bent <= self.edge else self.edge + self.width * float(np.expm1(self._above(bent)))

    def distance(self, target: float, deviation: float) -> float:
        """A predicted deviation from a target, in scores as they are spread around there."""
        return self.spread * deviation * float(np.exp(self._above(self.center + self.spread * target)))

    def _above(self, bent: float) -> float:
        return min(max((bent - self.edge) / self.width, 0.0), _REACH)


def scale(scores: Array) -> Scale:
    """The scale of these scores (n,), of which at least one is finite."""
    finite = np.clip(scores[np.isfinite(scores)], -_HUGE, _HUGE)
    best, worst = float(finite.min()), float(finite.max())
    worse = finite[finite > best]
    if not len(worse):
        return Scale(best, 1.0, best, 1.0, best)
    edge = float(np.quantile(finite, 0.25))
    edge = edge if edge > best else float(np.median(worse))
    bent = _bent(finite, edge, edge - best)
    unit = float(np.abs(bent).max())  # squares of huge numbers are no numbers
    return Scale(float(bent.mean()), float((bent / unit).std() * unit) or 1.0, edge, edge - best, worst)


def _bent(scores: Array, edge: float, width: float) -> Array:
    above = np.clip(scores - edge, 0.0, float(np.expm1(_REACH)) * width)
    bent: Array = np.minimum(scores, edge) + width * np.log1p(above / width)
    return bent


def pessimistic(finished: Sequence[Observation]) -> Array:
    """The scores (n,) of these trials; a pruned one's is no better than the median of the complete ones'."""
    scores = np.array([observation.score for observation in finished], dtype=float)
    pruned = np.array([observation.state == "pruned" for observation in finished], dtype=bool)
    complete = scores[~pruned & np.isfinite(scores)]
    if len(complete):
        scores[pruned] = np.maximum(scores[pruned], np.median(complete))
    return scores
