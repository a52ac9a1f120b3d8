"""A trial as training code sees it: its parameters, and a way to report, save, load and attach.

Lives in the training process. Knows the pipe to the worker, but neither HTTP nor what is trained.
"""

import os
import shutil
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, SupportsFloat

from pydantic import ValidationError

from trialbook.outcomes import TrialFailed, TrialPruned, TrialStopped
from trialbook.wire import Lease, Report
from workers import checkpoint
from workers.channel import Channel, Message

RUN_AHEAD = 2.0  # seconds: training goes on that long unanswered, then waits as long again, once until the next answer
OURS = ("checkpoint", "output.txt")  # files of a trial that come about otherwise
MOST_UNANSWERED = 20_000  # reports: with a server away for long, training waits here, so that memory is bounded


class TrialLeft(BaseException):
    """The worker leaves: the trial is given back. No Exception, so that training code does not catch it."""


class TrialPaused(BaseException):
    """The trial is to make room for others, and may go on later. No Exception, as above."""


@dataclass(frozen=True)
class Assignment:
    """What a training process is to do: a lease, and the files that the worker has fetched for it."""

    lease: Lease
    checkpoint: Path | None
    data: Path | None
    scratch: Path
    checkpoint_seconds: float


class Orders:
    """What the worker has told: how far reports are answered, and whether to end. Written by the receiving thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.order: Message | None = None
        self.answered = 0  # reports

    def take(self, message: Message) -> None:
        """A message from the worker."""
        with self._changed:
            if message["kind"] == "answered":
                self.answered = message["count"]
            else:
                self.order = message
            self._changed.notify_all()

    def wait(self, count: int, patience: float | None) -> bool:
        """Until that many reports are answered or there is an order; False when `patience` seconds were not enough."""
        with self._changed:
            return self._changed.wait_for(lambda: self.answered >= count or self.order is not None, patience)


def _resume_step(assignment: Assignment) -> int | None:
    """The saved file's own step: where the newest checkpoint is damaged, the server gives the one before."""
    if assignment.checkpoint is None:
        return None
    try:
        step = checkpoint.step_of(assignment.checkpoint)
    except checkpoint.Unreadable:
        return None
    return assignment.lease.resume_step if step is None else step


