"""Random search: independent uniform points of the unit cube, each drawn from (seed, number) alone."""

from collections.abc import Sequence
from random import Random

from service.search.protocol import History, Suggestion
from trialbook.space import Space
from trialbook.spec import Sampler as Options
from trialbook.values import Scalar


def point(space: Space, seed: int, number: int) -> dict[str, Scalar]:
    """The random point of this trial number: uniform, or log-uniform on log scales."""
    source = Random(f"{seed}-{number}")  # noqa: S311  # chance, not secrets
    return space.from_row([source.random() for _ in space.names])


class RandomSampler:
    """Uniform points, whatever the history says."""

    def __init__(self, space: Space, seed: int) -> None:
        self._space = space
        self._seed = seed

    def suggest(self, history: History, numbers: Sequence[int]) -> list[Suggestion]:
        """One independent point per number."""
        return [Suggestion(point(self._space, self._seed, n), {"sampler": "random"}) for n in numbers]


def build(space: Space, options: Options) -> RandomSampler:
    """Random search with the options' seed."""
    return RandomSampler(space, options.seed)
