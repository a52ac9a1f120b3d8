"""Whether this process lives, whether it can serve, and its metrics.

Looks at the database over connections of its own, so that no look queues behind traffic, one look at a time, and none
is waited for longer than it may take: a database that hangs can't hang whoever asks.
"""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fastapi import FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from service.context import Context
from service.store import census
from service.store.database import Database
from service.store.migrating import latest_revision
from trialbook import __version__
from trialbook.errors import Unavailable

PATIENCE = 1.5  # seconds that a look may take
FRESH = 5.0  # seconds for which what a look at the database's contents found is told again
PROBES = ("/healthz", "/readyz", "/metrics")
SAMPLE = b"\0" * 64 * 1024  # what must fit on the disk
Look = Callable[[], Awaitable[str | None]]  # what is wrong, if anything is


class Looks:
    """Looks at things that may hang: whoever asks while one is under way waits for that one."""

    def __init__(self) -> None:
        self._under_way: dict[Look, asyncio.Task[str | None]] = {}

    async def ask(self, looks: dict[Look, str]) -> str | None:
        """What is wrong first, None where nothing is; a look that fails or takes too long is told by its own words."""
        tasks = {look: self._begun(look) for look in looks}
        await asyncio.wait(tasks.values(), timeout=PATIENCE)
        for look, words in looks.items():
            task = tasks[look]
            if not task.done() or task.cancelled() or task.exception() is not None:
                return words
            if (wrong := task.result()) is not None:
                return wrong
        return None

    def _begun(self, look: Look) -> asyncio.Task[str | None]:
        task = self._under_way.get(look)
        if task is None or task.done():
            task = self._under_way[look] = asyncio.ensure_future(look())
        return task

    def close(self) -> None:
        """Wait for none of them any more."""
        for task in self._under_way.values():
            task.cancel()


class Health:
    """The state of one process and of what it needs."""

    def __init__(self, context: Context, database_url: str) -> None:
        self._context = context
        self._db = Database(database_url, pool_size=1)  # for readiness
        self._counting = Database(database_url, pool_size=1)  # for metrics, which may take longer
        self._looks = Looks()
        self._thread = ThreadPoolExecutor(1, "disk")
        self._schema = latest_revision()
        self._counted_at = 0.0
        metrics, db = context.metrics, context.db
        metrics.read("database_connections", "Connections to the database.", lambda: db.size)
        metrics.read("database_connections_in_use", "Of them, in use.", lambda: db.in_use)
        metrics.read("database_waiting", "Who waits for a connection to the database.", lambda: db.waiting)
        metrics.read("tick_age_seconds", "Since the clockwork's last turn.", lambda: time.monotonic() - context.ticked)

    async def close(self) -> None:
        """Close the connections."""
        self._looks.close()
        self._thread.shutdown(wait=False, cancel_futures=True)
        await self._db.close()
        await self._counting.close()

    async def unready(self) -> str | None:
        """Why requests can't be served now, None where they can."""
        if self._context.stopping:
            return "The server is stopping."
        return await self._looks.ask(
            {self._database: "The database does not answer.", self._disk: "The data folder does not answer."}
        )

    async def _database(self) -> str | None:
        known = await census.schema_version(self._db)
        return None if known == self._schema else "The database's schema is not this version's."

    async def _disk(self) -> str | None:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, _try_to_write, self._context.files.root / "incoming")

    async def metrics(self) -> bytes:
        """All metrics as Prometheus reads them."""
        wrong = await self._looks.ask({self._database: "The database does not answer."})
        self._context.metrics.database_up.set(0 if wrong else 1)
        if not wrong and time.monotonic() > self._counted_at + FRESH:
            await self._looks.ask({self._count: "The database does not answer."})
        return await asyncio.to_thread(generate_latest, self._context.metrics.registry)

    async def _count(self) -> None:
        found = await census.take_census(self._counting)
        for state, n in found.trials.items():
            self._context.metrics.trials.labels(state).set(n)
        for state, n in found.studies.items():
            self._context.metrics.studies.labels(state).set(n)
        self._counted_at = time.monotonic()


def _try_to_write(folder: Path) -> str | None:
    file = folder / f"ready-{secrets.token_hex(8)}"
    try:
        file.write_bytes(SAMPLE)
    except OSError:
        return "The data folder can't be written to, or is full."
    finally:
        file.unlink(missing_ok=True)
    return None


def install(app: FastAPI) -> None:
    """The routes that need no token."""

    @app.get("/healthz", operation_id="health", tags=["health"])
    async def healthz() -> dict[str, str]:
        """Whether this process lives."""
        return {"status": "ok", "version": __version__}

    @app.get("/readyz", operation_id="ready", tags=["health"])
    async def readyz() -> dict[str, str]:
        """Whether requests can be served: database, schema, data folder, and the server is not stopping."""
        health: Health = app.state.health
        if (wrong := await health.unready()) is not None:
            raise Unavailable(wrong)
        return {"status": "ready"}

    @app.get("/metrics", operation_id="metrics", tags=["health"], include_in_schema=False)
    async def metrics() -> Response:
        """Prometheus' metrics."""
        health: Health = app.state.health
        return Response(await health.metrics(), media_type=CONTENT_TYPE_LATEST)
