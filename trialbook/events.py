"""Server-sent events: read from the bytes of a stream (WHATWG HTML, 9.2), and listened to over lost connections."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from trialbook.connection import FIRST_PAUSE, LONGEST_PAUSE, Connection, Request
from trialbook.errors import Unavailable, Unreachable

SILENCE = 60.0  # seconds: a living stream says something at least this often, if only a comment


@dataclass(frozen=True)
class Event:
    """One event of a study: its place in the stream, its kind, and its data (parsed where it is JSON)."""

    id: str | None
    kind: str
    data: Any  # Any: each kind has its own JSON


def listen(connection: Connection, path: str, last_id: str | None) -> Iterator[Event]:
    """The events at a path as they happen, without end; a lost connection is taken up after the last event seen."""
    pause = FIRST_PAUSE
    while True:
        headers = {"accept": "text/event-stream"} | ({"last-event-id": last_id} if last_id else {})
        try:
            for event in read_events(
                connection.stream(Request("GET", path, headers=headers), silence=SILENCE), last_id
            ):
                last_id, pause = event.id, FIRST_PAUSE
                yield event
        except (Unreachable, Unavailable) as error:
            pause = max(pause, error.retry_after or 0.0)
        connection.pause(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


def read_events(pieces: Iterable[bytes], last_id: str | None = None) -> Iterator[Event]:
    """The events in a stream that comes in pieces of any size; what has no blank line after it is not yet an event."""
    fields: dict[str, list[str]] = {}
    for line in _split_lines(pieces):
        if not line:
            last_id = fields.get("id", [last_id])[-1]
            if "data" in fields:
                yield _build(fields, last_id)
            fields = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(":")
            fields.setdefault(name, []).append(value.removeprefix(" "))


def _split_lines(pieces: Iterable[bytes]) -> Iterator[str]:
    """Lines ended by LF, CRLF or CR; only by these, since JSON text may hold other separators of Unicode's."""
    rest = b""
    for piece in pieces:
        # A CR at the end waits for the LF that may follow in the next piece.
        text = (rest + piece).replace(b"\r\n", b"\n")
        held = b"\r" if text.endswith(b"\r") else b""
        *lines, rest = text.removesuffix(b"\r").replace(b"\r", b"\n").split(b"\n")
        rest += held
        yield from (line.decode("utf-8", "replace") for line in lines)


def _build(fields: dict[str, list[str]], last_id: str | None) -> Event:
    text = "\n".join(fields["data"])
    try:
        data = json.loads(text)
    except ValueError:
        data = text
    return Event(last_id, fields.get("event", ["message"])[-1], data)
