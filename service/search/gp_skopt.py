"""Bayesian search with scikit-optimize's Gaussian process; `gp` stands for it, and says so.

The first trials are a Sobol sequence. Pending trials count as if they had turned out as the model expects, and so do
the points of a batch before one: no two workers are sent to the same place.
"""

from collections.abc import Sequence
from random import Random

import numpy as np
from numpy.typing import NDArray

from service.search import acquisition, gaussian, scores, sobol
from service.search.encoding import Encoding
from service.search.novelty import Key, fresh, key, listed, renewed, taken
from service.search.protocol import History, Observation, Suggestion
from trialbook.space import Point, Space
from trialbook.spec import GPSampler as Options
from trialbook.values import Scalar

_MIN_FINITE = 3
_MAX_SEEN = 500


class GPSampler:
    """Fits once per call, then takes the points of highest expected improvement one by one."""

    def __init__(self, space: Space, options: Options) -> None:
        self._space = space
        self._options = options
        self._encoding = Encoding(space)

    def suggest(self, history: History, numbers: Sequence[int]) -> list[Suggestion]:
        """Startup points for early numbers or while too little is known, the model's for all others."""
        known, suggestions = taken(history), []
        model: _Model | None = None
        for number in numbers:
            if number < self._options.n_startup_trials or not self._is_enough(history):
                suggestions.append(self._startup(number, known, history))
            else:
                model = model or _Model(self._encoding, self._space, history)
                model.expect([made.params for made in suggestions[model.expected :]])
                suggestions.append(self._modelled(model, number, known))
            known.add(key(suggestions[-1].params))
        return suggestions

    def _is_enough(self, history: History) -> bool:
        """Whether a model can be fitted: half the startup trials may still be running."""
        finite = sum(np.isfinite(observation.score) for observation in history.finished)
        wanted = min(self._options.n_startup_trials, max(_MIN_FINITE, self._options.n_startup_trials // 2))
        return self._encoding.width > 0 and finite >= wanted

    def _startup(self, number: int, known: set[Key], history: History) -> Suggestion:
        point = self._space.from_row(sobol.row(len(self._space), self._options.seed, number))
        chance = Random(f"{self._options.seed}-{number}-again")  # noqa: S311  # chance, not secrets
        return Suggestion(
            renewed(self._space, point, known, chance),
            {"sampler": self._options.name, "mode": "startup", "seen": len(history.finished)},
        )

    def _modelled(self, model: "_Model", number: int, known: set[Key]) -> Suggestion:
        point = model.choose(known, np.random.default_rng([self._options.seed, number]))
        return Suggestion(
            point,
            {
                "sampler": self._options.name,
                "model": "scikit-optimize",
                "mode": "model",
                "acquisition": "EI",
                **model.predict(point),
            },
        )


class _Model:
    """What the process believes of one study while one batch is made."""

    def __init__(self, encoding: Encoding, space: Space, history: History) -> None:
        self._encoding = encoding
        self._space = space
        self._seen, self._pending = len(history.finished), len(history.pending)
        self.expected = 0  # how many points of this batch are taken for tried
        finished = _worth_seeing(history.finished)
        raw = scores.pessimistic(finished)
        self._scale = scores.scale(raw)
        self._rows = encoding.rows(observation.params for observation in finished)  # (n, d)
        features, targets = encoding.features(self._rows), self._scale.target(raw)
        self._process = gaussian.condition(gaussian.fit(features, targets), features, targets)
        self._points = listed(space)
        self._believe([trial.params for trial in history.pending])

    def expect(self, points: Sequence[Point]) -> None:
        """Takes these points of the batch for tried, with the results that the process expects."""
        self._believe(points)
        self.expected += len(points)

    def _believe(self, points: Sequence[Point]) -> None:
        if points:
            rows = self._encoding.rows(points)
            self._rows = np.concatenate([self._rows, rows])
            self._process = gaussian.believe(self._process, self._encoding.features(rows))

    def choose(self, known: set[Key], chance: np.random.Generator) -> dict[str, Scalar]:
        """The most promising point; a known one only where no other is found."""
        means: NDArray[np.float64] = self._process.predict(self._process.X_train_)
        gain = acquisition.Improvement(self._encoding, self._process, float(means.min()))
        if self._points is not None:
            rows = self._encoding.rows(fresh(self._points, known) or self._points)
            return self._space.from_row(gain.ranked(rows)[0].tolist())
        starts = self._rows[np.argsort(means, kind="stable")[:5]]
        row = acquisition.choose(gain, starts, self._space, known, chance)
        return self._space.from_row((starts[0] if row is None else row).tolist())

    def predict(self, point: dict[str, Scalar]) -> dict[str, float | int]:
        """What the process expects there, in scores, and how much it has seen."""
        mean, deviation = self._process.predict(self._encoding.features(self._encoding.rows([point])), return_std=True)
        return {
            "predicted": self._scale.score(float(mean[0])),
            "deviation": self._scale.distance(float(deviation[0])),
            "seen": self._seen,
            "pending": self._pending,
        }


def _worth_seeing(finished: Sequence[Observation]) -> Sequence[Observation]:
    """At most 500 trials, since a fit costs their cube: the best half of them and the latest."""
    if len(finished) <= _MAX_SEEN:
        return finished
    best = sorted(finished, key=lambda observation: observation.score)[: _MAX_SEEN // 2]
    numbers = {observation.number for observation in best}
    latest = [observation for observation in finished if observation.number not in numbers][-_MAX_SEEN // 2 :]
    return [*best, *latest]


def build(space: Space, options: Options) -> GPSampler:
    """Gaussian-process search with these options."""
    return GPSampler(space, options)
