"""HTTP as uvicorn speaks it, with a deadline and a size for requests' heads, and our own answer to what is no HTTP."""

import asyncio
import json
import secrets
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.headers import ALWAYS
from trialbook.errors import BadRequest

HEAD_SECONDS = 20.0  # from a connection's or a request's first byte to the last of its head
HEAD_BYTES = 64 * 1024


class HeadTooLarge(Exception):
    """The head of a request is larger than is accepted here."""


class Deadlined(HttpToolsProtocol):
    """One connection. Who sends nothing, or a head byte by byte, is cut off; bodies have deadlines where read."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        self._deadline.cancel()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._deadline.cancel()
        self._begin()

    def _begin(self) -> None:
        self._head = 0
        self._deadline = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def _count(self, size: int) -> None:
        self._head += size
        if self._head > HEAD_BYTES:
            raise HeadTooLarge

    def on_headers_complete(self) -> None:
        self._deadline.cancel()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        error = BadRequest("This is no HTTP request that can be read.")
        told: dict[str, Any] = {"type": f"urn:trialbook:{error.code}", "title": error.title, "status": error.status}
        told |= {"detail": error.detail, "instance": secrets.token_hex(8), "code": error.code}
        body = json.dumps(told).encode()
        said = {"content-type": "application/problem+json", "connection": "close", "content-length": str(len(body))}
        head = "".join(f"{name}: {value}\r\n" for name, value in {**said, **ALWAYS}.items())
        self.transport.write(f"HTTP/1.1 400 Bad Request\r\n{head}\r\n".encode() + body)
        self.transport.close()
