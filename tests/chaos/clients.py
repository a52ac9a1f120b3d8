"""Who calls the service in a run of chaos, apart from its workers: owners of studies, and clients that ask and tell.

Each is a thread with the product's own client, which repeats a call until it is answered.
"""

import itertools
import random
import threading
import time
from contextlib import suppress
from typing import Any

from trialbook import Client, wire
from trialbook.errors import TrialbookError

PATIENCE = 90.0  # seconds for an answer, outages of the server included
LEASE_SECONDS = 2.0
WAIT = 0.05  # seconds between two things that a client does
LAST_STEP = 6
FLOAT = {"x": {"type": "float", "low": 0.0, "high": 1.0}}
GRID = {"a": {"type": "int", "low": 1, "high": 5}, "b": {"type": "categorical", "choices": ["u", "v", "w"]}}
INTERFERENCES = ("pause", "cancel trial", "cancel", "pause", "cancel trial", "delete")
BETWEEN = (1.5, 4.0)  # seconds between two of them
HALVING = {"name": "asha", "reduction_factor": 2, "max_resource": 6, "promote": True}
KINDS: dict[str, dict[str, Any]] = {
    "halved": {"space": FLOAT, "sampler": {"name": "random"}, "budget": {"n_trials": 14}, "pruner": HALVING},
    "own": {"trainer": "train:train", "space": FLOAT, "sampler": {"name": "random"}, "budget": {"n_trials": 16}},
    "random": {"space": FLOAT, "sampler": {"name": "random"}, "budget": {"n_trials": 30}},
    "given": {"space": FLOAT, "sampler": {"name": "random"}, "budget": {"n_trials": 12}},
    "grid": {"space": GRID, "sampler": {"name": "grid"}, "budget": {"n_trials": 15}},
    "own-grid": {"trainer": "train:train", "space": GRID, "sampler": {"name": "grid"}, "budget": {"n_trials": 15}},
    "pruned": {"space": FLOAT, "budget": {"n_trials": 25}, "pruner": {"name": "median", "n_startup_trials": 2}},
    "own-halved": {"trainer": "train:train", "space": FLOAT, "budget": {"n_trials": 8}, "pruner": HALVING},
    "gp": {"space": FLOAT, "sampler": {"name": "gp", "n_startup_trials": 4}, "budget": {"n_trials": 10}},
}


