"""Sobol search: one scrambled sequence per seed, so that points cover the space evenly however many there are.

Loads SciPy (most of a second), so the first build in a process belongs off the event loop.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from service.search.protocol import History, Suggestion
from trialbook.space import Space
from trialbook.spec import Sampler as Options

BLOCK = 1024


def row(width: int, seed: int, number: int) -> list[float]:
    """Row `number` of the sequence of this width and scrambling, in [0, 1)."""
    place = number % BLOCK
    values: list[float] = _block(width, seed, number - place)[place].tolist()
    return values


@lru_cache(maxsize=64)
def _block(width: int, seed: int, first: int) -> NDArray[np.float64]:
    engine = qmc.Sobol(width, scramble=True, bits=30, rng=np.random.default_rng(seed))
    if first:
        engine.fast_forward(first)
    rows: NDArray[np.float64] = engine.random(BLOCK)
    return rows


class SobolSampler:
    """Row `number` of the sequence, whatever the history says."""

    def __init__(self, space: Space, seed: int) -> None:
        self._space = space
        self._seed = seed

    def suggest(self, history: History, numbers: Sequence[int]) -> list[Suggestion]:
        """One row per number."""
        rows = [row(len(self._space), self._seed, number) for number in numbers]
        return [Suggestion(self._space.from_row(row), {"sampler": "sobol"}) for row in rows]


def build(space: Space, options: Options) -> SobolSampler:
    """The sequence over this space, scrambled by the options' seed."""
    return SobolSampler(space, options.seed)
