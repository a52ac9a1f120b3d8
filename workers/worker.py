"""A worker: its slots side by side, signals, and how it ends."""

import os
import signal
import threading
import traceback
from collections.abc import Sequence
from types import FrameType

from trialbook import Client
from trialbook.errors import TrialbookError
from workers.devices import device_of
from workers.journal import Journal
from workers.scratch import sweep
from workers.settings import Settings
from workers.slot import Impossible, Slot

DEADLINE = 10.0  # seconds for which the client repeats a call; what matters is asked for again and again beyond that
SIGNAL_SECONDS = 0.25  # within which a signal is seen


class Worker:
    """Runs `processes` slots until all have ended: drained, told to leave, or because one finds work impossible."""

    def __init__(self, client: Client, settings: Settings, journal: Journal, processes: int) -> None:
        names = [settings.name] if processes == 1 else [f"{settings.name}-{i + 1}" for i in range(processes)]
        self._slots = [
            Slot(client, settings, journal, name, device_of(i, settings.devices)) for i, name in enumerate(names)
        ]
        self._names, self._journal, self._settings = names, journal, settings
        self._errors: list[str] = []
        self._is_leaving = False

    def heed_signals(self) -> None:
        """Leave on SIGTERM or SIGINT, and end at once on a second one. To be called in the main thread, which works."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._take_signal)

    def work(self) -> Sequence[str]:
        """Work to the end in the calling thread. Returns what made work impossible, if anything did."""
        self._journal.write("start", worker=self._settings.name, trainers=",".join(self._settings.trainers))
        if abandoned := sweep():
            self._journal.write("swept", worker=self._settings.name, folders=abandoned)
        threads = [
            threading.Thread(target=self._run, args=(slot, name), name=name, daemon=True)
            for slot, name in zip(self._slots, self._names, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            # The system may hand a signal to any thread; Python runs its handler when this one wakes.
            while thread.is_alive():
                thread.join(SIGNAL_SECONDS)
        self._journal.write("end", worker=self._settings.name)
        return self._errors

    def leave(self) -> None:
        """Give the running trials back with a checkpoint and end."""
        for slot in self._slots:
            slot.leave()

    def _run(self, slot: Slot, name: str) -> None:
        try:
            slot.work()
        except (Impossible, TrialbookError) as error:
            self._errors.append(str(error))
            self.leave()
        except Exception:
            self._errors.append(f"{name}: {traceback.format_exc()}")
            self.leave()

    def _take_signal(self, number: int, frame: FrameType | None) -> None:
        if self._is_leaving:
            os._exit(128 + number)
        self._is_leaving = True
        self._journal.write("leaving", worker=self._settings.name, signal=signal.Signals(number).name)
        self.leave()
