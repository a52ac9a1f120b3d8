"""Schedules of two writes: the application on a database that can be stopped between any two statements."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from service.store.database import Database, Transaction

SOON = 0.003  # seconds that most requests are done in
PATIENCE = 20.0  # more than any timeout of the database's own
WAITING = "select count(*) from pg_locks where not granted"


@dataclass
class Stop:
    """One request is stopped before its statement number `before` (a commit counts as one), until it may go on."""

    before: int
    seen: int = 0
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def pass_by(self) -> None:
        """What is called before each statement."""
        self.seen += 1
        if self.seen == self.before:
            self.reached.set()
            await asyncio.wait_for(self.go_on.wait(), PATIENCE)


STOP: ContextVar[Stop | None] = ContextVar("STOP", default=None)


async def _pass_by() -> None:
    if (stop := STOP.get()) is not None:
        await stop.pass_by()


class SteppedTransaction(Transaction):
    """A transaction that may be stopped before each of its statements."""

    async def run(self, statement: Any, parameters: Any = None) -> Any:
        await _pass_by()
        return await super().run(statement, parameters)

    async def run_each(self, statement: Any, parameters: Any) -> None:
        await _pass_by()
        await super().run_each(statement, parameters)


class SteppedDatabase(Database):
    """The real database; a request that has a `Stop` waits where it says."""

    async def run(self, statement: Any, parameters: Any = None) -> Any:
        await _pass_by()
        return await super().run(statement, parameters)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Transaction]:
        async with self._connection() as connection, connection.transaction():
            yield SteppedTransaction(connection)
            await _pass_by()


Write = Callable[[], Awaitable[Any]]


class Schedules:
    """Runs two writes so that they meet. `watch` is a connection of its own, which also holds rows."""

    def __init__(self, watch: asyncpg.Connection, other: asyncpg.Connection) -> None:
        self._watch = watch
        self._other = other

    async def stopped(self, first: Write, second: Write, before: int) -> tuple[Any, Any] | None:
        """The first write is stopped before its n-th statement while the second does all it can.

        None where the first has no so many statements.
        """
        stop = Stop(before)
        one = asyncio.create_task(_with(stop, first))
        reached = asyncio.create_task(stop.reached.wait())
        await asyncio.wait({one, reached}, return_when=asyncio.FIRST_COMPLETED)
        if one.done():
            reached.cancel()
            return None
        other = asyncio.create_task(second())
        await self.done_or_waiting(other, 1)
        stop.go_on.set()
        return await one, await other

    @asynccontextmanager
    async def held(self, row: str | None, key: int) -> AsyncIterator[None]:
        """As long as this lasts, a third session holds a row of a table."""
        if row is None:
            yield
            return
        async with self._other.transaction():
            await self._other.execute(f"select from {row} where id = $1 for update", key)
            yield

    async def queued(self, first: Write, second: Write, row: str, key: int) -> tuple[Any, Any]:
        """Both writes come while a third session holds a row, the first one first; then that lets go of it."""
        async with self.held(row, key):
            one = asyncio.create_task(first())
            waiting = await self.done_or_waiting(one, 1)
            other = asyncio.create_task(second())
            await self.done_or_waiting(other, waiting + 1)
        return await one, await other

    async def done_or_waiting(self, task: asyncio.Task[Any], sessions: int) -> int:
        """Return when a write is done, or so many sessions wait for locks; how many do."""
        async with asyncio.timeout(PATIENCE):
            while True:
                await asyncio.wait({task}, timeout=SOON)
                waiting = await self._watch.fetchval(WAITING)
                if task.done() or waiting >= sessions:
                    return int(waiting)


async def _with(stop: Stop, write: Write) -> Any:
    STOP.set(stop)
    return await write()
