"""Which points are new: nothing is tried twice while the space still holds something else.

Pure: chance comes from (seed, number) alone.
"""

from collections.abc import Iterable, Set
from math import prod
from random import Random

from service.search.protocol import History
from trialbook.grid import Grid
from trialbook.space import Point, Space, identity
from trialbook.values import Scalar

Key = frozenset[tuple[str, tuple[type, Scalar]]]
MAX_LISTED = 2000
_TRIES = 50


def key(point: Point) -> Key:
    """What two points share if they are the same point."""
    return frozenset((name, identity(value)) for name, value in point.items())


def taken(history: History) -> set[Key]:
    """The points that were tried or are about to be."""
    return {key(trial.params) for trial in history.finished} | {key(trial.params) for trial in history.pending}


def listed(space: Space) -> list[dict[str, Scalar]] | None:
    """All points of a small discrete space, None for any other."""
    values = {name: parameter.listed() for name, parameter in space.root.items() if _small(parameter.size)}
    if len(values) < len(space) or prod(len(v) for v in values.values() if v) > MAX_LISTED**2:
        return None
    grid = Grid(space, {name: v for name, v in values.items() if v})
    return [grid.cell(i) for i in range(grid.size)] if grid.size <= MAX_LISTED else None


def _small(size: int | None) -> bool:
    return size is not None and size <= MAX_LISTED


def fresh(points: Iterable[dict[str, Scalar]], known: Set[Key]) -> list[dict[str, Scalar]]:
    """Those of the points that are not known."""
    return [point for point in points if key(point) not in known]


def renewed(space: Space, point: dict[str, Scalar], known: Set[Key], source: Random) -> dict[str, Scalar]:
    """The point itself if it is new, else a random new one; the point again where the space is exhausted."""
    if key(point) not in known:
        return point
    for _ in range(_TRIES):
        other = space.from_row([source.random() for _ in space.names])
        if key(other) not in known:
            return other
    rest = fresh(listed(space) or [], known)
    return source.choice(rest) if rest else point
