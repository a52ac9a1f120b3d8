"""What a Gaussian process makes of a study's trials: mean and deviation along one parameter, or over two.

The only place that knows how service.search fits one. Slow (seconds at most): made in a child process.
"""

from collections.abc import Sequence
from typing import Any

from service.dashboard.figures.protocol import Tried, axes, heading, item
from trialbook.errors import FieldError, Invalid
from trialbook.space import Categorical, Float, Int
from trialbook.spec import StudySpec

LINE, MAP = 81, 31  # points along an axis, where it has more values than that
FEWEST = 3  # trials of which a process says anything


def belief(
    spec: StudySpec, trials: Sequence[Tried], *, x: str | None = None, y: str | None = None
) -> dict[str, Any]:  # Any: JSON
    """Over the parameter `x`, or `x` and `y`, all others as the best trial has them: `mean` and `deviation` at each of
    `xs` (and row by row at each of `ys`), in the metric's values; `others` are what was held, `items` the trials that
    it was made of. Without `x` the first parameter is meant. Raises Invalid for what is no parameter."""
    x = x or spec.space.names[0]
    require(spec, x, y)
    told = {axis["name"]: axis for axis in axes(spec)}
    about = {**heading("belief", spec), "x": told[x], "y": told[y] if y else None}
    known = [one for one in trials if one.state in ("complete", "pruned") and one.value is not None]
    complete = [one for one in known if one.state == "complete"]
    best = min(complete, key=lambda one: _score(spec, one), default=None)
    if best is None or len(known) < FEWEST:
        return {**about, "xs": [], "ys": [], "mean": [], "deviation": [], "others": {}, "items": []}
    columns = [_along(spec.space[name], MAP if y else LINE) for name in ((x, y) if y else (x,))]
    mean, deviation = _believed(spec, known, best, (x, y) if y else (x,), columns)
    return {
        **about,
        "xs": [spec.space[x].from_unit(u) for u in columns[0]],
        "ys": [spec.space[y].from_unit(u) for u in columns[1]] if y else [],
        "mean": mean,
        "deviation": deviation,
        "others": {name: value for name, value in best.params.items() if name not in (x, y)},
        "best": best.number,
        "items": [item(one) for one in known if x in one.params and (y is None or y in one.params)],
    }


def require(spec: StudySpec, x: str | None = None, y: str | None = None) -> None:
    """Raise Invalid where one is no parameter of the study, or both are the same."""
    wrong = [
        FieldError(f"/{axis}", "must be one of the study's parameters")
        for axis, name in (("x", x), ("y", y))
        if name is not None and name not in spec.space.root
    ]
    if x is not None and x == y:
        wrong.append(FieldError("/y", "must be another parameter than x"))
    if wrong:
        raise Invalid(errors=wrong)


def _score(spec: StudySpec, one: Tried) -> float:
    value = float("nan") if one.value is None else one.value
    return value * spec.sign if abs(value) < float("inf") else float("inf")


def _along(parameter: Float | Int | Categorical, most: int) -> list[float]:
    """Places on an axis in [0, 1]: each value's own where there are few, else evenly from end to end."""
    size = parameter.size
    if size is not None and size <= most:
        return [
            (i + 0.5) / size if not getattr(parameter, "log", False) else parameter.to_unit(value)
            for i, value in enumerate(parameter.listed() or ())
        ]
    return [i / (most - 1) for i in range(most)]


def _believed(
    spec: StudySpec, known: Sequence[Tried], best: Tried, names: tuple[str, ...], columns: list[list[float]]
) -> tuple[list[Any], list[Any]]:  # Any: numbers, or rows of them
    import numpy as np  # slow to load, and not needed before somebody looks

    from service.search import gaussian, scores
    from service.search.encoding import Encoding
    from service.search.prior import expected
    from service.search.protocol import Observation

    encoding = Encoding(spec.space)
    observed = [
        Observation(one.number, one.params, _score(spec, one), "pruned" if one.state == "pruned" else "complete")
        for one in known
    ]
    raw = scores.pessimistic(observed)
    scale = scores.scale(raw)
    features, targets = encoding.features(encoding.rows(one.params for one in observed)), scale.target(raw)
    process = gaussian.learn(expected(encoding.owners()), features, targets)
    base = spec.space.to_row(best.params)
    places = [spec.space.names.index(name) for name in names]
    for name in names:
        _activate(spec, name, base)
    shape = tuple(len(column) for column in reversed(columns))
    rows = np.repeat(np.array(base)[None, :], int(np.prod(shape)), axis=0)
    for place, grid in zip(places, np.meshgrid(*columns), strict=True):
        rows[:, place] = grid.ravel()
    means, deviations = process.predict(encoding.features(encoding.rounded(rows)))
    believed = [(float(mean), float(deviation)) for mean, deviation in zip(means[:, 0], deviations, strict=True)]
    values = np.array([scale.score(mean) for mean, _ in believed]) * spec.sign
    spreads = np.array([scale.distance(mean, deviation) for mean, deviation in believed])
    return values.reshape(shape).tolist(), spreads.reshape(shape).tolist()


def _activate(spec: StudySpec, name: str, row: list[float]) -> None:
    """Give a parameter's parents values under which it counts."""
    for parent, values in (spec.space[name].when or {}).items():
        point = spec.space.from_row(row)
        if point.get(parent) not in values:
            row[spec.space.names.index(parent)] = spec.space[parent].to_unit(values[0])
        _activate(spec, parent, row)
