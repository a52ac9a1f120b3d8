"""Covariance matrix adaptation: the package `cmaes`, its generations told again from the history given.

Numbers that are always active evolve, in the unit cube; choices and conditional parameters are drawn at random. The
first trials are random; the best of them is where the evolution begins. Complete trials join generations in the order
in which they finish. An evolution that has come to its end begins anew elsewhere.
"""

from collections.abc import Sequence
from random import Random

import numpy as np
from cmaes import CMA  # type: ignore[import-untyped]  # it has no types
from numpy.typing import NDArray

from service.search.novelty import key, renewed, taken
from service.search.protocol import History, Suggestion
from service.search.random import point
from service.search.seeding import seed
from trialbook.space import Categorical, Space
from trialbook.spec import CMAESSampler as Options

Array = NDArray[np.float64]
_SIGMA = 1 / 6  # of the range, as Optuna has it
_WORST = 1e300


class CMAESSampler:
    """The same history leads to the same generations, since nothing else does."""

    def __init__(self, space: Space, options: Options) -> None:
        self._space = space
        self._options = options
        parameters = [space[name] for name in space.names]
        self._evolving = [
            i for i, p in enumerate(parameters) if not isinstance(p, Categorical) and not p.when and p.size != 1
        ]

    def suggest(self, history: History, numbers: Sequence[int]) -> list[Suggestion]:
        """One draw per number from the generation that the history has reached."""
        known, optimizer = taken(history), self._evolved(history)
        mode = "random" if not self._evolving else "startup" if optimizer is None else "model"
        suggestions = []
        for number in numbers:
            chance = seed(self._options.seed, number)
            row = self._space.to_row(point(self._space, self._options.seed, number))
            if optimizer is not None:
                optimizer.reseed_rng(chance)
                for i, value in zip(self._evolving, optimizer.ask(), strict=False):
                    row[i] = float(value)
            made = renewed(self._space, self._space.from_row(row), known, Random(chance))  # noqa: S311  # no secrets
            known.add(key(made))
            suggestions.append(Suggestion(made, {"sampler": "cmaes", "mode": mode, "seen": len(history.finished)}))
        return suggestions

    def _evolved(self, history: History) -> CMA | None:
        """The optimizer after all whole generations; None while the first trials are made, or if nothing evolves."""
        complete = [observation for observation in history.finished if observation.state == "complete"]
        n_startup = self._options.n_startup_trials
        if len(complete) < n_startup or not self._evolving:
            return None
        rows: Array = np.array([self._space.to_row(observation.params) for observation in complete])[:, self._evolving]
        rows = np.pad(rows, ((0, 0), (0, max(0, 2 - rows.shape[1]))), constant_values=0.5)  # CMA takes two and more
        scores = np.minimum([observation.score for observation in complete], _WORST)
        optimizer = self._begun(rows[int(np.argmin(scores[:n_startup]))], 0)
        done = n_startup
        while done + optimizer.population_size <= len(complete):
            members = range(done, done + optimizer.population_size)
            done = members.stop
            optimizer.tell([(rows[i], float(scores[i])) for i in members])
            if optimizer.should_stop():
                chance = np.random.default_rng([self._options.seed, done])
                optimizer = self._begun(chance.random(rows.shape[1:]), done)
        return optimizer

    def _begun(self, mean: Array, done: int) -> CMA:
        bounds = np.tile([0.0, 1.0], (len(mean), 1))
        return CMA(mean=mean, sigma=_SIGMA, bounds=bounds, seed=seed(self._options.seed, done))


def build(space: Space, options: Options) -> CMAESSampler:
    """CMA-ES with these options."""
    return CMAESSampler(space, options)
