"""What several tests share: a private folder, one PostgreSQL per test process, a migrated database per test."""

import asyncio
import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from service.store.postgres import EmbeddedPostgres

TEMPLATE = "migrated"
ALONE = """
    select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()
"""
# New files for a hundred tables and indexes cost more than most tests; where there is much to delete they are worth it.
EMPTY = """
    do $$ declare one record; everything text; is_large bool; begin
        select string_agg(format('%I', relname), ', '), bool_or(pg_table_size(oid) > 1 << 20) into everything, is_large
            from pg_class
            where relnamespace = 'public'::regnamespace and relkind = 'r' and relname <> 'alembic_version';
        execute format('lock table %s', everything);
        if is_large then
            execute format('truncate %s', everything);
        else
            set local session_replication_role = replica;  -- in any order, whatever refers to what
            for one in select unnest(string_to_array(everything, ', ')) as name loop
                execute format('delete from %s', one.name);
            end loop;
        end if;
        perform setval(format('%I', sequencename)::regclass, start_value, false) from pg_sequences
            where schemaname = 'public';
    end $$
"""


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """An empty folder directly under the temporary one: a short path, which an account without rights can reach."""
    folder = Path(tempfile.mkdtemp(prefix="trialbook-test-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a running server's first, empty database. Each process of a parallel run has its own server."""
    folder = Path(tempfile.mkdtemp(prefix="trialbook-test-"))
    server = EmbeddedPostgres(folder)
    try:
        yield server.start()
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def execute(postgres_url: str) -> Callable[..., None]:
    """Runs SQL statements, each in a transaction of its own, on the server's first database or on another one."""

    async def run(statements: tuple[str, ...], database: str | None) -> None:
        url = make_url(postgres_url).set(drivername="postgresql")
        url = url.set(database=database) if database else url
        connection = await asyncpg.connect(url.render_as_string(hide_password=False))
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    return lambda *statements, database=None: asyncio.run(run(statements, database))


@pytest.fixture(scope="session")
def make_database(postgres_url: str, execute: Callable[..., None]) -> Callable[[], str]:
    """Makes a fresh migrated database at each call and answers its URL; all go with the server."""
    from service.store.migrating import migrate

    numbers = itertools.count(1)
    execute(f"create database {TEMPLATE}")
    migrate(_at(postgres_url, TEMPLATE))

    def make() -> str:
        name = f"test_{next(numbers)}"
        execute(f"create database {name} template {TEMPLATE} strategy file_copy")  # half the time of the default
        execute(f"alter database {name} set synchronous_commit = off")  # nobody cuts this server's power
        return _at(postgres_url, name)

    return make


@pytest.fixture(scope="session")
def spare() -> list[str]:
    """URLs of databases that were emptied after a test: making one takes ten times as long."""
    return []


@pytest.fixture
def database_url(make_database: Callable[[], str], execute: Callable[..., None], spare: list[str]) -> Iterator[str]:
    """The URL of a migrated, empty database that is this test's alone."""
    url = spare.pop() if spare else make_database()
    yield url
    execute(ALONE, EMPTY, database=make_url(url).database)
    spare.append(url)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium; without one the tests that ask for it are skipped, and the summary says so."""
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        if path := shutil.which(name):
            return path
    pytest.skip("there is no Chromium here: make setup-browser")


def _at(url: str, database: str) -> str:
    return make_url(url).set(database=database).render_as_string(hide_password=False)
