"""The real application on a real database, called without a socket."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from service import auth
from service.app import create_app
from service.settings import Settings

Serve = Callable[..., Any]  # an async context manager of a signed-in client


@pytest.fixture
def serve(database_url: str, tmp_path: Path) -> Serve:
    """Starts the application: `async with serve() as client`; settings by name."""

    @asynccontextmanager
    async def start(**settings: Any) -> AsyncIterator[httpx.AsyncClient]:
        app = create_app(Settings(data=tmp_path, **settings), database_url)
        async with app.router.lifespan_context(app):
            await auth.keep_first_token(app.state.context, "first")
            transport = httpx.ASGITransport(app)
            headers = {"authorization": "Bearer first"}
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as client:
                client.app = app  # type: ignore[attr-defined]  # for the tests that walk the routes
                yield client

    return start
