"""A fleet of workers: all placed, watched, told to leave, and let go when the work is over. Knows no Ray."""

import time
from collections.abc import Callable, Sequence

from workers.fleet.cluster import Cluster, Ended, Event, Joined, Lost
from workers.journal import Journal

SIGNAL_SECONDS = 0.25  # within which a signal is seen
PATIENCE_SECONDS = 30.0  # until a worker without a place is worth a word


class Fleet:
    """Runs workers until all have ended: told to leave, drained, or because each finds work impossible."""

    def __init__(
        self,
        cluster: Cluster,
        workers: Sequence[str],
        journal: Journal,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster, self._journal, self._clock = cluster, journal, clock
        self._waiting, self._working = set(workers), set[str]()
        self._errors: dict[str, None] = {}  # as a set, in their order
        self._is_leaving = self._is_over = False
        self._leaving = set[str]()  # those that were told
        self._told = 0
        self._quiet_until = clock() + PATIENCE_SECONDS

    def work(self) -> Sequence[str]:
        """Work to the end in the calling thread. Returns what made work impossible for a worker, if anything did."""
        for worker in sorted(self._waiting):
            self._cluster.start(worker)
        while self._waiting or self._working:
            for event in self._cluster.wait(SIGNAL_SECONDS):
                self._take(event)
            self._look_after()
        return list(self._errors)

    def leave(self) -> None:
        """Give all running trials back with a checkpoint and end. May be called from a signal's handler."""
        self._is_leaving = True

    def _take(self, event: Event) -> None:
        worker = event.worker
        match event:
            case Joined(_, place):
                self._waiting.discard(worker)
                self._working.add(worker)
                self._told = min(self._told, len(self._waiting))
                self._journal.write("joined", worker=worker, host=place.host, pid=place.pid, server=place.server)
            case Lost(_, reason):
                self._working.discard(worker)
                self._waiting.add(worker)
                self._quiet_until = self._clock() + PATIENCE_SECONDS
                self._journal.write("lost", worker=worker, reason=reason)
            case Ended(_, errors):
                self._waiting.discard(worker)
                self._working.discard(worker)
                self._cluster.dismiss(worker)
                self._errors |= dict.fromkeys(errors)
                self._is_over = self._is_over or not errors
                self._journal.write("ended", worker=worker, error=errors[0].splitlines()[0] if errors else None)

    def _look_after(self) -> None:
        if self._is_leaving:
            for worker in self._working - self._leaving:
                self._cluster.leave(worker)
            self._leaving |= self._working
        if self._is_leaving or (self._is_over and not self._working):
            self._dismiss_waiting()
        else:
            self._tell_of_waiting()

    def _dismiss_waiting(self) -> None:
        """What has no place needs none any more."""
        for worker in self._waiting:
            self._cluster.dismiss(worker)
        self._waiting.clear()

    def _tell_of_waiting(self) -> None:
        """Say how many have no place, once they have had time to find one; again where they become more."""
        if self._clock() >= self._quiet_until and len(self._waiting) > self._told:
            self._told = len(self._waiting)
            self._journal.write("waiting", workers=self._told, reason="no node has room for them yet")
