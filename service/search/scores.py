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
_REACH = 3.0


@dataclass(frozen=True)
class Scale:
    """score = center + spread * target, up to a cap: beyond it all scores are equally bad.

    The cap lies `_REACH` times as far above the best quarter's edge as that edge is above the best score, so a
    learning rate that blew up by 10^6 leaves the differences between good trials visible. (Measured on Branin,
    Hartmann6, Rosenbrock and made-up trainings: better than none, logarithms or ranks.)
    """

    center: float
    spread: float
    cap: float

    def target(self, scores: Array) -> Array:
        """(n,) scores, finite or not, as targets of the model."""
        finite = np.where(np.isfinite(scores), np.clip(scores, -_HUGE, _HUGE), self.cap)
        result: Array = (np.minimum(finite, self.cap) / self.spread) - self.center / self.spread
        return result

    def score(self, target: float) -> float:
        """The score of a predicted target."""
        return self.center + self.spread * target

    def distance(self, deviation: float) -> float:
        """A predicted deviation, in scores."""
        return self.spread * deviation


def scale(scores: Array) -> Scale:
    """The scale of these scores (n,), of which at least one is finite."""
    finite = np.clip(scores[np.isfinite(scores)], -_HUGE, _HUGE)
    best = finite.min()
    worse = finite[finite > best]
    if not len(worse):
        return Scale(float(best), 1.0, float(best))
    edge = np.quantile(finite, 0.25)
    edge = edge if edge > best else np.median(worse)
    cap = min(finite.max(), edge + _REACH * (edge - best))
    kept = np.minimum(finite, cap)
    unit = float(np.abs(kept).max())  # squares of huge numbers are no numbers
    return Scale(float(kept.mean()), float((kept / unit).std() * unit) or 1.0, float(cap))


def pessimistic(finished: Sequence[Observation]) -> Array:
    """The scores (n,) of these trials; a pruned one's is no better than the median of the complete ones'."""
    scores = np.array([observation.score for observation in finished], dtype=float)
    pruned = np.array([observation.state == "pruned" for observation in finished], dtype=bool)
    complete = scores[~pruned & np.isfinite(scores)]
    if len(complete):
        scores[pruned] = np.maximum(scores[pruned], np.median(complete))
    return scores
