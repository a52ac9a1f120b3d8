"""How far a process knows studies to be from their budget of epochs, so that hardly any report has to sum over trials.

No database: it is told what is left, and counts from there what its own process stores.
"""


class Epochs:
    """Counts may run ahead of the truth (a resumed trial repeats epochs), never behind what this process has stored."""

    def __init__(self) -> None:
        self.look_at = 0.0  # when all processes' epochs are summed next, on the event loop's clock
        self._stored: dict[int, int] = {}  # by study: epochs that went through this process
        self._enough: dict[int, int] = {}  # the count at which it is time to sum again

    def stored(self, study_id: int) -> int:
        """The count now; take it before the sum is read, and hand it to `learn` with what the sum said."""
        return self._stored.get(study_id, 0)

    def all_stored(self) -> dict[int, int]:
        """The counts of all studies now."""
        return dict(self._stored)

    def add(self, study_id: int, epochs: int) -> bool:
        """Count epochs that were just stored; whether the budget may be spent, by all that is known here."""
        self._stored[study_id] = self.stored(study_id) + epochs
        return self._stored[study_id] >= self._enough.get(study_id, 0)

    def learn(self, study_id: int, left: int, stored: int) -> None:
        """So many epochs were left when `stored` had been counted, or later."""
        self._enough[study_id] = stored + left

    def forget(self, study_id: int) -> None:
        """The budget has changed: sum at the next report."""
        self._enough.pop(study_id, None)
