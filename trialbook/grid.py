"""The cells of a grid: every combination of the parameters' values that differs, counted and numbered.

Pure. A parameter that is inactive does not multiply the cells: `momentum` under `when: {optimizer: [sgd]}` adds cells
to sgd's only.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property

from trialbook.space import Point, Space
from trialbook.values import Scalar, located

MAX_CELLS = 1_000_000
_MAX_BRANCHES = 50_000

_Given = tuple[tuple[str, Scalar], ...]


class Grid:
    """The grid over a space, each parameter with its values; cell numbers run from 0 to size - 1."""

    def __init__(self, space: Space, values: Mapping[str, Sequence[Scalar]]) -> None:
        self.space = space
        self.values = {name: values[name] for name in space.ordered}
        self._counts: dict[tuple[int, _Given], int] = {}

    @property
    def size(self) -> int:
        """How many cells there are: any whole number. Raises ValidationError where conditions branch too often."""
        return self._count(0, ())

    def cell(self, index: int) -> dict[str, Scalar]:
        """The point of this cell; the last parameter varies fastest. Raises IndexError outside the grid."""
        if not 0 <= index < self.size:
            raise IndexError(f"cell {index} of a grid of {self.size}")
        point: dict[str, Scalar] = {}
        for depth, name in enumerate(self.space.ordered):
            if self.space.is_active(name, point):
                point[name], index = self._choose(depth, name, point, index)
        return {name: point[name] for name in self.space.names if name in point}

    def _choose(self, depth: int, name: str, point: Point, index: int) -> tuple[Scalar, int]:
        """The value whose share of the cells below holds this index, and the index within that share."""
        values = self.values[name]
        if name not in self._needed_until:
            place, rest = divmod(index, self._count(depth + 1, self._given(depth + 1, point)))
            return values[place], rest
        for value in values:
            below = self._count(depth + 1, self._given(depth + 1, {**point, name: value}))
            if index < below:
                return value, index
            index -= below
        raise AssertionError("the counts of the values add up to the count above them")

    @cached_property
    def _needed_until(self) -> dict[str, int]:
        """For each parameter that others depend on, the depth of the last of them."""
        return {
            parent: depth
            for depth, name in enumerate(self.space.ordered)
            for parent in self.space.root[name].when or {}
        }

    def _given(self, depth: int, point: Point) -> _Given:
        """What of a point decides how many cells are below this depth: the values that conditions there ask for."""
        return tuple(
            (name, point[name]) for name, last in self._needed_until.items() if last >= depth and name in point
        )

    def _count(self, depth: int, given: _Given) -> int:
        known = self._counts.get((depth, given))
        if known is None:
            known = self._counts[depth, given] = self._count_below(depth, given)
            if len(self._counts) > _MAX_BRANCHES:
                raise located("sampler", "the conditions branch too often for a grid")
        return known

    def _count_below(self, depth: int, given: _Given) -> int:
        if depth == len(self.space.ordered):
            return 1
        name, point = self.space.ordered[depth], dict(given)
        if not self.space.is_active(name, point):
            return self._count(depth + 1, self._given(depth + 1, point))
        if name not in self._needed_until:
            return len(self.values[name]) * self._count(depth + 1, self._given(depth + 1, point))
        branches = (self._given(depth + 1, {**point, name: value}) for value in self.values[name])
        return sum(self._count(depth + 1, branch) for branch in branches)
