"""The worker's log: one line per event of a life cycle, its ids as fields; JSON where nobody is watching."""

import sys
import threading
import time
from collections.abc import Callable
from typing import Any, TextIO

from trialbook.journal import line


class Journal:
    """Writes lines to a stream, for people if it is a terminal. Safe from many threads."""

    def __init__(self, stream: TextIO = sys.stderr, now: Callable[[], float] = time.time) -> None:
        self._stream, self._now = stream, now
        self._human = stream.isatty()
        self._writing = threading.Lock()

    def write(self, event: str, **fields: Any) -> None:  # Any: JSON
        """One line."""
        text = line(event, fields, self._now(), human=self._human)
        with self._writing:
            print(text, file=self._stream, flush=True)
