"""The command's own process for a fleet: starts the driver, again when it is lost, and says when the head is away."""

import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from types import FrameType

from workers.fleet.member import Access
from workers.journal import Journal
from workers.settings import FleetSettings, Settings

DONE, IMPOSSIBLE, AWAY = 0, 2, 75  # a driver's exit codes; the last is EX_TEMPFAIL of sysexits.h
LOOK_SECONDS = 5.0  # between two looks at the head
CONNECT_SECONDS = 3.0  # that a head has to take a connection
SIGNAL_SECONDS = 0.25  # within which a signal is seen


class Supervision:
    """Runs one fleet to its end, through the losses of its driver and of the cluster's head."""

    def __init__(self, access: Access, settings: Settings, fleet: FleetSettings, journal: Journal) -> None:
        self._arguments, self._journal = (access, settings, fleet), journal
        self._head, self._name = find_head(fleet.address), settings.name
        self._spawn = multiprocessing.get_context("spawn")
        self._driver: BaseProcess | None = None
        self._hears = self._spawn.Event()  # set by a driver that takes signals; before, it may hang in Ray's library
        self._signal: int | None = None
        self._is_away = False

    def work(self) -> int:
        """The exit code: 0 when the fleet is drained or has left, 2 when work is impossible."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._take_signal)
        while self._signal is None:
            if not self._look():
                self._wait(lambda: False)
                continue
            code = self._drive()
            if code in (DONE, IMPOSSIBLE):
                return code
            if self._signal is None:
                self._journal.write("driver-lost", worker=self._name, code=code)
                self._wait(lambda: False)
        return DONE

    def _drive(self) -> int | None:
        """One driver, from its start to its end: its exit code."""
        # Spawned, so that its command line, which Ray shows as the job's, is not ours with all its options.
        self._hears.clear()
        self._driver = self._spawn.Process(target=_drive, args=(*self._arguments, self._hears), name=self._name)
        driver = self._driver
        driver.start()
        while driver.is_alive():
            self._wait(lambda: not driver.is_alive())
            if not self._look() and self._signal is not None:
                driver.kill()  # nobody is there to be told
        driver.join()
        self._driver = None
        return driver.exitcode

    def _wait(self, is_over: Callable[[], bool]) -> None:
        """Until it is over, a signal comes, or it is time to look at the head again."""
        until, before = time.monotonic() + LOOK_SECONDS, self._signal
        while time.monotonic() < until and not is_over() and self._signal == before:
            threading.Event().wait(SIGNAL_SECONDS)

    def _look(self) -> bool:
        """Whether the head takes connections, as far as its address is known; tells of changes."""
        is_away = self._head is not None and not _takes_connections(*self._head)
        if is_away != self._is_away:
            self._is_away = is_away
            self._journal.write("head-away" if is_away else "head-back", address=self._arguments[2].address)
        return not is_away

    def _take_signal(self, number: int, frame: FrameType | None) -> None:
        driver = self._driver
        if self._signal is not None:
            if driver is not None:
                driver.kill()
            os._exit(128 + number)
        self._signal = number
        if driver is not None and driver.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(driver.pid, number if self._hears.is_set() else signal.SIGKILL)


def _drive(access: Access, settings: Settings, fleet: FleetSettings, hears: Event) -> None:
    from workers.fleet.driver import drive  # in the driver's process only: Ray's library is large

    drive(access, settings, fleet, hears)


def find_head(address: str) -> tuple[str, int] | None:
    """Host and port of `host:port` or `ray://host:port`; None for what only Ray understands, as `auto` and `local`."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    return (host.strip("[]"), int(port)) if host and port.isdecimal() else None


def _takes_connections(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), CONNECT_SECONDS).close()
    except OSError:
        return False
    return True
