"""The plain data behind each figure, one module for each. Pure: no store, no clock, no drawing."""

from collections.abc import Mapping, Sequence
from typing import Any

from service.dashboard.figures.belief import belief
from service.dashboard.figures.contour import contour
from service.dashboard.figures.distribution import distribution
from service.dashboard.figures.history import history
from service.dashboard.figures.importance import importance
from service.dashboard.figures.parallel import parallel
from service.dashboard.figures.progress import progress
from service.dashboard.figures.protocol import Figure, Tried
from service.dashboard.figures.rank import rank
from service.dashboard.figures.slices import slices
from service.dashboard.figures.suggestions import suggestions
from trialbook.spec import StudySpec

FIGURES: dict[str, Figure] = {
    "history": history,
    "parallel": parallel,
    "importance": importance,
    "slice": slices,
    "contour": contour,
    "rank": rank,
    "suggestions": suggestions,
    "belief": belief,
    "progress": progress,
    "distribution": distribution,
}


def make(kind: str, spec: StudySpec, trials: Sequence[Tried], options: Mapping[str, str]) -> dict[str, Any]:
    """The figure of this kind. Raises Invalid where its options are wrong."""
    return FIGURES[kind](spec, trials, **options)
