"""Grid search: each cell once, in a shuffled order, so that a grid left half way has seen all of the space.

Pure: which cells are taken is counted by the store; here a position in the order becomes a point.
"""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b

from service.search.protocol import History, Suggestion
from trialbook.grid import Grid
from trialbook.space import Space
from trialbook.spec import GridSampler as Options
from trialbook.spec import StudySpec, grid_values
from trialbook.values import Scalar

_ROUNDS = 4


def point(spec: StudySpec, cell: int) -> dict[str, Scalar]:
    """The point of the cell at this place of the study's order. Raises IndexError beyond the last cell."""
    assert isinstance(spec.sampler, Options)  # noqa: S101  # callers have asked for a grid study
    return _at(spec.grid, spec.sampler.seed, cell)


def shuffled(index: int, size: int, seed: int) -> int:
    """Where `index` goes in a permutation of range(size): a Feistel network, walked until it lands inside.

    Needs no table, so a million cells cost what ten do (Black and Rogaway, 2002, "Ciphers with arbitrary finite
    domains").
    """
    half = max(((size - 1).bit_length() + 1) // 2, 1)
    while True:
        index = _encrypt(index, half, seed)
        if index < size:
            return index


def _encrypt(index: int, half: int, seed: int) -> int:
    left, right = index >> half, index & ((1 << half) - 1)
    for turn in range(_ROUNDS):
        left, right = right, left ^ _mix(right, turn, half, seed)
    return left << half | right


@lru_cache(maxsize=65_536)
def _mix(right: int, turn: int, half: int, seed: int) -> int:
    digest = blake2b(f"{seed}-{turn}-{right}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") & ((1 << half) - 1)


def _at(grid: Grid, seed: int, cell: int) -> dict[str, Scalar]:
    if not 0 <= cell < grid.size:
        raise IndexError(f"cell {cell} of a grid of {grid.size}")
    return grid.cell(shuffled(cell, grid.size, seed))


class GridSampler:
    """The cells in their order; a trial's number is taken for its place there."""

    def __init__(self, grid: Grid, seed: int) -> None:
        self._grid = grid
        self._seed = seed

    def suggest(self, history: History, numbers: Sequence[int]) -> list[Suggestion]:
        """One cell per number; past the last cell the order starts again."""
        cells = [number % self._grid.size for number in numbers]
        return [Suggestion(_at(self._grid, self._seed, cell), {"sampler": "grid", "cell": cell}) for cell in cells]


def build(space: Space, options: Options) -> GridSampler:
    """The grid over this space with the options' counts and values."""
    return GridSampler(Grid(space, grid_values(space, options)), options.seed)
