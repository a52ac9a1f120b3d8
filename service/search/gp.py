"""Bayesian search of our own: a Gaussian process, and expected improvement, for the scores that tuning has.

The first trials are `startup.py`'s. Pending trials, and the points of a batch before one, may turn out in several
ways that the process finds likely, and the improvement is averaged over these: no two workers are sent to the same
place.
"""

from collections.abc import Sequence

import numpy as np

from service.search import acquisition, gaussian, scores, startup
from service.search.encoding import Encoding
from service.search.novelty import Key, fresh, key, listed, taken
from service.search.prior import expected
from service.search.protocol import History, Suggestion
from service.search.recall import worth_seeing
from trialbook.space import Point, Space
from trialbook.spec import GPSampler as Options
from trialbook.values import Scalar

_MAX_SEEN = 500  # a fit costs their cube
_WAYS = 16


class GPSampler:
    """Fits once per call, then takes the points of highest expected improvement one by one."""

    def __init__(self, space: Space, options: Options) -> None:
        self._space = space
        self._options = options
        self._encoding = Encoding(space)

    def suggest(self, history: History, numbers: Sequence[int]) -> list[Suggestion]:
        """Startup points for early numbers or while too little is known, the model's for all others."""
        known = taken(history)
        suggestions: list[Suggestion] = []
        model: _Model | None = None
        for number in numbers:
            if not self._encoding.width or startup.is_due(self._options, history, number):
                made = startup.suggestion(self._space, self._options, number, known, history)
            else:
                model = model or _Model(self._encoding, self._space, history)
                made = self._modelled(model, number, known, [one.params for one in suggestions])
            known.add(key(made.params))
            suggestions.append(made)
        return suggestions

    def _modelled(self, model: "_Model", number: int, known: set[Key], before: Sequence[Point]) -> Suggestion:
        chance = np.random.default_rng([self._options.seed, number])
        point = model.choose(before, known, chance)
        explanation = {"sampler": self._options.name, "mode": "model", "acquisition": "EI"}
        return Suggestion(point, {**explanation, **model.predict(point)})


class _Model:
    """What the process believes of one study while one batch is made."""

    def __init__(self, encoding: Encoding, space: Space, history: History) -> None:
        self._encoding = encoding
        self._space = space
        self._seen = len(history.finished)
        self._pending = [trial.params for trial in history.pending]
        finished = worth_seeing(history.finished, _MAX_SEEN)
        raw = scores.pessimistic(finished)
        self._scale = scores.scale(raw)
        self._rows = encoding.rows(observation.params for observation in finished)  # (n, d)
        features, targets = encoding.features(self._rows), self._scale.target(raw)
        self._process = gaussian.learn(expected(encoding.owners()), features, targets)
        self._points = listed(space)

    def choose(self, before: Sequence[Point], known: set[Key], chance: np.random.Generator) -> dict[str, Scalar]:
        """The most promising point beside the pending ones and these of its batch; a known one if there is no other."""
        rows, process = self._rows, self._process
        if running := [*self._pending, *before]:
            rows = np.concatenate([rows, self._encoding.rows(running)])
            features = self._encoding.features(rows[len(self._rows) :])
            process = gaussian.imagine(process, features, chance.normal(size=(len(running), _WAYS)))
        means = process.means(process.features)  # (n, f)
        gain = acquisition.Improvement(self._encoding, process, means.min(axis=0))
        if self._points is not None:
            rows = self._encoding.rows(fresh(self._points, known) or self._points)
            return self._space.from_row(gain.ranked(rows)[0].tolist())
        starts = rows[np.argsort(means.mean(axis=1), kind="stable")[:5]]
        apart = spacing(self._seen + len(running), int(process.prior.numbers.sum()))
        row = acquisition.choose(gain, starts, self._space, known, apart, chance)
        return self._space.from_row((starts[0] if row is None else row).tolist())

    def predict(self, point: dict[str, Scalar]) -> dict[str, float | int]:
        """What the process expects there by the finished trials, in scores, and how much it has seen."""
        means, deviations = self._process.predict(self._encoding.features(self._encoding.rows([point])))
        mean = float(means[0, 0])
        return {
            "predicted": self._scale.score(mean),
            "deviation": self._scale.distance(mean, float(deviations[0])),
            "seen": self._seen,
            "pending": len(self._pending),
        }


def spacing(count: int, numbers: int) -> float:
    """How far the next point keeps from each of so many in at least one feature, where so many features are numbers.

    Scores of trained models jump: a model takes that for noise, and would try the best place again and again, where
    nothing new is to be had. So it tries points no finer than a grid of as many along each of two dimensions.
    """
    return 1.0 / count**2 if numbers < 2 else 1.0 / count


def build(space: Space, options: Options) -> GPSampler:
    """Gaussian-process search with these options."""
    return GPSampler(space, options)
