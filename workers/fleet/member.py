"""The actor: one worker, on whichever node has room for it. Does no more with Ray than being called by it."""

import os
import platform
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx

from trialbook import Client
from workers.devices import find_devices
from workers.environment import cache_folder
from workers.journal import Journal
from workers.settings import FleetSettings, Settings
from workers.worker import DEADLINE, Worker

LOOK_SECONDS = 5.0  # that the server has to answer a first call


@dataclass(frozen=True)
class Place:
    """Where an actor runs."""

    host: str
    pid: int
    server: str  # "reached", or why it can't be from there


@dataclass(frozen=True)
class Access:
    """What opens the server. It reaches actors as the argument of a call, which Ray writes nowhere.

    Without a token, that of the node's own environment counts.
    """

    url: str
    token: str | None = field(repr=False)


class Member:
    """Its methods are called side by side: `work` takes as long as the worker works."""

    def __init__(self) -> None:
        self._working = threading.Lock()
        self._worker: Worker | None = None
        self._is_leaving = False
        self._errors: Sequence[str] | None = None

    def place(self, url: str) -> Place:
        """Where this is, as soon as it is anywhere, and whether it reaches the server from there."""
        return Place(platform.node(), os.getpid(), _look_at(url))

    def work(self, access: Access, settings: Settings, fleet: FleetSettings) -> Sequence[str]:
        """Work to the end; what made work impossible, if anything did.

        Called again, since the first call's answer was lost, it waits for the worker that there is.
        """
        with self._working:
            if self._errors is None:
                self._errors = self._work(access, settings, fleet)
        return self._errors

    def leave(self) -> None:
        """Give the running trials back with a checkpoint and end."""
        self._is_leaving = True
        if self._worker is not None:
            self._worker.leave()

    def _work(self, access: Access, settings: Settings, fleet: FleetSettings) -> Sequence[str]:
        settings = replace(
            settings,
            folder=Path.cwd(),  # what was shipped
            cache=fleet.cache or cache_folder(os.environ),
            devices=find_devices(os.environ),
            host=platform.node(),
        )
        with Client(access.url, access.token, deadline=DEADLINE) as client:
            self._worker = Worker(client, settings, Journal(), fleet.processes)
            if self._is_leaving:
                self._worker.leave()
            return self._worker.work()


def _look_at(url: str) -> str:
    try:
        httpx.get(f"{url}/healthz", timeout=LOOK_SECONDS).raise_for_status()
    except httpx.HTTPError as error:
        return f"{url} can't be reached from there: {error}"
    return "reached"
