"""The pruners by name: pure decisions with a reason, taken at milestones that the store counts by."""

from collections.abc import Callable

from service.pruning.asha import ASHA
from service.pruning.hyperband import Hyperband
from service.pruning.never import Never
from service.pruning.percentile import Percentile
from service.pruning.protocol import Own, Pruner, Rivals, Verdict
from service.pruning.threshold import Threshold
from service.pruning.words import Words
from trialbook import spec

__all__ = ["PRUNERS", "Own", "Pruner", "Rivals", "Verdict", "build"]

PRUNERS: dict[str, Callable[..., Pruner]] = {
    "none": Never,
    "median": Percentile,
    "percentile": Percentile,
    "threshold": Threshold,
    "asha": ASHA,
    "hyperband": Hyperband,
}


def build(options: spec.Pruner, sign: int, metric: str) -> Pruner:
    """The pruner that these options name; `sign` and `metric` let its reasons speak in the user's values."""
    return PRUNERS[options.name](options, Words(sign, metric))
