"""Hyperband (Li et al., 2018, "Hyperband: A Novel Bandit-Based Approach to Hyperparameter Optimization").

Successive halving with several first rungs at once: brackets that prune early and try many trials, and brackets that
wait and try few, since nobody knows beforehand how early a curve tells its end.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from operator import mul

from service.pruning.asha import ASHA
from service.pruning.protocol import Own, Rivals, Verdict
from service.pruning.words import Words
from trialbook.spec import ASHAPruner, HyperbandPruner

GOLDEN = (math.sqrt(5) - 1) / 2


class Hyperband:
    """Bracket b is an ASHA of its own whose first rung is min_resource * reduction_factor ** b, the last one below
    max_resource: a trial that has come as far as that is not judged any more.

    Decides below max_resource as Optuna's HyperbandPruner, whose brackets get the same shares of trials; it draws a
    trial's bracket by a hash of its number, ours are dealt out evenly.
    """

    rivals: Rivals = "all"

    def __init__(self, options: HyperbandPruner, words: Words) -> None:
        first, factor, most = options.min_resource, options.reduction_factor, options.max_resource
        powers = accumulate([first] + [factor] * most.bit_length(), mul)
        self._rungs = [resource - 1 for resource in powers if resource <= most]  # steps; the last may be the end itself
        self._last_step = most - 1
        self._factor, self._words = factor, words
        self._shares = list(accumulate(shares(len(self._rungs), factor)))

    def bracket(self, number: int) -> int:
        """The bracket of a trial: of any so many trials in a row as there are shares, each gets exactly its own."""
        total = self._shares[-1]
        place = number * _stride(total) % total
        return next(bracket for bracket, end in enumerate(self._shares) if place < end)

    def milestone(self, step: int, previous_step: int | None, number: int = 0) -> int | None:
        """A number for rung and bracket, so that only trials of the same bracket are compared."""
        if step >= self._last_step:
            return None
        bracket = self.bracket(number)
        rung = self._halving(bracket).milestone(step, previous_step)
        if rung is None:
            return None
        return self._rungs.index(rung) * len(self._rungs) + bracket

    def judge(self, own: Own, rivals: Sequence[float]) -> Verdict:
        """What the bracket's own halving says at this rung."""
        rung, bracket = divmod(own.milestone, len(self._rungs))
        step = self._rungs[rung]
        verdict = self._halving(bracket).judge(replace(own, milestone=step), rivals)
        return replace(verdict, reason=f"bracket {bracket}: {verdict.reason}") if verdict.prune else verdict

    def prunes(self, own: Own, compared: float | None) -> bool:
        """What `judge` decided: as the bracket's own halving."""
        return self._halving(own.milestone % len(self._rungs)).prunes(own, compared)

    def _halving(self, bracket: int) -> ASHA:
        first = self._rungs[bracket] + 1
        return ASHA(ASHAPruner(name="asha", min_resource=first, reduction_factor=self._factor), self._words)


def shares(brackets: int, factor: int) -> list[int]:
    """How many trials each bracket gets of their sum: all brackets are to cost about the same (algorithm 1)."""
    rounds = range(brackets - 1, -1, -1)
    return [-(-brackets * factor**s // (s + 1)) for s in rounds]


def _stride(total: int) -> int:
    """Near total times the golden ratio and without a common divisor: multiples of it visit all places, far apart."""
    return next(n for n in range(max(round(total * GOLDEN), 1), 2 * total + 1) if math.gcd(n, total) == 1)
