"""Bayesian search by scikit-optimize's own optimizer, as it comes, kept beside `gp` for comparison.

It is made anew from the history for each point, which bounds what it is told: 100 trials at most, since its fits cost
their cube; scores that diverged drawn in, since it takes none that are not finite; pending trials as if they had
reached the best score so far (a "constant liar"); an inactive parameter at its middle, since it knows no conditions.
"""

import warnings
from collections.abc import Sequence
from random import Random
from typing import Any

from skopt import Optimizer
from skopt.space import Categorical, Integer, Real

from service.search import scores, startup
from service.search.novelty import key, renewed, taken
from service.search.protocol import History, Suggestion
from service.search.recall import worth_seeing
from service.search.seeding import seed
from trialbook.space import Categorical as Choice
from trialbook.space import Float, Int, Point, Space
from trialbook.spec import SkoptSampler as Options
from trialbook.values import Scalar

_MAX_SEEN = 100
_MAX_STEPS = 10_000  # an integer of more values is searched as a real number


class SkoptSampler:
    """One optimizer per point: told all that is known, asked once."""

    def __init__(self, space: Space, options: Options) -> None:
        self._space = space
        self._options = options
        self._free = [i for i, name in enumerate(space.names) if space[name].size != 1]
        self._dimensions = [_dimension(space[space.names[i]]) for i in self._free]

    def suggest(self, history: History, numbers: Sequence[int]) -> list[Suggestion]:
        """Startup points for early numbers or while too little is known, the optimizer's for all others."""
        known = taken(history)
        suggestions: list[Suggestion] = []
        for number in numbers:
            if not self._free or startup.is_due(self._options, history, number):
                made = startup.suggestion(self._space, self._options, number, known, history)
            else:
                made = self._asked(history, number, known, [one.params for one in suggestions])
            known.add(key(made.params))
            suggestions.append(made)
        return suggestions

    def _asked(self, history: History, number: int, known: set[Any], before: Sequence[Point]) -> Suggestion:
        finished = worth_seeing(history.finished, _MAX_SEEN)
        raw = scores.pessimistic(finished)
        targets = scores.scale(raw).target(raw).tolist()
        running = [*(trial.params for trial in history.pending), *before]
        points = [*(observation.params for observation in finished), *running]
        chance = seed(self._options.seed, number)
        optimizer = Optimizer(self._dimensions, random_state=chance % 2**31, n_initial_points=0, acq_func="EI")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of points that it finds for the second time: they are renewed below
            optimizer.tell([self._inward(point) for point in points], [*targets, *[min(targets)] * len(running)])
            asked = self._outward(optimizer.ask())
        point = renewed(self._space, asked, known, Random(chance))  # noqa: S311  # chance, not secrets
        return Suggestion(
            point,
            {
                "sampler": self._options.name,
                "mode": "model",
                "acquisition": "EI",
                "seen": len(history.finished),
                "pending": len(history.pending),
            },
        )

    def _inward(self, point: Point) -> list[float]:
        row = self._space.to_row(point)
        pairs = zip(self._free, self._dimensions, strict=True)
        return [row[i] if isinstance(d, Real) else min(int(row[i] * _count(d)), _count(d) - 1) for i, d in pairs]

    def _outward(self, asked: Sequence[float]) -> dict[str, Scalar]:
        row = [0.5] * len(self._space)
        for i, dimension, value in zip(self._free, self._dimensions, asked, strict=True):
            row[i] = float(value) if isinstance(dimension, Real) else (value + 0.5) / _count(dimension)
        return self._space.from_row(row)


def _dimension(parameter: Float | Int | Choice) -> Any:  # Any: skopt has no types
    """Choices and steps as indices, all else as a share of the range."""
    if isinstance(parameter, Choice):
        return Categorical(list(range(parameter.size)))
    if parameter.size is None or parameter.log or parameter.size > _MAX_STEPS:
        return Real(0.0, 1.0)
    return Integer(0, parameter.size - 1)


def _count(dimension: Any) -> int:  # Any: skopt has no types
    return len(dimension.categories) if isinstance(dimension, Categorical) else int(dimension.high) + 1


def build(space: Space, options: Options) -> SkoptSampler:
    """scikit-optimize's optimizer with these options."""
    return SkoptSampler(space, options)
