"""The pipe between a worker and its training process: JSON messages, each with a `kind`.

To the process: begin (which trainers), run (one assignment), evaluate, answered (how many reports), prune, stop, leave.
From it: ready, unusable, report, checkpoint, attached, note, ended (how, value, error, retry, attributes),
evaluated (metrics, examples or error).
"""

import contextlib
import json
import os
import socket
import threading
from multiprocessing.connection import Connection
from typing import Any

Message = dict[str, Any]  # Any: JSON, with nan and inf as Python writes them


class Channel:
    """One end of the pipe. Any thread may send; one receives."""

    def __init__(self, end: socket.socket) -> None:
        self._socket, self._connection = end, Connection(os.dup(end.fileno()))
        self._sending = threading.Lock()

    def send(self, kind: str, **fields: Any) -> None:  # Any: JSON
        """Send a message. Where nobody is at the other end it is lost, which receiving finds out."""
        content = json.dumps({"kind": kind, **fields}, default=str).encode()
        with self._sending, contextlib.suppress(OSError):
            self._connection.send_bytes(content)

    def receive(self) -> Message | None:
        """The next message; None when the pipe is closed."""
        try:
            message: Message = json.loads(self._connection.recv_bytes())
        except (EOFError, OSError):
            return None
        return message

    def hang_up(self) -> None:
        """Close the pipe for both ends, whoever is receiving."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the descriptors back, when nobody receives any more."""
        with self._sending:
            self._connection.close()
            self._socket.close()
