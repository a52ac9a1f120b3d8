"""Threshold pruning: a trial ends as soon as its value leaves the user's bounds or is not a finite number."""

import math
from collections.abc import Sequence

from service.pruning.protocol import Own, Rivals, Verdict
from service.pruning.words import Words
from trialbook.spec import ThresholdPruner


class Threshold:
    """Needs no rivals: the bounds are the user's values."""

    rivals: Rivals = None

    def __init__(self, options: ThresholdPruner, words: Words) -> None:
        self._options = options
        self._words = words

    def milestone(self, step: int, previous_step: int | None, number: int = 0) -> int | None:
        """Every step once warm-up is over."""
        return step if step >= self._options.n_warmup_steps else None

    def judge(self, own: Own, rivals: Sequence[float]) -> Verdict:
        """Prune outside [lower, upper]."""
        if not math.isfinite(own.score):
            return Verdict(True, self._words.diverged(own.step))
        value, lower, upper = self._words.value(own.score), self._options.lower, self._options.upper
        if lower is not None and value < lower:
            return Verdict(True, self._reason(own, "below the lower", lower), lower)
        if upper is not None and value > upper:
            return Verdict(True, self._reason(own, "above the upper", upper), upper)
        return Verdict(False)

    def prunes(self, own: Own, compared: float | None) -> bool:
        """What `judge` decided, which needs no rivals."""
        return self.judge(own, ()).prune

    def _reason(self, own: Own, where: str, bound: float) -> str:
        value, compared = self._words.apart(own.score, self._words.sign * bound)
        return f"{self._words.metric} {value} is {where} threshold {compared} at step {own.step}"
