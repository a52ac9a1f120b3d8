"""The database: a bounded pool of asyncpg connections that never wait for ever, and statements with named parameters.

asyncpg itself, since SQLAlchemy's way around it takes four times as long for each statement; tables and migrations are
SQLAlchemy's.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any

import asyncpg
from sqlalchemy import TextClause
from sqlalchemy.dialects import registry
from sqlalchemy.engine import make_url

from service.store.faults import DatabaseAway

# Milliseconds. A statement that takes longer is a fault somewhere; the caller is told 503 and tries again.
LIMITS = {
    "statement_timeout": "10000",
    "lock_timeout": "5000",
    "transaction_timeout": "30000",
    "idle_in_transaction_session_timeout": "15000",
    "timezone": "UTC",
    "application_name": "trialbook",
}
DIALECT = registry.load("postgresql.asyncpg")()  # how parameters are spelled
PATIENCE = 5.0  # seconds until a connection must be free
WAITERS = 1000  # who may wait for one at the same time
Row = Mapping[str, Any]  # Any: a column by its name


class Full(TimeoutError):
    """Too many wait for a connection already."""


class Transaction:
    """What `begin` gives: statements that take effect together. Use cases pass it on and never look inside."""

    def __init__(self, connection: Any) -> None:  # Any: asyncpg has no types
        self._connection = connection

    async def run(self, statement: TextClause, parameters: Mapping[str, Any] | None = None) -> Sequence[Row]:
        """Execute a statement and give its rows."""
        sql, names = _positional(statement)
        rows: Sequence[Row] = await self._connection.fetch(sql, *_values(names, parameters))
        return rows

    async def one(self, statement: TextClause, parameters: Mapping[str, Any] | None = None) -> Row | None:
        """Execute a statement and give its first row, None where it has none."""
        return next(iter(await self.run(statement, parameters)), None)

    async def run_each(self, statement: TextClause, parameters: Sequence[Mapping[str, Any]]) -> None:
        """Execute a statement for each set of parameters."""
        sql, names = _positional(statement)
        await self._connection.executemany(sql, [_values(names, one) for one in parameters])


class Database:
    """One pool for the process. `begin()` is a transaction; `run()` is a single statement that is one by itself."""

    def __init__(self, url: str, *, pool_size: int = 10, waiters: int = WAITERS) -> None:
        self._dsn = dsn_of(url)
        self._size = pool_size
        self._pool: Any = None  # Any: asyncpg has no types
        self.waiting = 0  # who waits for a connection
        self._most_waiting = waiters
        self._opening = asyncio.Lock()

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Transaction]:
        """A transaction: committed at the end, rolled back on an error."""
        async with self._connection() as connection, connection.transaction():
            yield Transaction(connection)

    async def run(self, statement: TextClause, parameters: Mapping[str, Any] | None = None) -> Sequence[Row]:
        """Execute one statement in a transaction of its own and give its rows."""
        async with self._connection() as connection:
            return await Transaction(connection).run(statement, parameters)

    async def close(self) -> None:
        """Close all connections."""
        if self._pool is not None:
            self._pool.terminate()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        pool = self._pool or await self._opened()
        if self.waiting >= self._most_waiting:
            raise Full
        self.waiting += 1
        try:
            connection = await pool.acquire(timeout=PATIENCE)
        except (OSError, asyncpg.InternalClientError) as error:  # no socket, nobody behind it, or all are in use
            raise DatabaseAway from error
        finally:
            self.waiting -= 1
        try:
            yield connection
        except asyncpg.ReadOnlySQLTransactionError:
            connection.terminate()  # a standby by now: a new connection may find who took over
            raise
        finally:
            await pool.release(connection)

    @property
    def size(self) -> int:
        """How many connections there are."""
        return 0 if self._pool is None else int(self._pool.get_size())

    @property
    def in_use(self) -> int:
        """How many of them are in use."""
        return 0 if self._pool is None else self.size - int(self._pool.get_idle_size())

    async def _opened(self) -> Any:
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    self._dsn,
                    min_size=0,
                    max_size=self._size,
                    max_inactive_connection_lifetime=0,
                    timeout=PATIENCE,
                    command_timeout=15,
                    server_settings=LIMITS,
                    reset=_leave,
                )
        return self._pool


def dsn_of(url: str) -> str:
    """SQLAlchemy's URL as asyncpg takes it, which spells `ssl` as libpq does: any other key is a server's setting."""
    parts = make_url(url)
    query = {"sslmode" if key == "ssl" else key: value for key, value in parts.query.items()}
    return parts.set(drivername="postgresql", query=query).render_as_string(hide_password=False)


async def _leave(connection: Any) -> None:  # Any: as above
    """Nothing outlives a transaction here, so a connection that comes back needs no round trip to be cleaned."""


@lru_cache(maxsize=1000)
def _positional(statement: TextClause) -> tuple[str, tuple[str, ...]]:
    """A statement with `:name` parameters as PostgreSQL takes it, `$1`, and the names in that order."""
    compiled = statement.compile(dialect=DIALECT)
    return str(compiled), tuple(compiled.positiontup or ())


def _values(names: Sequence[str], parameters: Mapping[str, Any] | None) -> list[Any]:
    return [(parameters or {})[name] for name in names]
