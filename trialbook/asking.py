"""Ask and tell: a study whose objective is computed by the caller, trial by trial, in a plain for loop."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol, SupportsFloat

from trialbook import wire
from trialbook.errors import LeaseLost, NotFound, TrialbookError
from trialbook.outcomes import TrialPruned, TrialStopped
from trialbook.spec import EXTERNAL

OVER = frozenset({"study-finished", "no-running-study"})  # why no trial will come any more


class Leasing(Protocol):
    """The calls that asking needs; Client has them."""

    def acquire_leases(
        self, worker: str, trainers: Sequence[str], *, request_id: str, wait_seconds: float, study: str
    ) -> wire.Leases: ...
    def report(self, lease: str, reports: Sequence[wire.Report]) -> wire.Decision: ...
    def renew_lease(self, lease: str) -> wire.Trial: ...
    def release_lease(self, lease: str) -> wire.Trial: ...
    def finish_trial(self, lease: str, finish: wire.Finish) -> wire.Trial: ...


class Asking:
    """One study, asked for trials."""

    def __init__(self, client: Leasing, name: str, new_id: Callable[[], str]) -> None:
        self._client, self.name, self._new_id, self._over = client, name, new_id, False
        self._worker = f"ask-{new_id()[:8]}"  # as which it is known to the server, from its first ask to its last

    def ask(self, *, wait_seconds: float = 20.0, worker: str | None = None) -> Iterator["AskedTrial"]:
        """Trials as they come, until the study is over: finish each before the next is asked for.

        A trial left unfinished when the next is asked for has failed; one that the loop breaks off with is given back.
        """
        worker, self._over = worker or self._worker, False
        while not self._over:
            if trial := self.ask_one(wait_seconds=wait_seconds, worker=worker):
                try:
                    yield trial
                    trial.give_up()
                finally:
                    trial.release()

    def ask_one(self, *, wait_seconds: float = 20.0, worker: str | None = None) -> "AskedTrial | None":
        """One trial, to be finished or released by the caller; None when none came within the time."""
        answer = self._client.acquire_leases(
            worker or self._worker,
            [EXTERNAL],
            request_id=self._new_id(),
            wait_seconds=wait_seconds,
            study=self.name,
        )
        self._over = not answer.leases and answer.reason in OVER
        return AskedTrial(self._client, answer.leases[0]) if answer.leases else None


class AskedTrial:
    """One attempt at a trial, computed by the caller. Its lease is kept alive in the background until it ends."""

    def __init__(self, client: Leasing, lease: wire.Lease) -> None:
        self._client, self._lease = client, lease
        self._over = threading.Event()
        self.study, self.number, self.attempt, self.seed = lease.study, lease.number, lease.attempt, lease.seed
        self.params: Mapping[str, Any] = {**lease.objective.fixed, **lease.params}
        self._keeper = threading.Thread(target=self._keep, name=f"lease {lease.study}/{lease.number}", daemon=True)
        self._keeper.start()

    def report(self, step: int, **metrics: SupportsFloat) -> None:
        """Report a step's metrics. Raises TrialPruned (the trial is then finished as such) or TrialStopped."""
        measured = {name: float(value) for name, value in metrics.items()}
        try:
            decision = self._client.report(self._lease.lease, [wire.Report(step=step, metrics=measured)])
        except (LeaseLost, NotFound) as error:
            self._over.set()
            raise TrialStopped(str(error)) from error
        if decision.decision == "prune":
            self._end(wire.Finish(state="pruned"))
            raise TrialPruned(decision.reason or TrialPruned.__doc__)
        if decision.decision == "stop":
            self._over.set()
            raise TrialStopped(decision.reason or TrialStopped.__doc__)

    def finish(self, value: SupportsFloat | None = None, **attributes: Any) -> None:  # Any: JSON
        """The trial is complete; without a value it is the last one reported of the objective's metric."""
        number = None if value is None else float(value)
        self._end(wire.Finish(state="complete", value=number, attributes=attributes))

    def fail(self, error: str, *, retry: bool = True) -> None:
        """The attempt has failed; `retry=False` says that another one would too."""
        self._end(wire.Finish(state="failed", error=error, retry=retry))

    def release(self) -> None:
        """Give the trial back unfinished, if it still runs; this is no failure."""
        if not self._over.is_set():
            self._over.set()
            with suppress(TrialbookError):
                self._client.release_lease(self._lease.lease)

    def give_up(self) -> None:
        """The attempt has failed, if it still runs, since nobody finished it."""
        if not self._over.is_set():
            self.fail("The loop asked for the next trial without finishing this one.")

    def _end(self, finish: wire.Finish) -> None:
        self._over.set()
        try:
            self._client.finish_trial(self._lease.lease, finish)
        except (LeaseLost, NotFound) as error:
            raise TrialStopped(str(error)) from error

    def _keep(self) -> None:
        while not self._over.wait(self._lease.ttl_seconds / 4):
            try:
                self._client.renew_lease(self._lease.lease)
            except (LeaseLost, NotFound):
                return  # the next report says so
            except TrialbookError:
                continue  # the server is away; it gives leases more time when it is back
