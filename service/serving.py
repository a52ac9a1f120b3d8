"""Running the server: database, first token, uvicorn, and the line that says it is ready."""

import asyncio
import json
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from service import auth
from service.app import LOOPBACK, create_app
from service.settings import Settings
from service.store.migrating import migrate
from service.store.postgres import EmbeddedPostgres

STOP_SECONDS = 8


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
        listener = socket.create_server((settings.host, settings.port), backlog=1024)
        asyncio.run(_serve(settings, url, listener))


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
    await server.serve(sockets=[listener])


class Announced(uvicorn.Server):
    """Says in one line of JSON where it listens as soon as it does, and wakes long polls when it is to stop."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, settings: Settings, listener: socket.socket) -> None:
        super().__init__(config)
        self._app, self._settings, self._listener = app, settings, listener

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then announce."""
        await super().startup(sockets)
        host, port = self._listener.getsockname()[:2]
        url = f"http://{host}:{port}"
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
