"""The plain data behind each figure, one module for each. Pure: no store, no clock, no drawing."""

from service.dashboard.figures.distribution import distribution
from service.dashboard.figures.history import history
from service.dashboard.figures.parallel import parallel
from service.dashboard.figures.progress import progress
from service.dashboard.figures.protocol import Figure

FIGURES: dict[str, Figure] = {
    "history": history,
    "parallel": parallel,
    "progress": progress,
    "distribution": distribution,
}
OPTIONS: dict[str, tuple[str, ...]] = {}  # what a figure can be asked for besides, by its kind; of getAnalysis's query
