"""Two parameters against each other, each trial by its rank: what the best and the worst have in common."""

from collections.abc import Sequence
from typing import Any

from service.dashboard.figures.protocol import Tried, axes, heading, item, pair, valued
from trialbook.spec import StudySpec


def rank(spec: StudySpec, trials: Sequence[Tried], *, x: str | None = None, y: str | None = None) -> dict[str, Any]:
    """The trials that have a finite value and both parameters, each with its `rank` among them: 0 the best, 1 the
    worst, equal values the same. Raises Invalid."""
    names = pair(spec, x, y)
    told = {axis["name"]: axis for axis in axes(spec)}
    if names is None:
        return {**heading("rank", spec), "x": None, "y": None, "items": []}
    found = [(one, value * spec.sign) for one, value in valued(trials) if all(name in one.params for name in names)]
    places = _ranks([score for _, score in found])
    items = [{**item(one), "rank": places[score]} for one, score in found]
    return {**heading("rank", spec), "x": told[names[0]], "y": told[names[1]], "items": items}


def _ranks(scores: list[float]) -> dict[float, float]:
    """The place of each score from 0 to 1; the middle one of its places where it comes more than once."""
    first: dict[float, int] = {}
    last: dict[float, int] = {}
    for place, score in enumerate(sorted(scores)):
        first.setdefault(score, place)
        last[score] = place
    return {score: (first[score] + last[score]) / 2 / max(1, len(scores) - 1) for score in first}
