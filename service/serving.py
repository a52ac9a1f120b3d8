"""Running the server: database, first token, uvicorn, and the line that says it is ready."""

import asyncio
import gc
import json
import logging
import os
import resource
import secrets
import signal
import socket
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

import uvicorn
import uvloop
from fastapi import FastAPI

from service import auth, logs
from service.app import create_app
from service.backup import require_finished
from service.context import Context
from service.files import storage_of
from service.fits import Fitters
from service.logs import tell
from service.metrics import Metrics
from service.origin import LOOPBACK
from service.protocol import Deadlined
from service.settings import Settings
from service.store.database import Database
from service.store.migrating import UnknownSchema, migrate, standing
from service.store.postgres_keeper import kept
from service.suggester import Suggested, suggest_for_ever, until_parent_ends
from trialbook.errors import Unavailable

STOP_SECONDS = 8.0  # for what was under way when the server was told to stop
CLOSING_SECONDS = 1  # more, for what came in after that
LOOK_AGAIN = 0.02
SHORT = 20  # characters: an operator's own token that may be guessed
SCHEMA_SECONDS = 1.0  # between two looks of a suggester that waits for the schema


class Refused(Exception):
    """Binding to other addresses than loopback without authentication would open the server to everybody."""


@contextmanager
def database(settings: Settings) -> Iterator[str]:
    """The URL of the operator's database, or of the embedded one, which runs as long as this is held."""
    if (url := settings.read_database_url()) is not None:
        yield url
        return
    with kept(settings.data) as url:
        yield url


def first_token(settings: Settings) -> str:
    """The operator's first token: the one given, else one made at the first start and kept in a file of mode 0600."""
    if (given := settings.read_token()) is not None:
        return given
    path = token_file(settings)
    if not path.exists():
        mine = path.with_suffix(f".{secrets.token_hex(4)}")
        mine.touch(mode=0o600)
        mine.write_text(f"tb_first-{secrets.token_hex(4)}_{secrets.token_urlsafe(32)}\n")
        with suppress(FileExistsError):  # of several servers that start on one folder, all take the first one's
            path.hardlink_to(mine)
        mine.unlink()
    return path.read_text().strip()


async def keep_first_token(context: Context, settings: Settings) -> tuple[str, str]:
    """The first token and its id, stored; one that was made here and revoked since is followed by another."""
    token = first_token(settings)
    if len(token) < SHORT:
        tell("first-token-is-short", level=logging.WARNING, characters=len(token))
    token_id, is_valid = await auth.keep_first_token(context, token)
    if is_valid:
        return token, token_id
    if settings.read_token() is not None:
        tell("first-token-is-revoked", level=logging.WARNING, token_id=token_id)
        return token, token_id
    token_file(settings).unlink(missing_ok=True)
    return await keep_first_token(context, settings)


def token_file(settings: Settings) -> Path:
    """Where the first token is kept."""
    return settings.data / "token"


def serve(settings: Settings) -> None:
    """Serve until told to stop. Raises Refused, Unfinished, UnknownSchema, or what database or socket say."""
    if settings.no_auth and settings.host not in LOOPBACK:
        raise Refused(Refused.__doc__)
    if settings.no_auth and settings.allowed_hosts:
        raise Refused("A server that other hosts' names lead to (TRIALBOOK_ALLOWED_HOSTS) asks for tokens.")
    logs.install(settings.log_level)
    signal.signal(signal.SIGTERM, _end)  # until uvicorn hears it
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    require_finished(settings.data)
    _require_storage(settings)
    _allow_many_connections()
    with database(settings) as url:
        migrate(url)
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        listener = socket.create_server((settings.host, settings.port), family=family, backlog=1024)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else each answer waits 40 ms for an ACK
        uvloop.run(_serve(settings, url, listener))


def _require_storage(settings: Settings) -> None:
    """Raises Refused where the artifact store can't be used: better now than at the first upload."""
    try:
        storage_of(settings).require()
    except FileNotFoundError:
        raise Refused(f"There is no bucket for TRIALBOOK_ARTIFACTS={settings.artifacts}: make it first.") from None
    except (ValueError, Unavailable) as error:
        raise Refused(f"TRIALBOOK_ARTIFACTS={settings.artifacts}: {error} {error.__cause__ or ''}") from None


def _end(number: int, frame: object) -> NoReturn:
    raise SystemExit(0)  # by way of what is open: an embedded database is stopped


