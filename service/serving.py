"""Running the server: database, first token, uvicorn, and the line that says it is ready."""

import asyncio
import json
import logging
import os
import secrets
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
import uvloop
from fastapi import FastAPI

from service import auth
from service.app import LOOPBACK, create_app
from service.fits import Fitters
from service.settings import Settings
from service.store.database import Database
from service.store.migrating import migrate
from service.store.postgres import EmbeddedPostgres
from service.suggester import suggest_for_ever, until_parent_ends

STOP_SECONDS = 8
log = logging.getLogger("trialbook.server")


class Refused(Exception):
    """Binding to other addresses than loopback without authentication would open the server to everybody."""


@contextmanager
def database(settings: Settings) -> Iterator[str]:
    """The URL of the operator's database, or of the embedded one, which runs as long as this is held."""
    if (url := settings.read_database_url()) is not None:
        yield url
        return
    embedded = EmbeddedPostgres(settings.data)
    url = embedded.start()
    try:
        yield url
    finally:
        embedded.stop()


def first_token(settings: Settings) -> str:
    """The operator's first token: the one given, else one made at the first start and kept in a file of mode 0600."""
    if (given := settings.read_token()) is not None:
        return given
    path = token_file(settings)
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(f"tb_first-{secrets.token_hex(4)}_{secrets.token_urlsafe(32)}\n")
    return path.read_text().strip()


def token_file(settings: Settings) -> Path:
    """Where the first token is kept."""
    return settings.data / "token"


def serve(settings: Settings) -> None:
    """Serve until told to stop. Raises Refused, or what the database or the socket says."""
    if settings.no_auth and settings.host not in LOOPBACK:
        raise Refused(Refused.__doc__)
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    with database(settings) as url:
        migrate(url)
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        listener = socket.create_server((settings.host, settings.port), family=family, backlog=1024)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else each answer waits 40 ms for an ACK
        uvloop.run(_serve(settings, url, listener))


def reachable(host: str, port: int) -> str:
    """An address at which a server that listens at `host` answers on this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # compared, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def keep_suggesting(url: str) -> None:
    """Run a suggester as a child process, again whenever it ends, until cancelled."""
    environment = {**os.environ, "TRIALBOOK_DATABASE_URL": url, "OMP_NUM_THREADS": "1"}
    environment.pop("TRIALBOOK_DATABASE_URL_FILE", None)
    while True:
        # -P: a folder named `service` where the operator happens to be is not ours.
        command = (sys.executable, "-P", "-m", "service", "suggest", "--with-parent")
        # Its standard input stays open as long as this process lives, even to a kill -9; then it ends by itself.
        child = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=DEVNULL, env=environment)
        try:
            await child.wait()
        except asyncio.CancelledError:
            child.terminate()
            await child.wait()
            raise
        log.warning("the suggester ended with code %s; starting another", child.returncode)
        await asyncio.sleep(1)


async def _suggest(url: str, *, with_parent: bool) -> None:
    db = Database(url, pool_size=3)
    async with Fitters() as fits:
        tasks = [asyncio.create_task(suggest_for_ever(db, fits))]
        if with_parent:
            tasks.append(asyncio.create_task(until_parent_ends()))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await db.close()


def suggest(settings: Settings, *, with_parent: bool) -> None:
    """Make suggestions until told to stop, or until the process that started this one ends."""
    with database(settings) as url:
        asyncio.run(_suggest(url, with_parent=with_parent))


async def _serve(settings: Settings, url: str, listener: socket.socket) -> None:
    app = create_app(settings, url)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        lifespan="on",
        timeout_graceful_shutdown=STOP_SECONDS,
        server_header=False,
        proxy_headers=False,
    )
    server = Announced(config, app, settings, listener)
    suggester = asyncio.create_task(keep_suggesting(url))
    try:
        await server.serve(sockets=[listener])
    finally:
        suggester.cancel()
        await asyncio.gather(suggester, return_exceptions=True)


class Announced(uvicorn.Server):
    """Says in one line of JSON where it listens as soon as it does, and wakes long polls when it is to stop."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, settings: Settings, listener: socket.socket) -> None:
        super().__init__(config)
        self._app, self._settings, self._listener = app, settings, listener

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """SIGTERM and SIGINT stop gently, and that is all: uvicorn would raise them again and skip what follows."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then announce."""
        await super().startup(sockets)
        url = reachable(*self._listener.getsockname()[:2])
        ready = {"event": "ready", "url": url, "token": None, "dashboard": f"{url}/"}
        if not self._settings.no_auth:
            context = self._app.state.context
            token = first_token(self._settings)
            link = await auth.login_link(context, await auth.keep_first_token(context, token))
            ready |= {"token": token, "dashboard": url + link}
        print(json.dumps(ready), flush=True)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let long polls and streams end, then stop."""
        self._app.state.context.stopping = True
        self._app.state.context.bell.ring()
        await super().shutdown(sockets)
