"""The engine: a bounded pool of connections that never wait for ever."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import Executable, RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

# Milliseconds. A statement that takes longer is a fault somewhere; the caller is told 503 and tries again.
LIMITS = {
    "statement_timeout": "10000",
    "lock_timeout": "5000",
    "transaction_timeout": "30000",
    "idle_in_transaction_session_timeout": "15000",
    "timezone": "UTC",
    "application_name": "trialbook",
}


Transaction = AsyncConnection  # what `begin` gives; use cases pass it on and never look inside


class Database:
    """One engine for the process. `begin()` is a transaction; `run()` is a single statement that is one by itself."""

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        self.engine: AsyncEngine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=5,
            pool_pre_ping=False,
            connect_args={"server_settings": LIMITS, "command_timeout": 15, "timeout": 5},
        )
        # One statement without BEGIN and COMMIT around it: one round trip in place of three.
        self._single = self.engine.execution_options(isolation_level="AUTOCOMMIT")

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """A transaction: committed at the end, rolled back on an error."""
        async with self.engine.begin() as connection:
            yield connection

    async def run(self, statement: Executable, parameters: dict[str, Any] | None = None) -> Sequence[RowMapping]:
        """Execute one statement in a transaction of its own and give its rows."""
        async with self._single.connect() as connection:
            result = await connection.execute(statement, parameters or {})
            return result.mappings().all() if result.returns_rows else []

    async def close(self) -> None:
        """Close all connections."""
        await self.engine.dispose()