def _allow_many_connections() -> None:
    """Each connection is an open file, and the usual soft limit of 1,024 is for programs that use select(2)."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def reachable(host: str, port: int) -> str:
    """An address at which a server that listens at `host` answers on this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # compared, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def keep_suggesting(url: str, metrics: Metrics) -> None:
    """Run a suggester as a child process, again whenever it ends, until cancelled; what it did goes to the metrics."""
    environment = {**os.environ, "TRIALBOOK_DATABASE_URL": url, "OMP_NUM_THREADS": "1"}
    environment.pop("TRIALBOOK_DATABASE_URL_FILE", None)
    while True:
        # -P: a folder named `service` where the operator happens to be is not ours.
        command = (sys.executable, "-P", "-m", "service", "suggest", "--with-parent")
        # Its standard input stays open as long as this process lives, even to a kill -9; then it ends by itself.
        child = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, env=environment)
        assert child.stdout is not None  # noqa: S101  # it is a pipe
        try:
            async for line in child.stdout:
                metrics.suggestion(Suggested(**json.loads(line)))
            await child.wait()
        except asyncio.CancelledError:
            child.terminate()
            await child.wait()
            raise
        metrics.suggesters.inc()
        tell("suggester-restarted", level=logging.WARNING, code=child.returncode)
        await asyncio.sleep(1)


async def _suggest(url: str, *, with_parent: bool) -> None:
    db = Database(url, pool_size=3)
    async with Fitters() as fits:
        tell_parent = _print_line if with_parent else None
        tasks = [asyncio.create_task(suggest_for_ever(db, fits, tell_parent))]
        if with_parent:
            tasks.append(asyncio.create_task(until_parent_ends()))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await db.close()


def suggest(settings: Settings, *, with_parent: bool) -> None:
    """Make suggestions until told to stop, or until the process that started this one ends. Raises UnknownSchema."""
    logs.install(settings.log_level)
    with database(settings) as url:
        _await_schema(url)
        asyncio.run(_suggest(url, with_parent=with_parent))


def _await_schema(url: str) -> None:
    """Wait until a server, or `migrate`, has brought the schema up to date; a suggester changes none."""
    told = False
    while (found := standing(url)) != "current":
        if found == "newer":
            raise UnknownSchema(UnknownSchema.__doc__)
        if not told:
            tell("waiting-for-schema", level=logging.WARNING)  # by a server, or by `migrate`
            told = True
        time.sleep(SCHEMA_SECONDS)


async def _serve(settings: Settings, url: str, listener: socket.socket) -> None:
    app = create_app(settings, url)
    config = uvicorn.Config(
        app,
        http=Deadlined,
        ws="none",
        log_config=None,
        log_level="warning",
        access_log=False,
        lifespan="on",
        timeout_graceful_shutdown=CLOSING_SECONDS,
        server_header=False,
        proxy_headers=False,
    )
    server = Announced(config, app, settings, listener)
    suggester = asyncio.create_task(keep_suggesting(url, app.state.metrics))
    try:
        await server.serve(sockets=[listener])
    finally:
        suggester.cancel()
        await asyncio.gather(suggester, return_exceptions=True)


def _keep_pauses_short() -> None:
    """What is loaded by now stays: to look for garbage in it would stop everything for a tenth of a second. A thread
    that computes a figure lets the others run each millisecond."""
    gc.collect()
    gc.freeze()
    sys.setswitchinterval(0.001)


def _print_line(done: Suggested) -> None:
    print(json.dumps(vars(done)), flush=True)


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
            loop.add_signal_handler(number, self._stop)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)
                signal.signal(number, signal.SIG_IGN)  # what follows is short, and the database should end well

    def _stop(self) -> None:
        """Stop gently; asked again, wait for nobody any more."""
        self.force_exit = self.should_exit
        self.should_exit = True
        self._say_stopping()

    def _say_stopping(self) -> None:
        if (context := getattr(self._app.state, "context", None)) is not None:
            context.stopping = True
            context.bell.ring()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then announce."""
        await super().startup(sockets)
        _keep_pauses_short()
        url = reachable(*self._listener.getsockname()[:2])
        ready = {"event": "ready", "url": url, "token": None, "dashboard": f"{url}/"}
        if not self._settings.no_auth:
            context = self._app.state.context
            token, token_id = await keep_first_token(context, self._settings)
            link = await auth.login_link(context, token_id)
            ready |= {"token": token, "dashboard": url + link}
        print(json.dumps(ready), flush=True)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let end what is under way, answering meanwhile that this server is stopping; then stop listening."""
        self._say_stopping()
        load = self._app.state.context.load
        tell("stopping", **load.now)
        under_way, deadline = set(load.requests), time.monotonic() + STOP_SECONDS
        while under_way & load.requests and time.monotonic() < deadline and not self.force_exit:  # noqa: ASYNC110  # uvicorn's flag
            await asyncio.sleep(LOOK_AGAIN)
        await super().shutdown(sockets)
        tell("stopped")
