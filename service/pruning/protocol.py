"""What a pruner sees and decides: frozen values, no database, no clock. Smaller scores are better everywhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

# Whose scores at a milestone a trial is compared with; None: nobody's.
Rivals = Literal["complete", "all"] | None


@dataclass(frozen=True)
class Own:
    """The trial being judged: its score at this step, its best one up to and including this step, its milestone."""

    step: int
    score: float
    best_score: float
    milestone: int


@dataclass(frozen=True)
class Verdict:
    """What to do and why. `compared` is what the trial was measured against, in the user's values.

    A trial that is pruned gives its worker back. With `pauses` it may go on later, when `judge` says so.
    """

    prune: bool
    reason: str | None = None
    compared: float | None = None
    pauses: bool = False


class Pruner(Protocol):
    """Decides at milestones whether a trial goes on. Scores are oriented (always minimise), nan given as +inf."""

    rivals: Rivals

    def milestone(self, step: int, previous_step: int | None, number: int = 0) -> int | None:
        """The milestone that this report of trial `number` reaches after `previous_step`, None: nothing is compared.

        Trials are compared that share a milestone. It is a step, or whatever 31-bit number `judge` understands.
        """
        ...

    def judge(self, own: Own, rivals: Sequence[float]) -> Verdict:
        """The verdict, given the other trials' scores at `own.milestone` (empty where `rivals` is None)."""
        ...

    def prunes(self, own: Own, compared: float | None) -> bool | None:
        """What `judge` decided when `compared` was what it compared with; None where that does not tell."""
        ...
