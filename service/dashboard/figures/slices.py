"""Slices: the value over each parameter by itself, with the way that most trials' values go along it."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import Any

from service.dashboard.figures.protocol import Tried, axes, complete_value, heading, item, valued
from trialbook.space import Categorical, identity
from trialbook.spec import StudySpec
from trialbook.values import Scalar

BINS = 10  # of a parameter's range, each with as many trials
FEWEST = 5  # trials of one bin


def slices(spec: StudySpec, trials: Sequence[Tried]) -> dict[str, Any]:
    """As `parallel`; each axis has a `trend` besides: from place to place (`at`) the median of the values of complete
    trials there (`middle`) and between which most of them are (`low`, `high`: the 10th and 90th percentile)."""
    told = [{**axis, "trend": _trend(spec, axis["name"], trials)} for axis in axes(spec)]
    return {**heading("slice", spec), "axes": told, "items": [item(one) for one, _ in valued(trials)]}


def _trend(spec: StudySpec, name: str, trials: Sequence[Tried]) -> list[dict[str, Any]]:
    found = [
        (one.params[name], value) for one in trials if name in one.params and (value := complete_value(one)) is not None
    ]
    size = spec.space[name].size
    if isinstance(spec.space[name], Categorical) or (size is not None and size <= BINS):
        groups = _by_choice(sorted(found, key=lambda pair: spec.space[name].to_unit(pair[0])))
    else:
        groups = _by_place(sorted(found, key=lambda pair: spec.space[name].to_unit(pair[0])))
    return [_bin([at for at, _ in group], sorted(value for _, value in group)) for group in groups]


def _by_choice(found: list[tuple[Scalar, float]]) -> list[list[tuple[Scalar, float]]]:
    groups: dict[Any, list[tuple[Scalar, float]]] = defaultdict(list)
    for at, value in found:
        groups[identity(at)].append((at, value))
    return [group for group in groups.values() if len(group) >= FEWEST]


def _by_place(found: list[tuple[Scalar, float]]) -> list[list[tuple[Scalar, float]]]:
    bins = min(BINS, len(found) // FEWEST)
    edges = [round(i * len(found) / bins) for i in range(bins + 1)] if bins else []
    return [found[low:high] for low, high in pairwise(edges)]


def _bin(places: list[Scalar], values: list[float]) -> dict[str, Any]:
    last = len(values) - 1
    return {
        "at": places[len(places) // 2],
        "middle": median(values),
        "low": values[round(0.1 * last)],
        "high": values[round(0.9 * last)],
        "trials": len(values),
    }
