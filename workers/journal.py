"""The worker's log: one line per event of a life cycle, its ids as fields; JSON where nobody is watching."""

import json
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, TextIO


class Journal:
    """Writes lines to a stream: `event key=value …` on a terminal, else a JSON object. Safe from many threads."""

    def __init__(self, stream: TextIO = sys.stderr, now: Callable[[], float] = time.time) -> None:
        self._stream, self._now = stream, now
        self._human = stream.isatty()
        self._writing = threading.Lock()

    def write(self, event: str, **fields: Any) -> None:  # Any: JSON
        """One line."""
        now = self._now()
        known = {name: value for name, value in fields.items() if value is not None}
        if self._human:
            told = " ".join(f"{name}={_brief(value)}" for name, value in known.items())
            line = f"{time.strftime('%H:%M:%S', time.localtime(now))} {event:<10} {told}"
        else:
            moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1000):03d}Z"
            line = json.dumps({"time": moment, "event": event, **known}, default=str)
        with self._writing:
            print(line, file=self._stream, flush=True)


def _brief(value: object) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return json.dumps(text, ensure_ascii=False) if " " in text or not text else text
