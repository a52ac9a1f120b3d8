"""A network that misbehaves: a proxy for each client that delays, cuts, repeats, and drops answers whose request it has
forwarded whole. It notes each call as its client saw it."""

import asyncio
import hashlib
import itertools
import json
import random
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector, web

from tests.chaos.history import Call

ANSWER_SECONDS = 120.0
LONGEST_DELAY = 2.0
LONGEST_ANSWER = 1 << 20  # bytes of an answer that is kept in the history
DROPPED = {"host", "connection", "transfer-encoding", "content-length", "accept-encoding"}  # each connection's own
PASSED = {"content-type", "retry-after", "trialbook-version", "etag"}
UNKEPT = ("GET /api/v1/trainers", "GET /api/v1/datasets")  # nothing in the history depends on them
# How likely each fault is, for a call in a hundred.
CHANCES = {"drop": 4, "delay": 6, "cut": 2, "repeat": 5, "refuse": 1}
OPERATIONS = [
    ("POST", "/leases", "acquireLeases"),
    ("POST", "/leases/*/reports", "report"),
    ("POST", "/leases/*/renew", "renewLease"),
    ("POST", "/leases/*/release", "releaseLease"),
    ("POST", "/leases/*/finish", "finishTrial"),
    ("PUT", "/leases/*/artifacts/*", "putArtifact"),
    ("POST", "/studies", "createStudy"),
    ("GET", "/studies/*", "getStudy"),
    ("PATCH", "/studies/*", "updateStudy"),
    ("DELETE", "/studies/*", "deleteStudy"),
    ("POST", "/studies/*/pause", "pauseStudy"),
    ("POST", "/studies/*/resume", "resumeStudy"),
    ("POST", "/studies/*/cancel", "cancelStudy"),
    ("GET", "/studies/*/trials", "listTrials"),
    ("POST", "/studies/*/trials", "addTrials"),
    ("GET", "/studies/*/trials/*", "getTrial"),
    ("GET", "/studies/*/trials/*/artifacts/*", "getArtifact"),
    ("POST", "/studies/*/trials/*/cancel", "cancelTrial"),
]
PATTERNS = [(method, re.compile(path.replace("*", "[^/]+")), name) for method, path, name in OPERATIONS]
# A copy of these that comes late would undo what was asked after it, which is not the server's fault. (A copy of
# createStudy and addTrials has the key of the first, and deleteStudy finds a name that is not used again.)
NOT_COPIED = {"pauseStudy", "resumeStudy", "updateStudy"}


def operation(method: str, path: str) -> str:
    """The contract's name for a call; other calls are named by themselves."""
    below = urlsplit(path).path.removeprefix("/api/v1")
    return next(
        (name for verb, known, name in PATTERNS if verb == method and known.fullmatch(below)), f"{method} {below}"
    )


