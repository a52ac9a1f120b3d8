"""Each trial's value by number, with the best so far."""

from collections.abc import Sequence
from typing import Any

from service.dashboard.figures.protocol import complete_value, heading
from trialbook.spec import StudySpec
from trialbook.values import spell
from trialbook.wire import Trial


def history(spec: StudySpec, trials: Sequence[Trial]) -> dict[str, Any]:
    """Each trial's value by number, with the best complete one so far."""
    best: float | None = None
    items = []
    for one in trials:
        found = complete_value(one)
        if found is not None and (best is None or found * spec.sign < best * spec.sign):
            best = found
        value = None if one.value is None else spell(one.value)
        items.append({"number": one.number, "state": one.state, "value": value, "best": best})
    return {**heading("history", spec), "items": items}
