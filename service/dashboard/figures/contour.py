"""The value over two parameters as a map: what trials nearby had, smoothed; blank where none was tried."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.dashboard.figures.protocol import Tried, axes, complete_value, heading, item, pair, valued
from service.search.scores import scale
from trialbook.space import Categorical, Float, Int
from trialbook.spec import StudySpec

Array = NDArray[np.float64]
CELLS = 40  # along an axis, where it has more values than that
MOST = 10_000  # cells in all
NARROWEST, WIDEST = 0.03, 0.25  # of the smoothing, in shares of an axis
REACH = 0.05  # a cell is blank where the trials weigh less than this: one of them, some 2.5 widths away
HOPELESS = 3.0  # so many widths of the best quarter above its edge, all values are drawn alike
DECADES = 100.0  # values that span so much are smoothed by their logarithms


def contour(spec: StudySpec, trials: Sequence[Tried], *, x: str | None = None, y: str | None = None) -> dict[str, Any]:
    """The trials that have a finite value and both parameters, and the map behind them: the axes `x` and `y` with their
    cells' `edges` (of choices: their index, less and plus a half), and `grid[row of y][column of x]`, a value or None.
    Two axes with too many choices have no map, and `blank` says so.

    The map is a kernel smoother (Nadaraya 1964, Watson 1964) of the complete trials' values in the unit square, whose
    width goes with the sixth root of their number (Scott 1992); hopeless values are drawn in. Choices are not smoothed
    over. Raises Invalid.
    """
    names = pair(spec, x, y)
    if names is None:
        return {**heading("contour", spec), "x": None, "y": None, "grid": [], "blank": "", "items": []}
    told = {axis["name"]: axis for axis in axes(spec)}
    found = [one for one, _ in valued(trials) if all(name in one.params for name in names)]
    complete = [one for one in found if complete_value(one) is not None]
    sides = [_centres(spec.space[name]) for name in names]
    cells = len(sides[0]) * len(sides[1])
    grid = _map(spec, names, complete, sides) if complete and cells <= MOST else []
    blank = f"Trials only: a map would have {cells:,} cells, more than {MOST:,}." if cells > MOST else ""
    both = [{**told[name], "edges": _edges(spec.space[name])} for name in names]
    items = [item(one) for one in found]
    return {**heading("contour", spec), "x": both[0], "y": both[1], "grid": grid, "blank": blank, "items": items}


def _cells(parameter: Float | Int | Categorical) -> int:
    if isinstance(parameter, Categorical):
        return parameter.size
    return CELLS if parameter.size is None else min(parameter.size, CELLS)


def _centres(parameter: Float | Int | Categorical) -> list[float]:
    """The cells' middles, in shares of the axis."""
    cells = _cells(parameter)
    return [(i + 0.5) / cells for i in range(cells)]


def _edges(parameter: Float | Int | Categorical) -> list[float]:
    """Where the cells end, in the axis's own measure."""
    cells = _cells(parameter)
    if isinstance(parameter, Categorical):
        return [i - 0.5 for i in range(cells + 1)]
    low, high = float(parameter.low), float(parameter.high)
    if isinstance(parameter, Int) and not parameter.log:
        low, high = low - parameter.step / 2, parameter.listed()[-1] + parameter.step / 2
    if isinstance(parameter, Int) and parameter.log:
        low, high = low - 0.5, high + 0.5
    if parameter.log:
        return [low * (high / low) ** (i / cells) for i in range(cells + 1)]
    return [low + (high - low) * i / cells for i in range(cells + 1)]


def _map(
    spec: StudySpec, names: tuple[str, str], trials: list[Tried], sides: list[list[float]]
) -> list[list[float | None]]:
    scores = np.array([complete_value(one) for one in trials], dtype=float) * spec.sign
    good = scale(scores)
    values = np.minimum(scores, good.edge + HOPELESS * good.width) * spec.sign
    is_log = values.min() > 0 and values.max() / values.min() >= DECADES
    values = np.log(values) if is_log else values
    near_x, near_y = (
        _nearness(spec.space[name], np.array([spec.space[name].to_unit(one.params[name]) for one in trials]), side)
        for name, side in zip(names, sides, strict=True)
    )
    weight = near_y @ near_x.T  # (cells of y, cells of x)
    total = (near_y * values) @ near_x.T
    smooth = total / np.where(weight >= REACH, weight, 1.0)
    smooth = np.exp(smooth) if is_log else smooth
    shown = [[float(f"{cell:.6g}") for cell in row] for row in smooth]
    return [
        [cell if near >= REACH else None for cell, near in zip(row, around, strict=True)]
        for row, around in zip(shown, weight, strict=True)
    ]


def _nearness(parameter: Float | Int | Categorical, places: Array, centres: list[float]) -> Array:
    """How much each trial counts in each cell along one axis (cells, trials): a bell, or for choices only its own."""
    away = np.abs(np.array(centres)[:, None] - places[None, :])
    if isinstance(parameter, Categorical):
        return (away < 0.5 / len(centres)).astype(float)
    width = min(max(float(places.std()) * len(places) ** (-1 / 6), NARROWEST), WIDEST)
    bell: Array = np.exp(-0.5 * (away / width) ** 2)
    return bell