class Network:
    """All proxies of a run. `calm` is a network without faults."""

    def __init__(self, url: Callable[[], str], seed: int, keep: Callable[[Call], None]) -> None:
        self._url, self._chance, self._keep = url, random.Random(seed), keep
        self.calm = False
        self.faults: Counter[str] = Counter()
        self._numbers = itertools.count()
        self.under_way: dict[int, Call] = {}  # calls without an answer yet
        self._copies: set[asyncio.Task[None]] = set()
        self._runners: list[web.ServerRunner] = []

    async def start(self) -> None:
        """Open the way to the server."""
        self._http = ClientSession(
            connector=TCPConnector(limit=0, force_close=True),
            timeout=ClientTimeout(total=ANSWER_SECONDS),
            auto_decompress=False,
        )

    async def add(self, client: str) -> str:
        """The address at which this client finds the server."""
        runner = web.ServerRunner(web.Server(lambda request: self._serve(client, request)))  # type: ignore[arg-type]
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self._runners.append(runner)
        host, port = site._server.sockets[0].getsockname()[:2]  # type: ignore[union-attr]
        return f"http://{host}:{port}"

    async def settle(self) -> None:
        """Let the copies under way arrive."""
        await asyncio.gather(*self._copies, return_exceptions=True)

    async def close(self) -> None:
        """Let the copies under way arrive, and close all."""
        await self.settle()
        for runner in self._runners:
            await runner.cleanup()
        await self._http.close()

    def lost(self) -> list[Call]:
        """The calls that are without an answer now, as calls that may have taken effect."""
        return [replace(call, ended=time.monotonic()) for call in self.under_way.values()]

    async def _serve(self, client: str, request: web.BaseRequest) -> web.StreamResponse:
        try:
            body = await request.content.read()  # of any size
        except OSError:
            return web.Response(status=400)  # its client was killed while it sent: nothing is forwarded, nobody reads
        fault = None if self.calm else self._draw()
        name = operation(request.method, request.path_qs)
        if fault == "repeat" and name not in NOT_COPIED:
            copies = self._chance.choice((1, 2))
            self.faults["repeat"] += copies
            for _ in range(copies):
                self._send_later(client, request, body, self._chance.uniform(0, LONGEST_DELAY))
        elif fault == "delay":
            self.faults[fault] += 1
            await asyncio.sleep(self._chance.uniform(0, LONGEST_DELAY))
        if fault in ("cut", "refuse", "drop"):
            self.faults[fault] += 1
        status, headers, content = await self._forward(client, request, body, fault)
        if status is None:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=502)  # nobody reads it
        return web.Response(status=status, headers=headers, body=content)

    def _draw(self) -> str | None:
        at = self._chance.uniform(0, 100)
        for fault, chance in CHANCES.items():
            at -= chance
            if at < 0:
                return fault
        return None

    def _send_later(self, client: str, request: web.BaseRequest, body: bytes, seconds: float) -> None:
        async def send() -> None:
            await asyncio.sleep(seconds)
            await self._forward(client, request, body, None)

        task = asyncio.create_task(send())
        self._copies.add(task)
        task.add_done_callback(self._copies.discard)

    async def _forward(
        self, client: str, request: web.BaseRequest, body: bytes, fault: str | None
    ) -> tuple[int | None, dict[str, str], bytes]:
        """What the server answers, as far as the client hears of it, and note it."""
        name = operation(request.method, request.path_qs)
        asked = _parsed(body) if request.content_type == "application/json" else None
        if request.content_type not in ("application/json", ""):
            asked = {"size": len(body), "sha256": hashlib.sha256(body).hexdigest()} if body else None
        begun, number = time.monotonic(), next(self._numbers)
        call = Call(client, name, request.path_qs.removeprefix("/api/v1"), asked, begun, begun, "unknown")
        self.under_way[number] = call
        status: int | None = None
        headers: dict[str, str] = {}
        content = b""
        try:
            if fault == "cut":
                await self._send_half(request, body)
            elif fault != "refuse":
                sent = {k: v for k, v in request.headers.items() if k.lower() not in DROPPED}
                url = self._url() + request.path_qs
                async with self._http.request(request.method, url, headers=sent, data=body or None) as answer:
                    content = await answer.read()
                    if fault != "drop":
                        status = answer.status
                        headers = {k: v for k, v in answer.headers.items() if k.lower() in PASSED}
        except (OSError, TimeoutError, ClientError):
            status = None  # no whole answer came
        del self.under_way[number]
        told = None if status is None else "ok" if 200 <= status < 300 else "refused"
        answer = _parsed(content) if told and len(content) < LONGEST_ANSWER else None
        done = replace(call, ended=time.monotonic(), outcome=told or "unknown", status=status, answer=answer)
        if not f"{request.method} {request.path}".startswith(UNKEPT):
            self._keep(done)
        return status, headers, content

    async def _send_half(self, request: web.BaseRequest, body: bytes) -> None:
        """The head of a request and half of its body, and then nothing more."""
        to = urlsplit(self._url())
        _, writer = await asyncio.open_connection(to.hostname, to.port)
        head = (
            f"{request.method} {request.path_qs} HTTP/1.1\r\nhost: {to.netloc}\r\ncontent-length: {len(body) or 10}\r\n"
        )
        kept = ("authorization", "content-type", "idempotency-key")
        head += "".join(f"{k}: {v}\r\n" for k, v in request.headers.items() if k.lower() in kept)
        writer.write(f"{head}\r\n".encode() + body[: len(body) // 2])
        await writer.drain()
        writer.close()


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content) if content else None
    except ValueError:
        return None
