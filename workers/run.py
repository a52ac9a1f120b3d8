"""One attempt at a trial, from its lease to its result: between the training process, the kept lease and orders."""

import queue
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from trialbook import Client
from trialbook.errors import Invalid, TrialbookError
from trialbook.wire import Finish, Lease, Report
from workers.data import DataChanged, fetch
from workers.ending import Ending
from workers.journal import Journal
from workers.keeping import AWAY, AWAY_PAUSE, AllSent, Answered, Keeper, Verdict
from workers.process import Died, Told, TrainingProcess
from workers.scratch import scratch_folder
from workers.settings import Settings

LAST_SECONDS = 10.0  # how long a worker that leaves goes on trying to send what it has
OUTPUT_SECONDS = 2.0  # how long a trial's last printed line may take through the pipe
NEVER = float("inf")
RECORDED = ("complete", "failed", "pruned", "paused")  # endings with a result
T = TypeVar("T")


@dataclass(frozen=True)
class Leave:
    """The worker is to leave: give the trial back with a checkpoint."""


class Run:
    """One attempt. All that happens comes as an event through one inbox and is taken in one place, `_take`."""

    def __init__(
        self,
        client: Client,
        settings: Settings,
        lease: Lease,
        process: TrainingProcess,
        inbox: "queue.SimpleQueue[Any]",  # Any: Told, Died, Answered, Verdict, AllSent, Leave
        journal: Journal,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client, self._settings, self._lease, self._process = client, settings, lease, process
        self._inbox, self._journal, self._clock = inbox, journal, clock
        self._ids = {"study": lease.study, "number": lease.number, "attempt": lease.attempt}
        self._keeper = Keeper(client, lease, inbox.put, journal, clock)
        self._ended: Ending | None = None
        self._attached: dict[str, Path] = {}
        self._verdict: Verdict | None = None
        self._all_sent = self._leaving = False
        self._obey_by = self._timeout_at = NEVER

    def perform(self) -> bool:
        """Train, report, finish. Returns whether the worker was told to leave meanwhile."""
        lease = self._lease
        self._journal.write("lease", **self._ids, trainer=lease.objective.trainer, resume_step=lease.resume_step)
        self._keeper.start()
        with scratch_folder() as scratch:
            ending = self._begin(scratch) or self._supervise()
            ending = self._send_rest(ending.under(self._verdict))
            if ending.how in RECORDED:
                self._keep_output()
            if ending.how in (*RECORDED, "left"):
                self._keep_attached()
            self._record(ending)
            self._keeper.stop()
        return self._leaving

    def _begin(self, scratch: Path) -> Ending | None:
        """Fetch what the trial needs and set the process to it; an ending where that fails."""
        data = self._lease.data
        try:
            has_file = data is not None and data.get("sha256")
            uploaded = (
                self._persist(lambda: fetch(self._client, data or {}, self._settings.cache)) if has_file else None
            )
        except (DataChanged, TrialbookError) as error:
            return Ending("failed", error=f"The data set cannot be had: {error}", retry=isinstance(error, AWAY))
        checkpoint = self._fetch_checkpoint(scratch)
        if self._leaving or self._verdict is not None:
            return Ending("left")
        mark = f"\n{secrets.token_hex(16)}\n"
        self._process.output.begin(mark)
        self._timeout_at = self._clock() + (self._lease.timeout or NEVER)
        self._process.send(
            "run",
            lease=self._lease.model_dump(mode="json"),
            checkpoint=checkpoint,
            data=uploaded and str(uploaded),
            scratch=str(scratch),
            checkpoint_seconds=self._settings.checkpoint_seconds,
            commit=self._settings.commit,
            mark=mark,
        )
        return None

    def _fetch_checkpoint(self, scratch: Path) -> str | None:
        if self._lease.resume_step is None:
            return None
        study, number, path = self._lease.study, self._lease.number, scratch / "resume"
        try:
            with path.open("wb") as file:
                self._persist(lambda: self._client.get_artifact(study, number, "checkpoint", file))
        except TrialbookError as error:
            self._journal.write("no-checkpoint", **self._ids, error=str(error))
            return None
        return str(path)

    def _supervise(self) -> Ending:
        """Wait until the training has ended, by itself or by force."""
        while self._ended is None:
            if not self._take_next(min(self._obey_by, self._timeout_at)):
                self._ended = self._kill()
        return self._ended

    def _kill(self) -> Ending:
        self._process.kill()
        if self._verdict is not None:
            return Ending("stopped")
        if self._leaving:
            return Ending("left")
        return Ending(
            "failed", error=f"The trial ran longer than its timeout of {self._lease.timeout:g} s.", retry=False
        )

    def _send_rest(self, ending: Ending) -> Ending:
        """Wait until all reports are stored, through any outage, but not long where the worker is to leave."""
        if ending.how not in ("complete", "failed", "left", "paused"):
            return ending
        self._keeper.finish_sending(with_checkpoint=ending.how != "complete")
        self._obey_by = self._clock() + LAST_SECONDS if self._leaving else NEVER
        while not self._all_sent and not self._is_judged:
            if not self._take_next(self._obey_by):
                return Ending("lost")
        return ending.under(self._verdict)

    def _keep_output(self) -> None:
        """Store what the trial printed."""
        output = self._process.output.take(OUTPUT_SECONDS)
        if not output.strip():
            return
        self._put("output.txt", output)

    def _keep_attached(self) -> None:
        """Store the files that training code has attached."""
        for name, path in self._attached.items():
            self._put(name, path)

    def _put(self, name: str, content: bytes | Path) -> None:
        """Store a file with the trial; that this fails is no reason for the trial to."""
        try:
            self._persist(lambda: self._client.put_artifact(self._lease.lease, name, content))
        except (TrialbookError, OSError) as error:
            self._journal.write("file-refused", **self._ids, name=name, error=str(error))

    def _record(self, ending: Ending) -> None:
        """Finish or release the trial, as it ended; write a line in any case."""
        try:
            if ending.how in RECORDED:
                self._persist(lambda: self._finish(ending.as_finish()))
            elif ending.how == "left":
                self._persist(lambda: self._client.release_lease(self._lease.lease))
        except TrialbookError as error:
            self._journal.write("unrecorded", **self._ids, how=ending.how, error=str(error))
        else:
            headline = ending.error.splitlines()[0] if ending.error else None
            reason = self._verdict.reason if self._verdict else None
            self._journal.write(ending.how, **self._ids, value=ending.value, error=headline, reason=reason)

    def _finish(self, finish: Finish) -> None:
        try:
            self._client.finish_trial(self._lease.lease, finish)
        except Invalid as error:
            failed = Finish(state="failed", error=f"The result was refused: {error}", retry=False)
            self._client.finish_trial(self._lease.lease, failed)

    def _persist(self, call: Callable[[], T]) -> T:
        """The call's answer, asked for again while the server is away, unless the worker is to leave."""
        while True:
            try:
                return call()
            except AWAY:
                if self._leaving or self._is_judged:
                    raise
                self._take_next(self._clock() + AWAY_PAUSE)

    def _take_next(self, deadline: float) -> bool:
        """Take the next event; False when there was none before the deadline."""
        wait = max(0.0, deadline - self._clock())
        try:
            self._take(self._inbox.get(timeout=None if wait == NEVER else wait))
        except queue.Empty:
            return False
        return True

    def _take(self, event: Any) -> None:  # Any: an event; those of an earlier trial or process are over
        match event:
            case Told(process, message) if process is self._process:
                self._hear(message)
            case Died(process) if process is self._process:
                error = process.describe_end()
                self._ended = self._ended or Ending("failed", error=f"{error[0].upper()}{error[1:]}.")
            case Answered(keeper, count) if keeper is self._keeper:
                self._process.send("answered", count=count)
            case AllSent(keeper) if keeper is self._keeper:
                self._all_sent = True
            case Verdict(keeper, how, reason) if keeper is self._keeper and not self._is_judged:
                self._verdict = event
                self._process.send(how if how in ("prune", "pause") else "stop", reason=reason)
                self._obey_by = self._clock() + self._settings.grace_seconds
            case Leave():
                self._leaving = True
                self._process.send("leave")
                self._obey_by = min(self._obey_by, self._clock() + self._settings.grace_seconds)

    @property
    def _is_judged(self) -> bool:
        """Whether the trial's end is settled: a pause is not, the lease can be lost before the checkpoint is stored."""
        return self._verdict is not None and self._verdict.how != "pause"

    def _hear(self, message: Any) -> None:  # Any: a message of the training process
        match message.pop("kind"):
            case "report":
                self._keeper.add(Report.model_validate(message["report"]))
            case "checkpoint":
                self._keeper.add_checkpoint(message["step"], Path(message["path"]))
            case "attached":
                self._attached[message["name"]] = Path(message["path"])
            case "note":
                self._journal.write("note", **self._ids, text=message["text"])
            case "ended":
                self._ended = Ending(**message)
