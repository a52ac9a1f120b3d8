"""Brings the database's schema to the version of this code. Whoever comes second waits and finds it done."""

import asyncio
from importlib.resources import files
from typing import Literal

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from service.logs import tell
from service.store.database import dsn_of

ADVISORY_LOCK = 7_240_519_883  # any number, the same in every process
LATEST = "head"


class UnknownSchema(Exception):
    """The database was made by a newer version of Trialbook: upgrade this server, or restore a backup."""


def migrate(url: str, revision: str = LATEST) -> None:
    """Apply the migrations not yet applied up to a revision, each in one transaction: killed in the middle, the next
    run goes on from the last one that was complete. Raises UnknownSchema for a newer database."""
    asyncio.run(_migrate(url, revision))


def standing(url: str) -> Literal["current", "older", "newer"]:
    """How the database's schema stands to this code's."""
    revision = asyncio.run(_read(url))
    if revision == latest_revision():
        return "current"
    return "older" if revision is None or is_known(revision) else "newer"


def latest_revision() -> str | None:
    """The version of the schema that this code works with."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def is_known(revision: str) -> bool:
    """Whether this code knows a version of the schema."""
    return revision in {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


async def revision_of(connection: "asyncpg.Connection") -> str | None:
    """The version of a database's schema; None where there is none yet."""
    if await connection.fetchval("select to_regclass('alembic_version')") is None:
        return None
    found: str | None = await connection.fetchval("select version_num from alembic_version")
    return found


async def _read(url: str) -> str | None:
    connection = await asyncpg.connect(dsn_of(url), timeout=10)
    try:
        return await revision_of(connection)
    finally:
        await connection.close()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(files("migrations")))
    return config


async def _migrate(url: str, revision: str) -> None:
    engine = create_async_engine(url, connect_args={"timeout": 10})
    try:
        async with engine.connect() as connection:
            await connection.execute(text("select pg_advisory_lock(:key)"), {"key": ADVISORY_LOCK})
            await connection.commit()
            await connection.run_sync(_upgrade, revision)
            await connection.commit()
    finally:
        await engine.dispose()


def _upgrade(connection: Connection, revision: str) -> None:
    present = MigrationContext.configure(connection).get_current_revision()
    if present is not None and not is_known(present):
        raise UnknownSchema(UnknownSchema.__doc__)
    connection.commit()
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
    if (now := MigrationContext.configure(connection).get_current_revision()) != present:
        tell("schema-migrated", before=present, now=now)
