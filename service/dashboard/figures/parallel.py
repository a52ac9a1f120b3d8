"""Parallel coordinates: the axes of the space, and the trials as lines over them."""

from collections.abc import Sequence
from typing import Any

from service.dashboard.figures.protocol import Tried, axes, heading, item, valued
from trialbook.spec import StudySpec


def parallel(spec: StudySpec, trials: Sequence[Tried]) -> dict[str, Any]:
    """The axes of the space and the trials that have a finite value; a parameter that was inactive is missing."""
    return {**heading("parallel", spec), "axes": axes(spec), "items": [item(one) for one, _ in valued(trials)]}
