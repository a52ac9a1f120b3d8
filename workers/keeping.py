"""A lease kept alive: a trial's reports and checkpoints sent beside its training, in order, through any outage.

Knows the HTTP client, not who trains. What the server decides goes to `tell`.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from trialbook.errors import Internal, LeaseLost, NotFound, TooManyRequests, TrialbookError, Unavailable, Unreachable
from trialbook.wire import Artifact, Decision, Lease, Report, Trial
from workers.journal import Journal

MOST_STEPS, MOST_BYTES = 1000, 60_000  # of one batch: the server takes 64 KiB
AWAY = (Unreachable, Unavailable, TooManyRequests, Internal)
AWAY_PAUSE = 1.0  # seconds, after the client's own repeats have come to nothing


@dataclass(frozen=True)
class Answered:
    """So many of the trial's reports were answered."""

    keeper: "Keeper"
    count: int


@dataclass(frozen=True)
class Verdict:
    """How the trial is to end: `prune`, `pause`, `stop`, `lost` (to another worker), `refused` (a report was wrong)."""

    keeper: "Keeper"
    how: str
    reason: str


@dataclass(frozen=True)
class AllSent:
    """Everything was sent, as finish_sending asked for."""

    keeper: "Keeper"


class Reporting(Protocol):
    """The calls that keeping a lease needs; trialbook's Client has them."""

    def report(self, lease: str, reports: list[Report]) -> Decision: ...
    def renew_lease(self, lease: str) -> Trial: ...
    def put_artifact(self, lease: str, name: str, content: bytes | Path, *, step: int | None = None) -> Artifact: ...


class Keeper:
    """One thread sends reports, as many in one call as have come together, and renews the lease where there are none;
    another uploads the newest checkpoint once the reports up to it are stored."""

    def __init__(
        self,
        client: Reporting,
        lease: Lease,
        tell: Callable[[Any], None],
        journal: Journal,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client, self._lease, self._tell, self._journal, self._clock = client, lease, tell, journal, clock
        self._changed = threading.Condition()
        self._reports: deque[tuple[Report, int]] = deque()  # with their size in bytes
        self._checkpoint: tuple[int, Path] | None = None
        self._stored_step = -1 if lease.resume_step is None else lease.resume_step
        self._answered = 0
        self._uploading = self._finishing = self._told = self._stopped = self._away = self._judged = False
        self._ids = {"study": lease.study, "number": lease.number, "attempt": lease.attempt}
        self._ttl = lease.ttl_seconds
        self._renew_at = clock() + self._ttl / 4

    def start(self) -> None:
        """Begin to keep the lease."""
        for work in (self._send, self._upload):
            name = f"{work.__name__} {self._lease.study}/{self._lease.number}"
            threading.Thread(target=work, name=name, daemon=True).start()

    def add(self, report: Report) -> None:
        """Send a report soon. One up to the checkpoint that the trial went on from is stored already."""
        with self._changed:
            if self._lease.resume_step is not None and report.step <= self._lease.resume_step:
                self._answered += 1
                return
            if self._judged:
                return
            self._reports.append((report, len(report.model_dump_json()) + 1))
            self._changed.notify_all()

    def add_checkpoint(self, step: int, path: Path) -> None:
        """Upload a checkpoint when its step is stored, in place of an older one that still waits. Deletes the file."""
        with self._changed:
            older, self._checkpoint = self._checkpoint, (step, path)
            self._changed.notify_all()
        if older is not None:
            older[1].unlink(missing_ok=True)

    def finish_sending(self, *, with_checkpoint: bool) -> None:
        """Tell AllSent when every report was sent, and the last checkpoint if it is still of use."""
        with self._changed:
            self._finishing = True
            if not with_checkpoint:
                self._checkpoint = None
            self._changed.notify_all()

    def stop(self) -> None:
        """Send nothing more and let the lease be."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _send(self) -> None:
        while self._await_work():
            try:
                if self._reports:
                    self._report(self._next_batch())
                elif self._clock() >= self._renew_at:
                    self._client.renew_lease(self._lease.lease)
                    self._renew_at = self._clock() + self._ttl / 4
                elif self._is_all_sent():
                    self._told = True
                    self._tell(AllSent(self))
                self._away = False
            except TrialbookError as error:
                self._suffer(error)

    def _await_work(self) -> bool:
        """Wait until there is something to send, to renew or to tell; False at the end."""
        with self._changed:
            until_renewal = max(0.0, self._renew_at - self._clock())
            self._changed.wait_for(lambda: self._stopped or self._reports or self._is_all_sent(), until_renewal)
            return not self._stopped

    def _is_all_sent(self) -> bool:
        waiting = self._reports or self._checkpoint or self._uploading
        return self._finishing and not self._told and not waiting

    def _next_batch(self) -> list[Report]:
        batch: list[Report] = []
        size = 0
        with self._changed:
            for report, length in self._reports:
                size += length
                if len(batch) == MOST_STEPS or (batch and size > MOST_BYTES):
                    break
                batch.append(report)
        return batch

    def _report(self, batch: list[Report]) -> None:
        decision = self._client.report(self._lease.lease, batch)
        with self._changed:
            for _ in batch:
                self._reports.popleft()
            self._answered += len(batch)
            self._stored_step = max(self._stored_step, *(report.step for report in batch))
            self._ttl = decision.ttl_seconds
            self._renew_at = self._clock() + self._ttl / 4
            self._changed.notify_all()
            if judged := decision.decision != "continue":
                self._judged = True
                self._reports.clear()  # what was measured since is of no use
        if judged:  # before the answer, for which a trial at a rung waits
            self._tell(Verdict(self, decision.decision, decision.reason or decision.decision))
        self._tell(Answered(self, self._answered))

    def _upload(self) -> None:
        while (found := self._await_checkpoint()) is not None:
            step, path = found
            try:
                self._client.put_artifact(self._lease.lease, "checkpoint", path, step=step)
            except AWAY as error:
                self._suffer(error)
                with self._changed:
                    self._checkpoint = self._checkpoint or found  # again, unless there is a newer one by now
            except (TrialbookError, OSError) as error:
                self._journal.write("checkpoint-refused", **self._ids, step=step, error=str(error))
            with self._changed:
                self._uploading = False
                self._changed.notify_all()
            if self._checkpoint != found:
                path.unlink(missing_ok=True)

    def _await_checkpoint(self) -> tuple[int, Path] | None:
        """The newest checkpoint once its step is stored, or once it is sure that it never will be."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._is_checkpoint_ripe())
            if self._stopped:
                return None
            found, self._checkpoint, self._uploading = self._checkpoint, None, True
            return found

    def _is_checkpoint_ripe(self) -> bool:
        if self._checkpoint is None:
            return False
        return self._checkpoint[0] <= self._stored_step or (self._finishing and not self._reports)

    def _suffer(self, error: TrialbookError) -> None:
        """An outage is waited out; any other error ends the trial."""
        if isinstance(error, AWAY):
            if not self._away:
                self._journal.write("server-away", **self._ids, error=str(error))
            with self._changed:
                self._away = True
                self._changed.wait_for(lambda: self._stopped, AWAY_PAUSE)
        else:
            self._tell(Verdict(self, "lost" if isinstance(error, (LeaseLost, NotFound)) else "refused", str(error)))
            self.stop()
