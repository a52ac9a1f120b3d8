"""The small lines beside studies in their list: where the best value so far went."""

import math
from collections.abc import Sequence

from service.context import Context
from service.store.bests import bests
from trialbook.wire import Study

DRAWN = 5000  # complete trials: a longer study has no line, since its trials would all be read for it


async def sparklines(context: Context, found: list[Study]) -> dict[str, str]:
    """The lines of the studies; each is drawn anew only when another trial of its study is complete."""
    drawable = [one for one in found if 2 <= one.counts["complete"] <= DRAWN]
    missing = [one for one in drawable if context.sparks.get(_state_of(one)) is None]
    if missing:
        steps = await bests(context.db, [one.name for one in missing])
        for one in missing:
            line = sparkline(steps.get(one.name, ()), sum(one.counts.values()))
            context.sparks.put(_state_of(one), line)
    return {one.name: context.sparks.get(_state_of(one)) or "" for one in drawable}


def _state_of(study: Study) -> tuple[str, str, int]:
    return study.name, study.created_at.isoformat(), study.counts["complete"]  # a complete trial never changes


def sparkline(steps: Sequence[tuple[int, float]], trials: int) -> str:
    """Where the best value so far went, as a line of steps in a box of 80 by 20; upwards is a larger value."""
    values = [value for _, value in steps]
    if not values or not all(map(math.isfinite, values)):
        return ""
    low, high = min(values), max(values)
    places = [(1 + 78 * n / max(1, trials - 1), 18 - 16 * _part(v, low, high)) for n, v in steps]
    corners: list[tuple[float, float]] = []
    for x, y in places:
        corners += [(x, corners[-1][1]), (x, y)] if corners else [(x, y)]
    corners.append((79, corners[-1][1]))
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)


def _part(value: float, low: float, high: float) -> float:
    """How far up a value lies; halved first, since the whole range may be no number."""
    whole = high / 2 - low / 2
    return (value / 2 - low / 2) / whole if whole > 0 else 0.5
