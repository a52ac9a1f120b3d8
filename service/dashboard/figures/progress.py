"""How the best value improved with what was spent: trials, epochs, seconds."""

from collections.abc import Sequence
from typing import Any

from service.dashboard.figures.protocol import complete_value, heading
from trialbook.spec import StudySpec
from trialbook.wire import Trial


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
        value = complete_value(one)
        better = value is not None and (best is None or value * spec.sign < best * spec.sign)
        best = value if better else best
        if best is not None and (better or count == len(over)):
            seconds = (ended - begun).total_seconds() if begun else 0.0
            point = {"trials": count, "epochs": epochs, "seconds": max(0.0, seconds)}
            items.append({"number": one.number, "best": best, **point})
    return {**heading("progress", spec), "items": items}
