"""All rows that last: out of a database as they were at one instant, and into an empty one. By COPY, which every
PostgreSQL speaks in the same text, whatever its version; nothing else need be installed."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from service.store.database import dsn_of
from service.store.evaluating import MOST_TRIES
from service.store.migrating import UnknownSchema, is_known, revision_of
from service.store.tables import metadata

# Not in a backup: the server's secret, so that no lease of then counts after a restore; events, whose order is told by
# one database's transaction ids; what lives for minutes.
LEFT_OUT = ("server", "events", "claims", "rates", "sessions", "login_links")
TABLES = tuple(table.name for table in metadata.sorted_tables if table.name not in LEFT_OUT)
# What COPY's text depends on is set here, whatever the operator's database says.
SPELLING = {
    "application_name": "trialbook-backup",
    "timezone": "UTC",
    "datestyle": "ISO",
    "extra_float_digits": "1",
    "bytea_output": "hex",
}
COLUMNS = """
    select column_name from information_schema.columns
    where table_schema = current_schema() and table_name = $1 order by ordinal_position
"""
SEQUENCES = """
    select sequencename as name, last_value from pg_sequences
    where schemaname = current_schema() and last_value is not null order by 1
"""
# By way of JSON, since a column may be younger than the schema that is read.
ARTIFACTS = """
    select s.name as study, t.number, a.name, a.file, a.sha256, a.size
    from artifacts a join trials t on t.id = a.trial_id join studies s on s.id = t.study_id where a.file <> ''
    union all
    select s.name, t.number, a.name || ' (the one before)', r.row ->> 'previous_file',
        r.row #>> '{previous,sha256}', (r.row #>> '{previous,size}')::bigint
    from artifacts a join trials t on t.id = a.trial_id join studies s on s.id = t.study_id,
        lateral (select to_jsonb(a) as row) r
    where r.row ->> 'previous_file' is not null
    order by 1, 2, 3
"""
DATASETS = """
    select distinct on (sha256) name, sha256, size from (
        select name, sha256, size from datasets
        union all
        select data ->> 'name', data ->> 'sha256', (data ->> 'size')::bigint from studies where data ? 'sha256'
    ) known order by sha256, name
"""
IN_USE = """
    select count(*) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and application_name = 'trialbook'
"""
# A trial that ran then runs nowhere now. It waits without having failed; its next grant raises the attempt, and finds
# whether the checkpoint is beyond where the trial was spared.
ADJUST = (
    """update trials set state = 'waiting', lease_until = null, prune_step = null, prune_reason = null,
        reason = 'the server was restored from a backup' where state = 'running'""",
    """update attempts a set ended_at = clock_timestamp(), outcome = 'released' from trials t
        where t.id = a.trial_id and t.attempt = a.attempt and t.state = 'waiting' and a.ended_at is null""",
    f"""update evaluations set token_id = null, request_id = null, until = null, tries = least(tries, {MOST_TRIES - 1})
        where finished_at is null""",  # noqa: S608  # a number of our own
    "update workers set polling_until = null",
)
Write = Callable[[bytes], Awaitable[None]]


@dataclass(frozen=True)
class Kept:
    """A file that a row names: whose it is in words for people, its name on disk, and what it must be."""

    owner: str
    file: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Table:
    """A table as it was written: its columns in their order, and how many rows there are."""

    columns: tuple[str, ...]
    rows: int


class NotEmpty(Exception):
    """The database holds studies or data sets already: restore into an empty one, or use --force to replace them."""


class InUse(Exception):
    """A server or a suggester works on that database: stop it first."""


class Unfit(Exception):
    """The backup does not fit the schema that it names."""


class Snapshot:
    """A database as it was at one instant, however long the reading takes."""

    def __init__(self, connection: "asyncpg.Connection", revision: str, version: str) -> None:
        self._connection, self.revision, self.database = connection, revision, version

    async def copy(self, name: str, write: Write) -> Table | None:
        """Write a table's rows as COPY spells them; None where this schema has no such table."""
        columns = [row["column_name"] for row in await self._connection.fetch(COLUMNS, name)]
        if not columns:
            return None
        done = await self._connection.copy_from_table(name, columns=columns, output=write)
        return Table(tuple(columns), int(done.split()[-1]))

    async def artifacts(self) -> list[Kept]:
        """The files of trials."""
        rows = await self._connection.fetch(ARTIFACTS)
        return [
            Kept(f"{row['name']} of trial {row['number']} of {row['study']}", row["file"], row["sha256"], row["size"])
            for row in rows
        ]

    async def datasets(self) -> list[Kept]:
        """The data sets that are known by name or pinned by a study."""
        rows = await self._connection.fetch(DATASETS)
        return [Kept(f"data set {row['name']}", row["sha256"], row["sha256"], row["size"]) for row in rows]

    async def sequences(self) -> dict[str, int]:
        """The last number that each sequence gave. Ask last: sequences are not part of the instant, only later."""
        return {row["name"]: row["last_value"] for row in await self._connection.fetch(SEQUENCES)}


