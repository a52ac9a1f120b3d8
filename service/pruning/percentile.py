"""Median and percentile pruning: a trial's best value so far against completed trials' values at the same step.

Decides as Optuna's PercentilePruner, but: startup trials are counted among those that reached the step; the first
reports of an interval are compared with each other even where their steps differ; diverged rivals count as the worst,
and a value that is not finite prunes its trial, whatever came before.
"""

import math
from collections.abc import Sequence

from service.pruning.protocol import Own, Rivals, Verdict
from service.pruning.words import Words, finite, ordinal, trials
from trialbook.spec import MedianPruner, PercentilePruner


class Percentile:
    """Keeps trials whose best value so far is among the best `percentile` per cent (50: the median)."""

    rivals: Rivals = "complete"

    def __init__(self, options: MedianPruner | PercentilePruner, words: Words) -> None:
        self._options = options
        self._percentile = options.percentile if isinstance(options, PercentilePruner) else 50.0
        self._words = words

    def milestone(self, step: int, previous_step: int | None, number: int = 0) -> int | None:
        """The start of this step's interval, if this is the first report in it and warm-up is over."""
        warmup, interval = self._options.n_warmup_steps, self._options.interval_steps
        if step < warmup:
            return None
        start = (step - warmup) // interval * interval + warmup
        return start if previous_step is None or previous_step < start else None

    def judge(self, own: Own, rivals: Sequence[float]) -> Verdict:
        """Prune what is worse than the percentile of at least `n_startup_trials` rivals, or has diverged."""
        if len(rivals) < max(self._options.n_startup_trials, 1):
            return Verdict(prune=False)
        bar = quantile([finite(score) for score in rivals], self._percentile)
        compared = self._words.value(bar) if math.isfinite(bar) else None
        if not math.isfinite(own.score):
            return Verdict(True, self._words.diverged(own.step), compared)
        best = own.best_score if math.isfinite(own.best_score) else own.score
        if best <= bar:
            return Verdict(False, compared=compared)
        return Verdict(True, self._reason(own, best, bar, len(rivals)), compared)

    def prunes(self, own: Own, compared: float | None) -> bool | None:
        """What `judge` decided: without a bar there were too few rivals, or it was at infinity."""
        if not math.isfinite(own.score):
            return None if compared is None else True
        best = own.best_score if math.isfinite(own.best_score) else own.score
        return compared is not None and best > self._words.sign * compared

    def _reason(self, own: Own, best: float, bar: float, count: int) -> str:
        kind = "median" if self._percentile == 50 else f"{ordinal(self._percentile)} percentile"
        # a report that is itself the best so far needs no "best"
        subject = self._words.metric if best == own.score else f"best {self._words.metric}"
        value, compared = self._words.apart(best, bar)
        return f"{subject} {value} is worse than the {kind} {compared} of {trials(count)} at step {own.step}"


def quantile(scores: Sequence[float], percentile: float) -> float:
    """The percentile of the scores by linear interpolation (NumPy's default), +inf being a score like any other."""
    ranked = sorted(scores)
    place = (len(ranked) - 1) * percentile / 100
    below, share = math.floor(place), place - math.floor(place)
    low, high = ranked[below], ranked[min(below + 1, len(ranked) - 1)]
    if share == 0 or low == high:
        return low
    return low + (high - low) * share if share < 0.5 else high - (high - low) * (1 - share)
