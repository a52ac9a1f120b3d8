"""A log's lines: one event with its ids as fields, as JSON for programs or `event key=value …` for people. Pure."""

import json
import time
from collections.abc import Mapping
from typing import Any


def line(event: str, fields: Mapping[str, Any], now: float, *, human: bool) -> str:  # Any: JSON
    """One line about an event at `now` (seconds since 1970); fields that are None are left out."""
    known = {name: value for name, value in fields.items() if value is not None}
    if human:
        told = " ".join(f"{name}={_brief(value)}" for name, value in known.items())
        return f"{time.strftime('%H:%M:%S', time.localtime(now))} {event:<10} {told}"
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1000):03d}Z"
    return json.dumps({"time": moment, "event": event, **known}, default=str)


def _brief(value: object) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return json.dumps(text, ensure_ascii=False) if " " in text or not text.isprintable() or not text else text
