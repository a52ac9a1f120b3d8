"""Bayesian search with tree-structured Parzen estimators: Optuna's, over the history given."""

from collections.abc import Sequence
from random import Random

from optuna.samplers import TPESampler as Estimators

from service.search import replay
from service.search.novelty import key, renewed, taken
from service.search.protocol import History, Suggestion
from service.search.recall import worth_seeing
from service.search.seeding import seed
from trialbook.space import Space
from trialbook.spec import TPESampler as Options

_MAX_SEEN = 1000


class TPESampler:
    """Multivariate over the parameters that are always active, one by one over conditional ones; a constant liar."""

    def __init__(self, space: Space, options: Options) -> None:
        self._space = space
        self._options = options

    def suggest(self, history: History, numbers: Sequence[int]) -> list[Suggestion]:
        """One ask per number, each seeing the points of the asks before it as running."""
        told = History(tuple(worth_seeing(history.finished, _MAX_SEEN)), history.pending)
        study, known = replay.study(self._space, told), taken(history)
        suggestions: list[Suggestion] = []
        mode = "model" if len(history.finished) >= self._options.n_startup_trials else "startup"
        for number in numbers:
            chance = seed(self._options.seed, number)
            sampler = Estimators(n_startup_trials=self._options.n_startup_trials, seed=chance)
            asked = replay.ask(study, self._space, sampler)
            point = renewed(self._space, asked, known, Random(chance))  # noqa: S311  # no secrets
            known.add(key(point))
            suggestions.append(Suggestion(point, {"sampler": "tpe", "mode": mode, "seen": len(history.finished)}))
        return suggestions


def build(space: Space, options: Options) -> TPESampler:
    """Optuna's TPE with these options."""
    return TPESampler(space, options)
