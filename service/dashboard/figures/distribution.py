"""The distribution of the values: which share of the trials is at least as good as each, and how many lie where."""

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from service.dashboard.figures.protocol import Tried, heading, valued
from trialbook.spec import StudySpec

DRAWN = 500  # points of a distribution
BINS = 30  # of a histogram


def distribution(spec: StudySpec, trials: Sequence[Tried]) -> dict[str, Any]:
    """The distribution of these trials' values: see `spread`."""
    found: dict[str, list[float]] = {}
    for one, value in valued(trials):
        found.setdefault(one.state, []).append(value)
    return spread(spec, {state: sorted(values, key=lambda v: v * spec.sign) for state, values in found.items()})


def spread(spec: StudySpec, values: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """The empirical distribution of values by state, the best first: `items` of complete trials, `pruned` of pruned
    ones, each value with the share of these trials that are at least as good; of very many, evenly chosen ones, the
    best and the worst among them. Besides, of complete trials, the `median` and the value that the best tenth reach
    (`decile`), and histograms over equal parts of the values' range and, where all are above 0, of its logarithm.
    """
    complete, pruned = values.get("complete", ()), values.get("pruned", ())
    every = [*complete, *pruned]
    bins = {"linear": _bins(complete, pruned, _edges(every, float, float))}
    if every and min(every) > 0:
        bins["log"] = _bins(complete, pruned, _edges(every, math.log, math.exp))
    return {
        **heading("distribution", spec),
        "complete": len(complete),
        "median": complete[(len(complete) - 1) // 2] if complete else None,
        "decile": complete[(len(complete) - 1) // 10] if complete else None,
        "pruned": _shares(pruned),
        "bins": bins,
        "items": _shares(complete),
    }


def _shares(values: Sequence[float]) -> list[dict[str, float]]:
    ranks: Sequence[int] = range(len(values))
    if len(values) > DRAWN:
        ranks = [round(i * (len(values) - 1) / (DRAWN - 1)) for i in range(DRAWN)]
    return [{"value": values[rank], "share": (rank + 1) / len(values)} for rank in ranks]


def _edges(values: Sequence[float], inward: Callable[[float], float], outward: Callable[[float], float]) -> list[float]:
    """The edges of bins over the values' range, equal ones after `inward`; none where all values are the same."""
    low, high = (min(values), max(values)) if values else (0.0, 0.0)
    if low == high or not math.isfinite(high - low):
        return []
    first, width = inward(low), (inward(high) - inward(low)) / BINS
    return [low, *(outward(first + width * i) for i in range(1, BINS)), high]


def _bins(complete: Sequence[float], pruned: Sequence[float], edges: Sequence[float]) -> list[dict[str, Any]]:
    counts = [_counted(values, edges) for values in (complete, pruned)]
    return [
        {"low": edges[i], "high": edges[i + 1], "complete": counts[0][i], "pruned": counts[1][i]}
        for i in range(len(edges) - 1)
    ]


def _counted(values: Sequence[float], edges: Sequence[float]) -> list[int]:
    """How many values are in each bin: from its lower edge on, below its upper one, which the last bin has too."""
    counts = [0] * max(0, len(edges) - 1)
    for value in values:
        if counts:
            counts[min(max(bisect_right(edges, value) - 1, 0), len(counts) - 1)] += 1
    return counts
