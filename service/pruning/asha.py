"""Asynchronous successive halving (Li et al., 2020, "A System for Massively Parallel Hyperparameter Tuning").

A trial that reaches a rung goes on only if it is among the best 1/reduction_factor of all that reached it so far.
"""

import math
from collections.abc import Sequence
from itertools import count, takewhile

from service.pruning.protocol import Own, Rivals, Verdict
from service.pruning.words import Words, finite, trials
from trialbook.spec import ASHAPruner
from trialbook.values import MAX_STEP


class ASHA:
    """Rung k is at min_resource * reduction_factor ** (min_early_stopping_rate + k) units; step s is s + 1 units.

    Decides at a rung as Optuna's SuccessiveHalvingPruner, which counts s units: what does not go on is over, and until
    reduction_factor trials are there, only the best of them goes on. A report that leaps over rungs is judged at the
    highest one; there is none at max_resource or beyond. What has diverged, infinite values too, never goes on, and
    counts among those that came.
    """

    rivals: Rivals = "all"

    def __init__(self, options: ASHAPruner, words: Words) -> None:
        self._factor = options.reduction_factor
        self._rungs = rungs(options)
        self._words = words

    def milestone(self, step: int, previous_step: int | None, number: int = 0) -> int | None:
        """The step at which the highest rung passed since `previous_step` begins."""
        return passed(self._rungs, step, previous_step)

    def judge(self, own: Own, rivals: Sequence[float]) -> Verdict:
        """Prune what is not among the best 1/reduction_factor at this rung, or has diverged."""
        if not math.isfinite(own.score):
            return Verdict(True, self._words.diverged(own.step))
        ranked = sorted([*map(finite, rivals), own.score])
        kept = max(len(ranked) // self._factor, 1)
        bar = ranked[kept - 1]
        compared = self._words.value(bar) if math.isfinite(bar) else None
        if own.score <= bar:
            return Verdict(False, compared=compared)
        return Verdict(True, self._reason(own, bar, kept, len(rivals)), compared)

    def prunes(self, own: Own, compared: float | None) -> bool:
        """What `judge` decided: without a bar it was at infinity."""
        if not math.isfinite(own.score):
            return True
        return compared is not None and own.score > self._words.sign * compared

    def _reason(self, own: Own, bar: float, kept: int, others: int) -> str:
        value, compared = self._words.apart(own.score, bar)
        best = "the best" if kept == 1 else f"the best {kept}"
        of = f"of {trials(others + 1)} at step {own.milestone}"
        return f"{self._words.metric} {value} is not among {best} {of}: {compared} is needed"


def rungs(options: ASHAPruner) -> tuple[int, ...]:
    """The steps at which trials are judged, as far as steps go."""
    first = options.min_resource * options.reduction_factor**options.min_early_stopping_rate
    last = MAX_STEP if options.max_resource is None else options.max_resource - 2
    return tuple(takewhile(lambda rung: rung <= last, (first * options.reduction_factor**k - 1 for k in count())))


def passed(steps: Sequence[int], step: int, previous_step: int | None) -> int | None:
    """The last of these steps that a report at `step` reaches after one at `previous_step`."""
    before = -1 if previous_step is None else previous_step
    return max((one for one in steps if before < one <= step), default=None)
