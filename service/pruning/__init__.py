"""The pruners by name: pure decisions with a reason, taken at milestones that the store counts by."""

import sys
from collections.abc import Callable

from service.pruning.asha import ASHA, rungs
from service.pruning.auditing import spares
from service.pruning.hyperband import Hyperband
from service.pruning.never import Never
from service.pruning.percentile import Percentile
from service.pruning.promotion import Promotion
from service.pruning.protocol import Own, Pruner, Rivals, Verdict
from service.pruning.threshold import Threshold
from service.pruning.words import Words
from trialbook import spec

__all__ = ["PRUNERS", "Own", "Pruner", "Rivals", "Verdict", "build", "passed", "rungs_of", "spares"]

PRUNERS: dict[str, Callable[..., Pruner]] = {
    "none": Never,
    "median": Percentile,
    "percentile": Percentile,
    "threshold": Threshold,
    "asha": ASHA,
    "hyperband": Hyperband,
}


def rungs_of(options: spec.Pruner) -> tuple[int, ...] | None:
    """The steps at which trials may be paused, to be promoted later; None where this pruner pauses none."""
    return rungs(options) if isinstance(options, spec.ASHAPruner) and options.promote else None


def passed(sign: int) -> Verdict:
    """What a trial is told at a rung that it was promoted from: as if any finite score were enough."""
    return Verdict(prune=False, compared=sign * sys.float_info.max)


def build(options: spec.Pruner, sign: int, metric: str, *, can_pause: bool = True) -> Pruner:
    """The pruner that these options name; `sign` and `metric` let its reasons speak in the user's values.

    Whoever cannot pause is judged by the rule that stops.
    """
    words = Words(sign, metric)
    if can_pause and isinstance(options, spec.ASHAPruner) and options.promote:
        return Promotion(options, words)
    return PRUNERS[options.name](options, words)
