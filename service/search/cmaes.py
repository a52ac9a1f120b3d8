"""Covariance matrix adaptation: Optuna's, its generations replayed from the history given.

Numbers that are always active evolve; choices and conditional parameters are drawn at random.
"""

from collections.abc import Sequence
from random import Random

import optuna
from optuna.samplers import CmaEsSampler
from optuna.trial import TrialState

from service.search import replay
from service.search.novelty import key, renewed, taken
from service.search.protocol import History, Suggestion
from trialbook.space import Categorical, Space
from trialbook.spec import CMAESSampler as Options


class CMAESSampler:
    """The same history leads to the same generations, since each complete trial joins the one open when it ended."""

    def __init__(self, space: Space, options: Options) -> None:
        self._space = space
        self._options = options

    def suggest(self, history: History, numbers: Sequence[int]) -> list[Suggestion]:
        """One ask per number from the generation that the history has reached."""
        study, known, suggestions = self._evolved(history), taken(history), []
        explanation = {"sampler": "cmaes", "mode": self._mode(history), "seen": len(history.finished)}
        for number in numbers:
            seed = replay.seed(self._options.seed, number)
            asked = replay.ask(study, self._space, self._optimizer(seed))
            point = renewed(self._space, asked, known, Random(seed))  # noqa: S311  # chance, not secrets
            known.add(key(point))
            suggestions.append(Suggestion(point, explanation))
        return suggestions

    def _mode(self, history: History) -> str:
        complete = sum(observation.state == "complete" for observation in history.finished)
        evolves = any(not isinstance(p, Categorical) and not p.when and p.size != 1 for p in self._space.root.values())
        return "startup" if complete < self._options.n_startup_trials else "model" if evolves else "random"

    def _optimizer(self, seed: int) -> CmaEsSampler:
        return CmaEsSampler(n_startup_trials=self._options.n_startup_trials, seed=seed, warn_independent_sampling=False)

    def _evolved(self, history: History) -> optuna.Study:
        """The study after each complete trial was asked for, in its turn, and told."""
        study = replay.study(self._space, History())
        study.sampler = self._optimizer(self._options.seed)
        for trial in replay.study(self._space, History(history.finished)).trials:
            if trial.state == TrialState.COMPLETE:
                turn = study.ask()
                _ = turn.relative_params  # computed on access: this is what joins it to a generation
                asked = study.tell(turn, state=TrialState.FAIL)
                trial.system_attrs.update(asked.system_attrs)  # its generation, and the optimizer where one ended
                study.add_trial(trial)
        return study


def build(space: Space, options: Options) -> CMAESSampler:
    """Optuna's CMA-ES with these options."""
    return CMAESSampler(space, options)
