"""Asynchronous successive halving that pauses and promotes (Li et al., 2020, algorithm 2).

What is not among the best 1/reduction_factor at its rung waits there with its checkpoint, and goes on as soon as it is,
since worse trials have come after it. Compared with stopping it, nothing good is lost and no early trial goes on for
want of rivals.
"""

import math
import sys
from collections.abc import Sequence

from service.pruning.asha import ASHA
from service.pruning.protocol import Own, Verdict
from service.pruning.words import finite, trials


class Promotion(ASHA):
    """The rungs are ASHA's. Of the n trials that have come to one, n // reduction_factor go on: none of the first few.

    Whether a paused trial is to be promoted is the same question asked again: `judge` with the rivals of now, where
    those that are paused with the same score stand behind it.
    """

    def judge(self, own: Own, rivals: Sequence[float]) -> Verdict:
        """Pause what is not among the best 1/reduction_factor at this rung; prune what has diverged."""
        if not math.isfinite(own.score):
            return Verdict(True, self._words.diverged(own.step))
        total = len(rivals) + 1
        kept = total // self._factor
        if kept == 0:
            return Verdict(True, self._too_few(own, total), pauses=True)
        bar = min(sorted(map(finite, rivals))[kept - 1], sys.float_info.max)  # any finite score is below infinity
        if own.score < bar:
            return Verdict(False, compared=self._words.value(bar))
        return Verdict(True, self._reason(own, bar, kept, len(rivals)), self._words.value(bar), pauses=True)

    def prunes(self, own: Own, compared: float | None) -> bool:
        """What `judge` decided: without a bar there were too few rivals."""
        return not math.isfinite(own.score) or compared is None or own.score >= self._words.sign * compared

    def _too_few(self, own: Own, total: int) -> str:
        return f"the best of {self._factor} trials goes on from step {own.milestone}, and {trials(total)} came so far"

    def _reason(self, own: Own, bar: float, kept: int, others: int) -> str:
        value, compared = self._words.apart(own.score, bar)
        best = "the best" if kept == 1 else f"the best {kept}"
        side = "less" if self._words.sign == 1 else "more"
        of = f"of {trials(others + 1)} at step {own.milestone}"
        return f"{self._words.metric} {value} is not among {best} {of}: {side} than {compared} is needed"
