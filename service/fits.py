"""Samplers in child processes that can be killed: a fit that hangs, crashes or eats memory costs one suggestion."""

from collections.abc import Sequence
from importlib import import_module
from types import TracebackType
from typing import Any, Self

from service.children import CallFailed, Children
from service.search.protocol import History, Observation, Pending, Suggestion
from trialbook.space import Space
from trialbook.spec import Sampler as Options
from trialbook.spec import StudySpec

_BUILD = "service.search:build"


class FitFailed(CallFailed):
    """The sampler gave no suggestions; the message says why, and where if it raised an error."""


class Fitters:
    """Up to `size` child processes that make suggestions; `build` names the function that makes a sampler.

    async with Fitters(size=2) as fitters:
        suggestions = await fitters.suggest(spec, history, [17, 18], timeout=60)
    """

    def __init__(self, *, size: int = 1, build: str = _BUILD) -> None:
        self._build = build
        self._children = Children("sampler", size=size)

    async def suggest(
        self,
        spec: StudySpec,
        history: History,
        numbers: Sequence[int],
        timeout: float = 60.0,  # noqa: ASYNC109  # the child is killed, not only the wait ended
    ) -> list[Suggestion]:
        """The sampler's points for these numbers. Raises FitFailed when it fails or takes over `timeout` seconds.

        Waiting for a free process does not count towards the timeout.
        """
        asked = (self._build, spec.space, spec.sampler, _packed(history), tuple(numbers))
        try:
            made: list[Suggestion] = await self._children.call("service.fits:suggest", *asked, timeout=timeout)
        except CallFailed as failure:
            raise FitFailed(str(failure), failure.where) from None
        return made

    async def close(self) -> None:
        """Ends all processes, busy or not."""
        await self._children.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


# Columns are pickled and read in a third of the time that as many objects take; histories have up to 100,000 trials.
_Packed = tuple[tuple[Sequence[Any], ...], tuple[Pending, ...]]  # Any: an observation's fields, each a column


def _packed(history: History) -> _Packed:
    finished = history.finished
    columns = ([getattr(one, name) for one in finished] for name in Observation.__dataclass_fields__)
    return tuple(columns), history.pending


def _unpacked(packed: _Packed) -> History:
    columns, pending = packed
    return History(tuple(map(Observation, *columns)), pending)


def suggest(build: str, space: Space, options: Options, packed: _Packed, numbers: tuple[int, ...]) -> list[Suggestion]:
    """The child's side: the suggestions of the sampler that `build` makes."""
    module, function = build.split(":")
    sampler = getattr(import_module(module), function)(space, options)
    suggestions: list[Suggestion] = sampler.suggest(_unpacked(packed), numbers)
    return suggestions
