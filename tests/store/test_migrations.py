"""The migrations' sum is the tables."""

import asyncio
import warnings

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from service.store.migrating import migrate
from service.store.tables import metadata


def test_all_migrations_together_make_the_tables_of_the_code(database_url):
    def compare(connection: Connection):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # SQLAlchemy does not know xid8
            return compare_metadata(MigrationContext.configure(connection), metadata)

    async def check():
        engine = create_async_engine(database_url)
        async with engine.connect() as connection:
            assert await connection.run_sync(compare) == []
        await engine.dispose()

    asyncio.run(check())


def test_migrating_twice_changes_nothing(database_url):
    migrate(database_url)
    migrate(database_url)
