"""The cells of a grid: every combination of the parameters' values that differs, counted and numbered.

Pure. A parameter that is inactive does not multiply the cells: `momentum` under `when: {optimizer: [sgd]}` adds cells
to sgd's only.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache

from trialbook.space import Point, Space
from trialbook.values import Scalar

MAX_CELLS = 1_000_000


class Grid:
    """The grid over a space, each parameter with its values; cell numbers run from 0 to len(grid) - 1."""

    def __init__(self, space: Space, values: Mapping[str, Sequence[Scalar]]) -> None:
        self.space = space
        self.values = {name: tuple(values[name]) for name in space.ordered}
        self._count = lru_cache(maxsize=100_000)(self._count_below)

    @cached_property
    def _parents(self) -> tuple[str, ...]:
        named = {parent for parameter in self.space.root.values() for parent in parameter.when or {}}
        return tuple(name for name in self.space.ordered if name in named)

    def __len__(self) -> int:
        return self._count(0, ())

    def cell(self, index: int) -> dict[str, Scalar]:
        """The point of this cell; the last parameter varies fastest. Raises IndexError outside the grid."""
        if not 0 <= index < len(self):
            raise IndexError(f"cell {index} of a grid of {len(self)}")
        point: dict[str, Scalar] = {}
        for depth, name in enumerate(self.space.ordered):
            if not self.space.is_active(name, point):
                continue
            for value in self.values[name]:
                point[name] = value
                below = self._count(depth + 1, self._given(point))
                if index < below:
                    break
                index -= below
        return {name: point[name] for name in self.space.names if name in point}

    def _given(self, point: Point) -> tuple[tuple[str, Scalar], ...]:
        """What of a point decides how many cells are below it: its values of parameters that others depend on."""
        return tuple((name, point[name]) for name in self._parents if name in point)

    def _count_below(self, depth: int, given: tuple[tuple[str, Scalar], ...]) -> int:
        if depth == len(self.space.ordered):
            return 1
        name, point = self.space.ordered[depth], dict(given)
        if not self.space.is_active(name, point):
            return self._count(depth + 1, given)
        if name not in self._parents:
            return len(self.values[name]) * self._count(depth + 1, given)
        return sum(self._count(depth + 1, self._given({**point, name: value})) for value in self.values[name])
