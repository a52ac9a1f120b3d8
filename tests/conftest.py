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
def execute(postgres_url: str) -> Callable[[str], None]:
    """Runs one SQL statement outside of a transaction, on the server's first database."""
    dsn = make_url(postgres_url).set(drivername="postgresql").render_as_string(hide_password=False)

    async def run(statement: str) -> None:
        connection = await asyncpg.connect(dsn)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    return lambda statement: asyncio.run(run(statement))


@pytest.fixture(scope="session")
def make_database(postgres_url: str, execute: Callable[[str], None]) -> Callable[[], str]:
    """Makes a fresh migrated database at each call and answers its URL; all go at the end."""
    from service.store.migrating import migrate

    numbers = itertools.count(1)
    execute(f"create database {TEMPLATE}")
    migrate(_at(postgres_url, TEMPLATE))

    def make() -> str:
        name = f"test_{next(numbers)}"
        execute(f"create database {name} template {TEMPLATE} strategy file_copy")  # half the time of the default
        return _at(postgres_url, name)

    return make


@pytest.fixture
def database_url(make_database: Callable[[], str], execute: Callable[[str], None]) -> Iterator[str]:
    """The URL of a migrated database of this test's own, dropped after it."""
    url = make_database()
    yield url
    execute(f"drop database {make_url(url).database} with (force)")


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium; without one the tests that ask for it are skipped, and the summary says so."""
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        if path := shutil.which(name):
            return path
    pytest.skip("there is no Chromium here: make setup-browser")


def _at(url: str, database: str) -> str:
    return make_url(url).set(database=database).render_as_string(hide_password=False)
