"""What a figure is: plain data made of a study's trials, ready for JSON; and what several of them ask of a trial."""

import math
from collections.abc import Callable
from typing import Any

from trialbook.spec import StudySpec
from trialbook.wire import Trial

# From the study's spec, all its trials by number, and whatever else it is asked for by keyword (see OPTIONS), each a
# text of the address or absent. Answers JSON-ready values, among them kind, metric, direction, and `items`, a list.
Figure = Callable[..., dict[str, Any]]  # Any: JSON


def heading(kind: str, spec: StudySpec) -> dict[str, Any]:
    """What every figure says first: its kind, what is measured and what is better."""
    return {"kind": kind, "metric": spec.objective.metric, "direction": spec.direction}


def complete_value(one: Trial) -> float | None:
    """The value of a complete trial, None where it has none that is finite."""
    is_value = one.state == "complete" and one.value is not None and math.isfinite(one.value)
    return one.value if is_value else None
