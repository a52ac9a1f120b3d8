"""Parallel coordinates: the axes of the space, and the trials as lines over them."""

import math
from collections.abc import Sequence
from typing import Any

from service.dashboard.figures.protocol import heading
from trialbook.spec import StudySpec
from trialbook.wire import Trial


def parallel(spec: StudySpec, trials: Sequence[Trial]) -> dict[str, Any]:
    """The axes of the space and the trials that have a finite value; a parameter that was inactive is missing."""
    axes = [{"name": name, **p.model_dump(mode="json", exclude_none=True)} for name, p in spec.space.root.items()]
    items = [
        {"number": one.number, "state": one.state, "value": one.value, "params": one.params}
        for one in trials
        if one.value is not None and math.isfinite(one.value)
    ]
    return {**heading("parallel", spec), "axes": axes, "items": items}