@asynccontextmanager
async def snapshot(url: str) -> AsyncIterator[Snapshot]:
    """A database at this instant. Raises UnknownSchema for a newer one."""
    async with _connected(url) as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        revision = await revision_of(connection)
        if revision is None or not is_known(revision):
            raise UnknownSchema(UnknownSchema.__doc__)
        yield Snapshot(connection, revision, await connection.fetchval("show server_version"))


async def require_free(url: str, *, even_full: bool) -> None:
    """Raises InUse while a server works on the database, UnknownSchema for a newer one's, and NotEmpty, unless
    `even_full`, where there are studies or data sets."""
    async with _connected(url) as connection:
        if await connection.fetchval(IN_USE):
            raise InUse(InUse.__doc__)
        revision = await revision_of(connection)
        if revision is not None and not is_known(revision):
            raise UnknownSchema(UnknownSchema.__doc__)
        if revision is not None and not even_full:
            for table in ("studies", "datasets"):
                if await connection.fetchval(f"select exists (select from {table})"):  # noqa: S608  # our own names
                    raise NotEmpty(NotEmpty.__doc__)


async def clear(url: str) -> None:
    """Drop all that Trialbook has made in a database, and nothing else."""
    ours = ", ".join([*metadata.tables, "alembic_version"])
    async with _connected(url) as connection, connection.transaction():
        await connection.execute(f"drop table if exists {ours} cascade")
        await connection.execute("drop sequence if exists finish_order")


async def load(
    url: str, tables: Mapping[str, Table], rows: Callable[[str], Iterator[bytes]], sequences: Mapping[str, int]
) -> None:
    """Fill an empty database of the schema that the tables were written from, all or nothing. Raises Unfit."""
    async with _connected(url) as connection, connection.transaction():
        for name in TABLES:
            if name not in tables:
                continue
            known = [row["column_name"] for row in await connection.fetch(COLUMNS, name)]
            if sorted(known) != sorted(tables[name].columns):
                raise Unfit(f"The backup does not fit the schema that it names: table {name}.")
            await _fill(connection, name, tables[name], rows(name))
        existing = {row["sequencename"] for row in await connection.fetch("select sequencename from pg_sequences")}
        for name, last in sequences.items():
            if name in existing:
                await connection.execute("select setval($1::text::regclass, $2)", name, last)


async def _fill(connection: Any, name: str, table: Table, rows: Iterable[bytes]) -> None:  # Any: as in database
    async def source() -> AsyncIterator[bytes]:
        for piece in rows:
            yield piece

    done = await connection.copy_to_table(name, source=source(), columns=list(table.columns))
    if int(done.split()[-1]) != table.rows:
        raise Unfit(f"The backup does not hold the rows that it names: table {name}.")


async def adjust(url: str) -> None:
    """Void what held only at the instant of the backup: leases, claims, polls."""
    async with _connected(url) as connection, connection.transaction():
        for statement in ADJUST:
            await connection.execute(statement)


async def count(url: str, tables: Sequence[str]) -> dict[str, int]:
    """How many rows there are by table."""
    async with _connected(url) as connection:
        return {name: await connection.fetchval(f"select count(*) from {name}") for name in tables}  # noqa: S608


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[Any]:  # Any: asyncpg has no types
    connection = await asyncpg.connect(dsn_of(url), timeout=10, server_settings=SPELLING)
    try:
        yield connection
    finally:
        await connection.close()
