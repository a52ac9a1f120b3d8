"""The empirical distribution of the values: which share of the trials is at least as good as each."""

from collections.abc import Sequence
from typing import Any

from service.dashboard.figures.protocol import complete_value, heading
from trialbook.spec import StudySpec
from trialbook.wire import Trial

DRAWN = 500  # points of a distribution


def distribution(spec: StudySpec, trials: Sequence[Trial]) -> dict[str, Any]:
    """The empirical distribution of the values of complete trials: each value, the best first, and the share of these
    trials that are at least as good. Of very many, evenly chosen ones, the best and the worst among them."""
    found = (complete_value(one) for one in trials)
    values = sorted((value for value in found if value is not None), key=lambda value: value * spec.sign)
    ranks: Sequence[int] = range(len(values))
    if len(values) > DRAWN:
        ranks = [round(i * (len(values) - 1) / (DRAWN - 1)) for i in range(DRAWN)]
    items = [{"value": values[rank], "share": (rank + 1) / len(values)} for rank in ranks]
    return {**heading("distribution", spec), "complete": len(values), "items": items}
