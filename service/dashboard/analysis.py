"""The plain data behind each figure. Pure: trials in, JSON-ready values out; no store, no clock, no drawing."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from trialbook.spec import StudySpec
from trialbook.values import spell
from trialbook.wire import Trial

Figure = Callable[[StudySpec, Sequence[Trial]], dict[str, Any]]  # Any: JSON


def history(spec: StudySpec, trials: Sequence[Trial]) -> dict[str, Any]:
    """Each trial's value by number, with the best complete one so far."""
    best: float | None = None
    items = []
    for one in trials:
        if one.state == "complete" and one.value is not None and math.isfinite(one.value):
            better = best is None or one.value * spec.sign < best * spec.sign
            best = one.value if better else best
        value = None if one.value is None else spell(one.value)
        items.append({"number": one.number, "state": one.state, "value": value, "best": best})
    return {"kind": "history", "metric": spec.objective.metric, "direction": spec.direction, "items": items}


def parallel(spec: StudySpec, trials: Sequence[Trial]) -> dict[str, Any]:
    """The axes of the space and the trials that have a finite value; a parameter that was inactive is missing."""
    axes = [{"name": name, **p.model_dump(mode="json", exclude_none=True)} for name, p in spec.space.root.items()]
    items = [
        {"number": one.number, "state": one.state, "value": one.value, "params": one.params}
        for one in trials
        if one.value is not None and math.isfinite(one.value)
    ]
    metric, direction = spec.objective.metric, spec.direction
    return {"kind": "parallel", "metric": metric, "direction": direction, "axes": axes, "items": items}


FIGURES: dict[str, Figure] = {
    "history": history,
    "parallel": parallel,
}
