"""The first points of a Gaussian-process search: a Sobol sequence, until enough is known for a model. Pure."""

from random import Random

import numpy as np

from service.search import sobol
from service.search.novelty import Key, renewed
from service.search.protocol import History, Suggestion
from trialbook.space import Space
from trialbook.spec import GPSampler as Options

_MIN_FINITE = 3


def is_due(options: Options, history: History, number: int) -> bool:
    """Whether this number's point is one of the first: half the startup trials may still be running."""
    finite = sum(np.isfinite(observation.score) for observation in history.finished)
    wanted = min(options.n_startup_trials, max(_MIN_FINITE, options.n_startup_trials // 2))
    return number < options.n_startup_trials or finite < wanted


def suggestion(space: Space, options: Options, number: int, known: set[Key], history: History) -> Suggestion:
    """The sequence's point of this number, or a random one where that is known already."""
    point = space.from_row(sobol.row(len(space), options.seed, number))
    chance = Random(f"{options.seed}-{number}-again")  # noqa: S311  # chance, not secrets
    explanation = {"sampler": options.name, "mode": "startup", "seen": len(history.finished)}
    return Suggestion(renewed(space, point, known, chance), explanation)
