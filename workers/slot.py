"""One training process's worth of a worker: asks for a lease, runs it, asks again, until it is to leave."""

import queue
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from trialbook import Client, __version__
from trialbook.errors import NotFound, TrialbookError
from trialbook.evaluation import Evaluation
from trialbook.wire import Lease, Leases
from workers.evaluation import Evaluating
from workers.journal import Journal
from workers.keeping import AWAY
from workers.process import Died, Told, TrainingProcess
from workers.run import Leave, Run
from workers.settings import Settings
from workers.trainers import is_own

OVER = frozenset({"no-running-study", "study-finished"})  # reasons for which a draining worker ends
SHORTEST_ASK = 1.0  # seconds between two asks that bring nothing
MOST_STARTS = 3  # of a process in a row


class Impossible(Exception):
    """The worker cannot do its work, now or later; the text says why."""


@dataclass(frozen=True)
class Asked:
    """What an ask has brought: leases, or an error."""

    answer: Leases | TrialbookError


class Slot:
    """Runs in a thread of its own. `leave` may be called from any other."""

    def __init__(
        self, client: Client, settings: Settings, journal: Journal, worker: str, device: str | None = None
    ) -> None:
        self._client, self._settings, self._journal, self._worker = client, settings, journal, worker
        self._device = device
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()  # Any: the events that `_wait` and Run take
        self._process: TrainingProcess | None = None
        self._leaving = False

    def leave(self) -> None:
        """Give the running trial back and end soon."""
        self._inbox.put(Leave())

    def work(self) -> None:
        """Run trials until there is reason to end. Raises Impossible."""
        try:
            self._prepare(self._kind_of(self._settings.trainers[0]))
            while not self._leaving:
                if not self._run_next():
                    return
        finally:
            if self._process is not None:
                self._process.close()

    def _run_next(self) -> bool:
        """Ask, and run what the ask brings; False when there will be nothing more."""
        began = time.monotonic()
        answer = self._ask()
        if answer is None:
            return False
        for lease in answer.leases:
            self._run(lease)
        if answer.evaluation is not None:
            self._evaluate(answer.evaluation)
        elif not answer.leases:
            if self._settings.drain and answer.reason in OVER:
                self._journal.write("drained", worker=self._worker, reason=answer.reason)
                return False
            shortest = (answer.retry_after_seconds or SHORTEST_ASK) * random.uniform(0.75, 1.25)  # noqa: S311
            self._wait_for(lambda event: False, max(0.0, shortest - (time.monotonic() - began)))
        return True

    def _run(self, lease: Lease) -> None:
        trainer = lease.objective.trainer
        if trainer not in self._settings.trainers:
            self._journal.write("refused", study=lease.study, number=lease.number, trainer=trainer)
            self._give_back(lease)
            return
        process = self._prepare(self._kind_of(trainer))
        if process is None:
            self._give_back(lease)
            return
        run = Run(self._client, self._settings, lease, process, self._inbox, self._journal)
        self._leaving = run.perform() or self._leaving

    def _evaluate(self, asked: Evaluation) -> None:
        trainer = asked.objective.trainer
        if is_own(trainer) or trainer not in self._settings.trainers:
            self._journal.write("refused", study=asked.study, number=asked.number, trainer=trainer)
            return
        process = self._prepare(self._kind_of(trainer))
        if process is not None:
            Evaluating(self._client, asked, process, self._settings.cache, self._wait_for, self._journal).perform()

    def _give_back(self, lease: Lease) -> None:
        with suppress(TrialbookError):  # then it expires
            self._client.release_lease(lease.lease)

    def _ask(self) -> Leases | None:
        """The answer to one request for a lease, however often it is repeated; None when the worker is to leave."""
        request_id, away = uuid4().hex, False
        while True:
            threading.Thread(target=self._ask_beside, args=(request_id,), name="ask", daemon=True).start()
            asked = self._wait_for(lambda event: isinstance(event, Asked))
            if asked is None:
                return None
            match asked.answer:
                case Leases() as answer:
                    self._require_version(answer)
                    return answer
                case NotFound() as error:
                    return Leases(leases=[], reason="no-running-study" if self._settings.drain else str(error))
                case TrialbookError() as error if isinstance(error, AWAY):
                    if not away:
                        self._journal.write("server-away", worker=self._worker, error=str(error))
                    away = True
                    self._wait_for(lambda event: False, SHORTEST_ASK)
                case error:
                    raise Impossible(str(error))

    def _ask_beside(self, request_id: str) -> None:
        settings = self._settings
        try:
            answer: Leases | TrialbookError = self._client.acquire_leases(
                self._worker,
                settings.trainers,
                request_id=request_id,
                wait_seconds=settings.wait_seconds,
                study=settings.study,
                version=__version__,
                host=settings.host,
                evaluations=not all(map(is_own, settings.trainers)),
                can_pause=True,
            )
        except TrialbookError as error:
            answer = error
        self._inbox.put(Asked(answer))

    def _require_version(self, answer: Leases) -> None:
        """Worker and server fit when their major and minor versions are the same."""
        server = self._client.server_version
        if server is None or server.split(".")[:2] == __version__.split(".")[:2]:
            return
        for lease in answer.leases:
            self._give_back(lease)
        raise Impossible(
            f"This worker is version {__version__} and the server {server}: install trialbook {server} here."
        )

    def _kind_of(self, trainer: str) -> tuple[str, ...]:
        """The functions that a process for this trainer loads; none for the book's, whose `models` may be another."""
        return tuple(filter(is_own, self._settings.trainers)) if is_own(trainer) else ()

    def _prepare(self, functions: tuple[str, ...]) -> TrainingProcess | None:
        """A process that is ready for these trainers: the present one if it is; None when the worker is to leave."""
        if self._process is not None and (self._process.is_gone or self._process.functions != functions):
            self._process.close()
            self._process = None
        for _ in range(MOST_STARTS):
            if self._process is not None:
                break
            self._process = TrainingProcess(
                functions,
                folder=self._settings.folder,
                threads=self._settings.threads,
                device=self._device,
                tell=self._inbox.put,
            )
            first = self._wait_for(self._is_first_word)
            if first is None:
                return None
            if isinstance(first, Told) and first.message["kind"] == "unusable":
                raise Impossible(f"A trainer cannot be used: {first.message['error']}")
            if isinstance(first, Died):
                why = f"{first.process.describe_end()}: {first.process.output.take(1.0).decode(errors='replace')}"
                self._journal.write("no-process", worker=self._worker, error=why)
                self._process = None
        else:
            raise Impossible("The training process ends each time before it is ready.")
        return self._process

    def _is_first_word(self, event: Any) -> bool:  # Any: an event
        return isinstance(event, Told | Died) and event.process is self._process

    def _wait_for(self, wanted: Callable[[Any], bool], patience: float | None = None) -> Any:  # Any: an event
        """The next event of that kind; None when the worker is to leave, or after `patience` seconds."""
        deadline = None if patience is None else time.monotonic() + patience
        while not self._leaving:
            try:
                event = self._inbox.get(timeout=deadline and max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                return None
            if isinstance(event, Leave):
                self._leaving = True
            elif wanted(event):
                return event
        return None