class Trial:
    """One attempt at a trial: `params`, `seed`, `study`, `number`, `attempt`; `data` is the path of an uploaded set.

    What is put into `attributes` (JSON) is stored with the result. `resume_step` is the step of what `load` brings.
    """

    def __init__(
        self,
        assignment: Assignment,
        channel: Channel,
        orders: Orders,
        clock: Callable[[], float],
        *,
        saves: bool,
    ) -> None:
        lease = assignment.lease
        self.study, self.number, self.attempt, self.seed = lease.study, lease.number, lease.attempt, lease.seed
        self.params: dict[str, Any] = {**lease.objective.fixed, **lease.params}  # Any: JSON
        self.data = assignment.data
        self.resume_step = _resume_step(assignment)
        self.attributes: dict[str, Any] = {}  # Any: JSON
        self._assignment, self._channel, self._orders, self._clock = assignment, channel, orders, clock
        self._sent_at: deque[float] = deque()  # of the reports without an answer
        self._sent, self._patient = 0, True
        start = -1 if self.resume_step is None else self.resume_step
        self._rungs = deque(rung for rung in lease.rungs or () if rung > start)
        self._at_rung = False  # whether the server is still to say if the trial goes on from here
        self._will_save = saves  # a save comes after this report, so it is the place to leave
        self._saves, self._saved_at = 0, clock()
        self._attached = 0

    def report(self, step: int, **metrics: SupportsFloat) -> None:
        """Report a step's metrics: numbers, or scalars of NumPy or torch; nan and inf are data.

        Raises TrialPruned or TrialStopped when the trial is to end, which training code need not catch.
        """
        self._obey()
        self._await_decision()
        if self._left() and not self._will_save:
            raise TrialLeft
        try:
            report = Report(step=step, metrics={name: float(value) for name, value in metrics.items()})
        except ValidationError as error:
            raise TrialFailed(f"report({step!r}, …): {error.errors()[0]['msg']}", retry=False) from error
        self._channel.send("report", report=report.model_dump(mode="json"))
        self._sent += 1
        self._sent_at.append(self._clock())
        while self._rungs and self._rungs[0] <= step:
            self._rungs.popleft()
            self._at_rung = True
        if not self._will_save:
            self._await_decision()
        self._hold_back()
        self._obey()

    def save(self, step: int, tensors: checkpoint.Tensors) -> None:
        """Save a checkpoint (a dict of torch tensors or NumPy arrays) of a step that was reported.

        Another worker goes on from the last one when this one is lost. It is uploaded beside the training.
        """
        self._obey()
        path = self._assignment.scratch / f"checkpoint-{self._saves}"
        checkpoint.write(path, tensors, step)
        self._will_save, self._saves, self._saved_at = True, self._saves + 1, self._clock()
        self._channel.send("checkpoint", step=step, path=str(path))
        self._await_decision()
        if self._left():
            raise TrialLeft

    def load(self) -> dict[str, Any] | None:  # Any: torch.Tensor or numpy.ndarray
        """The tensors of the last checkpoint of an earlier attempt; None when there is none or it is damaged."""
        if self._assignment.checkpoint is None:
            return None
        try:
            return checkpoint.read(self._assignment.checkpoint)
        except checkpoint.Unreadable as error:
            self.note(f"the checkpoint is damaged, so training starts from the beginning: {error}")
            return None

    def attach(self, name: str, content: bytes | str | os.PathLike[str]) -> None:
        """Keep a file with the trial, given as bytes or by its path: a plot, the trained model, what is of use later.

        It is stored when the attempt ends, however it does; of two of one name the later counts. Where the server
        refuses one, the worker's log says so and the trial goes on. Raises ValueError for a name that is taken, OSError
        for a path that cannot be read.
        """
        if name in OURS:
            raise ValueError(f"{name!r} is no name for a file of your own")
        path = self._assignment.scratch / f"attached-{self._attached}"
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            shutil.copyfile(content, path)  # which training code may go on to change
        self._attached += 1
        self._channel.send("attached", name=name, path=str(path))

    def is_save_due(self) -> bool:
        """Whether it is time for a checkpoint: the last is old, the trial may pause here, or its worker is to leave."""
        return self._left() or self._at_rung or self._clock() - self._saved_at >= self._assignment.checkpoint_seconds

    @property
    def has_saved(self) -> bool:
        """Whether this attempt has saved a checkpoint."""
        return self._saves > 0

    def note(self, text: str) -> None:
        """Tell the worker's log, and whoever looks at the trial, something noteworthy."""
        self.attributes["note"] = text
        self._channel.send("note", text=text)

    def _left(self) -> bool:
        return self._orders.order is not None and self._orders.order["kind"] == "leave"

    def _obey(self) -> None:
        order = self._orders.order
        if order is not None and order["kind"] == "prune":
            raise TrialPruned(order["reason"])
        if order is not None and order["kind"] == "stop":
            raise TrialStopped(order["reason"])

    def _await_decision(self) -> None:
        """At a rung: wait until the server says whether the trial goes on, so that it pauses exactly there."""
        if not self._at_rung:
            return
        self._orders.wait(self._sent, None)
        self._at_rung = False
        self._obey()
        order = self._orders.order
        if order is not None and order["kind"] == "pause":
            raise TrialPaused

    def _hold_back(self) -> None:
        """Wait where training is too far ahead of the server's answers."""
        answered = self._orders.answered
        while self._sent_at and self._sent - len(self._sent_at) < answered:
            self._sent_at.popleft()
            self._patient = True
        if len(self._sent_at) >= MOST_UNANSWERED:
            self._orders.wait(self._sent - MOST_UNANSWERED + 1, None)
        elif self._patient and self._sent_at and self._clock() - self._sent_at[0] > RUN_AHEAD:
            self._patient = self._orders.wait(self._sent - len(self._sent_at) + 1, RUN_AHEAD)


def read_assignment(message: Mapping[str, Any]) -> Assignment:  # Any: JSON
    """The assignment in a message of kind `run`."""
    paths = {name: Path(message[name]) if message[name] else None for name in ("checkpoint", "data")}
    return Assignment(
        Lease.model_validate(message["lease"]),
        paths["checkpoint"],
        paths["data"],
        Path(message["scratch"]),
        message["checkpoint_seconds"],
    )
