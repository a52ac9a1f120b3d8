"""No pruning: every trial runs to its end."""

from collections.abc import Sequence

from service.pruning.protocol import Own, Rivals, Verdict
from service.pruning.words import Words
from trialbook.spec import NoPruner


class Never:
    """Lets every trial go on and asks for nothing."""

    rivals: Rivals = None

    def __init__(self, options: NoPruner, words: Words) -> None:
        pass

    def milestone(self, step: int, previous_step: int | None, number: int = 0) -> int | None:
        """None: nothing is ever compared."""
        return None

    def judge(self, own: Own, rivals: Sequence[float]) -> Verdict:
        """Go on."""
        return Verdict(prune=False)

    def prunes(self, own: Own, compared: float | None) -> bool:
        """Go on."""
        return False
