"""A log's lines: one event with its ids as fields, as JSON for programs or `event key=value …` for people. Pure."""

import json
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

_encode = json.JSONEncoder(default=str).encode  # made once: making it takes as long as using it


def line(event: str, fields: Mapping[str, Any], now: float, *, human: bool) -> str:  # Any: JSON
    """One line about an event at `now` (seconds since 1970); fields that are None are left out."""
    known = {name: value for name, value in fields.items() if value is not None}
    if human:
        told = " ".join(f"{name}={_brief(value)}" for name, value in known.items())
        return f"{time.strftime('%H:%M:%S', time.localtime(now))} {event:<10} {told}"
    moment = f"{_second(int(now))}.{int(now % 1 * 1000):03d}Z"
    return _encode({"time": moment, "event": event, **known})


@lru_cache(maxsize=2)
def _second(now: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))


def _brief(value: object) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return json.dumps(text, ensure_ascii=False) if " " in text or not text.isprintable() or not text else text
