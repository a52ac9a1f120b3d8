"""Files that several machines share are held by a lock of the database's, which goes with the session that took it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from service.store.database import PATIENCE, dsn_of
from service.store.faults import DatabaseAway

KEY = 0x7472_6961_6C66_696C  # any number that nobody else locks
NAMED = {"application_name": "trialbook-files"}


class DatabaseGuard:
    """Between those who need files to stay and those who delete some, on any machine. Each lock is a session of its
    own, since a backup may take longer than a pool's connection may be kept."""

    def __init__(self, url: str) -> None:
        self._dsn = dsn_of(url)

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[None]:
        """Together with other holders; waits for a deletion to end."""
        async with self._session() as session:
            await session.execute(f"select pg_advisory_lock_shared({KEY})")
            yield

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[bool]:
        """Whether nobody holds files, or will before this ends; waits for nobody."""
        async with self._session() as session:
            yield await session.fetchval(f"select pg_try_advisory_lock({KEY})")

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[asyncpg.Connection]:
        try:
            session = await asyncpg.connect(self._dsn, timeout=PATIENCE, server_settings=NAMED)
        except OSError as error:
            raise DatabaseAway from error
        try:
            yield session
        finally:
            await session.close(timeout=PATIENCE)
