"""Brings the database's schema to the version of this code. Whoever comes second waits and finds it done."""

import asyncio
from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

ADVISORY_LOCK = 7_240_519_883  # any number, the same in every process


class UnknownSchema(Exception):
    """The database was made by a newer version of Trialbook: upgrade this server, or restore a backup."""


def migrate(url: str) -> None:
    """Apply all migrations not yet applied, each in one transaction. Raises UnknownSchema for a newer database."""
    asyncio.run(_migrate(url))


def latest_revision() -> str | None:
    """The version of the schema that this code works with."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(files("migrations")))
    return config


async def _migrate(url: str) -> None:
    engine = create_async_engine(url, connect_args={"timeout": 10})
    try:
        async with engine.connect() as connection:
            await connection.execute(text("select pg_advisory_lock(:key)"), {"key": ADVISORY_LOCK})
            await connection.commit()
            await connection.run_sync(_upgrade)
            await connection.commit()
    finally:
        await engine.dispose()


def _upgrade(connection: Connection) -> None:
    config = _config()
    present = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if present is not None and present not in known:
        raise UnknownSchema(UnknownSchema.__doc__)
    connection.commit()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
