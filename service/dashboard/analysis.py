"""The plain data behind each figure. Pure: trials in, JSON-ready values out; no store, no clock, no drawing."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from trialbook.spec import StudySpec
from trialbook.values import spell
from trialbook.wire import Trial

DRAWN = 500  # points of a distribution
Figure = Callable[[StudySpec, Sequence[Trial]], dict[str, Any]]  # Any: JSON


def history(spec: StudySpec, trials: Sequence[Trial]) -> dict[str, Any]:
    """Each trial's value by number, with the best complete one so far."""
    best: float | None = None
    items = []
    for one in trials:
        found = _value(one)
        if found is not None and (best is None or found * spec.sign < best * spec.sign):
            best = found
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


def progress(spec: StudySpec, trials: Sequence[Trial]) -> dict[str, Any]:
    """How the best value improved, in the order in which trials ended: after so many trials, epochs and seconds.

    Epochs are the trials' steps, summed; seconds count from the first trial's start. The last item is about now.
    """
    over = sorted(((one.finished_at, one.number, one) for one in trials if one.finished_at), key=lambda o: o[:2])
    begun = min((one.started_at for one in trials if one.started_at is not None), default=None)
    best: float | None = None
    epochs, items = 0, []
    for count, (ended, _, one) in enumerate(over, 1):
        epochs += 0 if one.last_step is None else one.last_step + 1
        value = _value(one)
        better = value is not None and (best is None or value * spec.sign < best * spec.sign)
        best = value if better else best
        if best is not None and (better or count == len(over)):
            seconds = (ended - begun).total_seconds() if begun else 0.0
            point = {"trials": count, "epochs": epochs, "seconds": max(0.0, seconds)}
            items.append({"number": one.number, "best": best, **point})
    return {"kind": "progress", "metric": spec.objective.metric, "direction": spec.direction, "items": items}


def distribution(spec: StudySpec, trials: Sequence[Trial]) -> dict[str, Any]:
    """The empirical distribution of the values of complete trials: each value, the best first, and the share of these
    trials that are at least as good. Of very many, evenly chosen ones, the best and the worst among them."""
    found = (_value(one) for one in trials)
    values = sorted((value for value in found if value is not None), key=lambda value: value * spec.sign)
    ranks: Sequence[int] = range(len(values))
    if len(values) > DRAWN:
        ranks = [round(i * (len(values) - 1) / (DRAWN - 1)) for i in range(DRAWN)]
    items = [{"value": values[rank], "share": (rank + 1) / len(values)} for rank in ranks]
    told = {"metric": spec.objective.metric, "direction": spec.direction, "complete": len(values)}
    return {"kind": "distribution", **told, "items": items}


def _value(one: Trial) -> float | None:
    """The value of a complete trial, None where it has none that is finite."""
    is_value = one.state == "complete" and one.value is not None and math.isfinite(one.value)
    return one.value if is_value else None


FIGURES: dict[str, Figure] = {
    "history": history,
    "parallel": parallel,
    "progress": progress,
    "distribution": distribution,
}
