"""What a fleet asks of Ray: workers placed, told to leave, dismissed; and what became of them."""

import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol
from uuid import uuid4

import ray
from ray.exceptions import RayActorError, RayError

from workers.fleet.member import Access, Member, Place
from workers.settings import FleetSettings, Settings
from workers.trainers import is_own

LEFT_BEHIND = (".git", ".venv", "node_modules", "__pycache__")  # of a folder that is shipped, besides its .gitignore
JOB = "RAY_JOB_CONFIG_JSON_ENV_VAR"  # set by Ray for what runs as a job
ASK_AGAIN_SECONDS = 1.0  # an actor that is being started again answers nothing
CALLS_AT_ONCE = 4  # of one actor: work, leave, place, and one in reserve


@dataclass(frozen=True)
class Joined:
    """A worker has found a place and works there."""

    worker: str
    place: Place


@dataclass(frozen=True)
class Lost:
    """A worker's process or node is gone; it is placed again where there is room."""

    worker: str
    reason: str


@dataclass(frozen=True)
class Ended:
    """A worker has ended: with no error because it was told to, or because it is drained."""

    worker: str
    errors: Sequence[str]


Event = Joined | Lost | Ended


class Cluster(Protocol):
    """Where workers are placed, each by its name."""

    def start(self, worker: str) -> None:
        """Have it placed as soon as there is room, and again whenever it is lost."""

    def leave(self, worker: str) -> None:
        """Tell it to give its trials back and end."""

    def dismiss(self, worker: str) -> None:
        """Be done with it: whatever it does, it ends now, and nothing more is told of it."""

    def wait(self, seconds: float) -> Sequence[Event]:
        """What has happened, as soon as something has; nothing after so many seconds."""


@dataclass
class Actor:
    """One worker's actor, and the calls of it that are under way."""

    handle: Any  # Any: Ray makes its class at run time
    call: Any = None  # Any: the answer to come, of `place` first and then of `work`
    works: bool = False
    ask_at: float = 0.0


class RayCluster:
    """Actors in a namespace of their own, which end with this process."""

    def __init__(
        self, access: Access, settings: Settings, fleet: FleetSettings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Connect. Raises ConnectionError where no head answers, RuntimeError or ValueError where one doesn't fit."""
        self._access, self._settings, self._fleet, self._clock = access, settings, fleet, clock
        shipped = {"working_dir": str(settings.folder), "excludes": LEFT_BEHIND} if _ships(settings, os.environ) else {}
        ray.init(
            address=fleet.address,
            namespace=f"trialbook-{settings.name}-{uuid4().hex[:8]}",
            runtime_env=shipped or None,
            log_to_driver=False,
            logging_level=logging.WARNING,
        )
        self._make = ray.remote(Member)
        self._actors: dict[str, Actor] = {}

    def start(self, worker: str) -> None:
        fleet = self._fleet
        self._actors[worker] = Actor(
            self._make.options(
                name=worker,
                num_cpus=fleet.cpus,
                num_gpus=fleet.gpus,
                resources=dict(fleet.resources),
                scheduling_strategy="SPREAD",
                max_restarts=-1,
                max_concurrency=CALLS_AT_ONCE,
            ).remote()
        )

    def leave(self, worker: str) -> None:
        self._actors[worker].handle.leave.remote()

    def dismiss(self, worker: str) -> None:
        ray.kill(self._actors.pop(worker).handle)

    def wait(self, seconds: float) -> Sequence[Event]:
        self._ask_again()
        calls = {actor.call: worker for worker, actor in self._actors.items() if actor.call is not None}
        if not calls:
            time.sleep(seconds)
            return ()
        done, _ = ray.wait(list(calls), timeout=seconds)
        return [event for call in done for event in self._take(calls[call], call)]

    def is_there(self) -> bool:
        """Whether the joined cluster is still there; where another has its address, Ray ends this process."""
        try:
            return any(node["Alive"] for node in ray.nodes())  # type: ignore[no-untyped-call]  # Ray leaves it untyped
        except (RayError, ConnectionError, RuntimeError):
            return False

    def close(self) -> None:
        """Leave the cluster; actors that are still there end."""
        ray.shutdown()

    def _ask_again(self) -> None:
        now = self._clock()
        for actor in self._actors.values():
            if actor.call is None and actor.ask_at <= now:
                actor.call, actor.works = actor.handle.place.remote(self._access.url), False

    def _take(self, worker: str, call: Any) -> Iterator[Event]:  # Any: an answer that is there
        actor = self._actors[worker]
        try:
            answer = ray.get(call)
        except RayActorError as error:
            if error.actor_init_failed:
                yield Ended(worker, [str(error)])
                return
            actor.call, actor.ask_at = None, self._clock() + ASK_AGAIN_SECONDS
            if actor.works:
                yield Lost(worker, _explain(error))
        except RayError as error:
            yield Ended(worker, [str(error)])
        else:
            yield self._go_on(worker, actor, answer)

    def _go_on(self, worker: str, actor: Actor, answer: Any) -> Event:  # Any: of `place` or of `work`
        if actor.works:
            return Ended(worker, answer)
        settings = replace(self._settings, name=worker)
        actor.call, actor.works = actor.handle.work.remote(self._access, settings, self._fleet), True
        return Joined(worker, answer)


def _ships(settings: Settings, environ: Mapping[str, str]) -> bool:
    """Whether the operator's folder must go to the nodes: for own trainers, unless this is a job that brought it."""
    job = json.loads(environ.get(JOB, "{}"))
    return any(map(is_own, settings.trainers)) and "working_dir" not in (job.get("runtime_env") or {})


def _explain(error: RayActorError) -> str:
    """The last line of what Ray says, which is the cause."""
    return ("the node was preempted: " if error.preempted else "") + str(error).strip().splitlines()[-1].strip()