class Board:
    """The studies that are open, as their owners and all who work on them know them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, str] = {}  # name and trainer
        self.asked_for: list[str] = []  # each study that may be there
        self.deleted: set[str] = set()
        self.trials = 0

    def add(self, name: str, trainer: str) -> None:
        """A study is there."""
        with self._lock:
            self._open[name] = trainer

    def close(self, name: str) -> None:
        """A study is over."""
        with self._lock:
            self._open.pop(name, None)

    def open(self, trainer: str | None = None) -> list[str]:
        """The studies that are not over, or those of them with that trainer."""
        with self._lock:
            return [name for name, own in self._open.items() if trainer in (None, own)]


class Caller(threading.Thread):
    """A thread that does one thing after another until it is told to stop; what the service refuses is no surprise."""

    def __init__(self, name: str, url: str, token: str, board: Board, seed: int) -> None:
        super().__init__(name=name, daemon=True)
        self.client = Client(url, token, deadline=PATIENCE)
        self.board, self.chance = board, random.Random(f"{seed} {name}")
        self.stopping = threading.Event()
        self.errors: list[BaseException] = []

    def run(self) -> None:
        """Do one thing after another."""
        while not self.stopping.is_set():
            try:
                self.act()
            except TrialbookError:
                pass  # refused, or the server was away for too long
            except BaseException as error:
                self.errors.append(error)
                return
            self.stopping.wait(WAIT)

    def act(self) -> None:
        """One thing."""
        raise NotImplementedError

    def happens(self, probability: float) -> bool:
        """Whether something of this probability happens now."""
        return self.chance.random() < probability


class Asker(Caller):
    """Asks for a trial, and computes it; at times it fails, gives it back, sleeps too long, or vanishes, also when told
    to pause."""

    def act(self) -> None:
        """One trial."""
        studies = self.board.open("external")
        if not studies:
            return
        study = self.chance.choice(studies)
        request_id = f"{self.name}-{self.chance.getrandbits(64):x}"
        answer = self.client.acquire_leases(
            self.name, ["external"], request_id=request_id, wait_seconds=0.5, study=study, can_pause=True
        )
        if answer.reason == "study-finished":
            self.board.close(study)
        for lease in answer.leases:
            self._compute(lease)

    def _compute(self, lease: wire.Lease) -> None:
        first = 0 if lease.resume_step is None else lease.resume_step + 1
        value = random.Random(f"{lease.study} {lease.number}").random()
        for step in range(first, LAST_STEP):
            if self.happens(0.01):
                return  # as if killed
            if self.happens(0.01):
                self.stopping.wait(3 * LEASE_SECONDS)  # and goes on as if nothing had been
            loss = value + 1 / (step + 1) + 1e-3 * lease.attempt
            decision = self.client.report(lease.lease, [wire.Report(step=step, metrics={"loss": loss})])
            if decision.decision == "prune":
                self.client.finish_trial(lease.lease, wire.Finish(state="pruned"))
            if decision.decision == "pause":
                self._pause(lease, step)
            if decision.decision != "continue":
                return
            if self.happens(0.1):
                self.client.put_artifact(lease.lease, "checkpoint", f"{step}".encode(), step=step)
            self.stopping.wait(WAIT)
        self._end(lease, value)

    def _pause(self, lease: wire.Lease, step: int) -> None:
        if self.happens(0.9):
            self.client.put_artifact(lease.lease, "checkpoint", f"{step}".encode(), step=step)
        if self.happens(0.9):
            self.client.finish_trial(lease.lease, wire.Finish(state="paused"))

    def _end(self, lease: wire.Lease, value: float) -> None:
        if self.happens(0.04):
            self.client.release_lease(lease.lease)
        elif self.happens(0.06):
            self.client.finish_trial(lease.lease, wire.Finish(state="failed", error="out of luck"))
        else:
            self.client.finish_trial(lease.lease, wire.Finish(state="complete", value=value))
            self.board.trials += 1


class Owner(Caller):
    """Keeps some studies open, looks at them, and interferes."""

    def __init__(self, *rest: Any, keeps: int = 6) -> None:
        super().__init__(*rest)
        self._interferences, self._next = itertools.cycle(INTERFERENCES), 0.0
        self.owes = set(INTERFERENCES)  # what it has not yet been able to do
        self._keeps, self._kinds, self._numbers = keeps, itertools.cycle(KINDS), itertools.count()
        self.submits = True

    def act(self) -> None:
        """Submit what is missing; else look at a study or interfere with it."""
        if self.submits and len(self.board.open()) < self._keeps:
            self._submit(next(self._kinds))
        elif studies := self.board.open():
            self._look(self.chance.choice(studies))

    def _submit(self, kind: str) -> None:
        name, spec = f"{kind}-{next(self._numbers)}", dict(KINDS[kind])
        trainer = spec.pop("trainer", "external")
        objective = {"trainer": trainer, "metric": "loss", "direction": "minimize"}
        self.board.asked_for.append(name)  # it may be there though no answer says so
        self.client.create_study({"name": name, "objective": objective, "trial": {"max_attempts": 30}, **spec})
        self.board.add(name, trainer)
        if kind == "given":
            self.client.add_trials(name, [{"params": {"x": 0.25}}, {"params": {"x": 0.75}}])

    def _look(self, name: str) -> None:
        study = self.client.get_study(name)
        if study.state in ("completed", "cancelled"):
            self.board.close(name)
            return
        trials = list(self.client.list_trials(name))
        if trials and self.happens(0.5):
            self.client.get_trial(name, self.chance.choice(trials).number)
        self._interfere(name, trials)

    def _interfere(self, name: str, trials: list[wire.Trial]) -> None:
        if not (self.submits and trials and time.monotonic() > self._next):
            return
        self._next = time.monotonic() + self.chance.uniform(*BETWEEN)
        kind = next(self._interferences)
        if kind == "pause":
            try:
                self.client.pause_study(name)
                self.stopping.wait(self.chance.uniform(0, 2))
            finally:
                self.resume(name)
        elif kind == "cancel trial":
            going_on = [trial for trial in trials if trial.state in ("waiting", "running", "paused")]
            self.client.cancel_trial(name, self.chance.choice(going_on or trials).number)
        elif kind == "cancel":
            self.client.cancel_study(name)
        else:
            self.board.deleted.add(name)
            self.client.delete_study(name)
            self.board.close(name)
        self.owes.discard(kind)

    def resume(self, name: str) -> None:
        """Let a study go on that may be paused."""
        with suppress(TrialbookError):
            self.client.resume_study(name)
