"""The migrations' sum is the tables, and whatever interrupts them leaves one version or the next, whole."""

import asyncio
import itertools
import os
import subprocess
import sys
import threading
import time
import warnings

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from service.store.database import dsn_of
from service.store.migrating import UnknownSchema, latest_revision, migrate, standing
from service.store.tables import metadata
from service.store.transfer import clear
from tests.end_to_end.machines import COMMANDS, Server, eventually
from tests.service.calls import spec
from trialbook import Client

NEWER = "9999"
SET = "update alembic_version set version_num = $1"
WAITING = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
AT_WORK = "select count(*) from pg_stat_activity where datname = current_database() and application_name = 'trialbook'"


def differences(url):
    """What the database has otherwise than the code's tables say."""

    def compare(connection: Connection):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # SQLAlchemy does not know xid8
            return compare_metadata(MigrationContext.configure(connection), metadata)

    async def check():
        engine = create_async_engine(url)
        try:
            async with engine.connect() as connection:
                return await connection.run_sync(compare)
        finally:
            await engine.dispose()

    return asyncio.run(check())


class Session:
    """A session of another user's, which may hold locks in a transaction."""

    def __init__(self, url):
        self._loop = asyncio.new_event_loop()
        self._connection = self.run(asyncpg.connect(dsn_of(url)))

    def run(self, call):
        return self._loop.run_until_complete(call)

    def ask(self, sql, *values):
        return self.run(self._connection.fetchval(sql, *values))

    def close(self):
        self.run(self._connection.close())
        self._loop.close()


@pytest.fixture
def session(database_url):
    """A session on the test's database."""
    session = Session(database_url)
    yield session
    session.close()


@pytest.fixture
def onlooker(database_url):
    """Another session, outside of any transaction: inside one PostgreSQL shows the same activity again and again."""
    session = Session(database_url)
    yield session
    session.close()


@pytest.fixture
def command(database_url):
    """Starts `trialbook-server` with arguments on the test's database; killed at the end if it still runs."""
    started = []
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TRIALBOOK_")}

    def start(*arguments):
        program = [sys.executable, "-m", "service", *map(str, arguments), "--database-url", database_url]
        process = subprocess.Popen(program, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def older(url, revision):
    """Make the database one of an older version."""
    asyncio.run(clear(url))
    migrate(url, revision)


def test_all_migrations_together_make_the_tables_of_the_code(database_url):
    assert differences(database_url) == []


def test_migrating_twice_changes_nothing(database_url):
    migrate(database_url)
    migrate(database_url)
    assert differences(database_url) == []


@pytest.mark.slow
def test_migration_that_is_killed_in_the_middle_is_done_by_the_next(database_url, session, onlooker, command):
    older(database_url, "0002")
    session.ask("begin")
    session.ask("lock table artifacts in access share mode")  # the migration after the next one waits for it
    killed = command("migrate")
    eventually(lambda: onlooker.ask(WAITING), "the migration is in the middle")
    killed.kill()
    session.ask("rollback")
    assert session.ask("select version_num from alembic_version") == "0003"
    migrate(database_url)
    assert differences(database_url) == []
    assert session.ask("select version_num from alembic_version") == latest_revision()


@pytest.mark.slow
def test_of_two_migrations_at_once_the_second_waits_and_finds_it_done(database_url, session, onlooker, command):
    older(database_url, "0001")
    session.ask("begin")
    session.ask("lock table artifacts in access share mode")
    both = [command("migrate") for _ in range(2)]
    eventually(lambda: onlooker.ask(WAITING) == 2, "both wait, one of them for the other")
    session.ask("rollback")
    assert [process.wait(60) for process in both] == [0, 0]
    assert differences(database_url) == []


@pytest.mark.slow
def test_schema_of_a_newer_version_is_refused_by_every_command(database_url, session, command, data_dir):
    before = session.ask("select version_num from alembic_version")
    session.ask(SET, NEWER)
    try:
        backup = ("backup", data_dir / "backup.tar", "--data", data_dir)
        serve = ("serve", "--port", "0", "--data", data_dir)
        for process in [command(*one) for one in (serve, ("suggest",), ("migrate",), backup)]:
            _, said = process.communicate(timeout=60)
            assert process.returncode == 1, process.args
            assert said.count("\n") == 1, said
            assert "newer version of Trialbook" in said
        with pytest.raises(UnknownSchema):
            migrate(database_url)
        assert standing(database_url) == "newer"
        assert not (data_dir / "backup.tar").exists()
    finally:
        session.ask(SET, before)


@pytest.mark.slow
def test_suggester_waits_for_an_older_schema_and_then_works(database_url, session, command):
    older(database_url, "0001")
    suggester = command("suggest")
    assert "waiting-for-schema" in suggester.stderr.readline()
    assert session.ask("select version_num from alembic_version") == "0001", "a suggester changes no schema"
    migrate(database_url)
    eventually(lambda: session.ask(AT_WORK), "it works")
    assert suggester.poll() is None


@pytest.mark.slow
def test_upgrade_with_clients_at_work_loses_no_write(data_dir):
    """The real commands: the server stops, the schema is migrated, the server starts again; clients only retry."""
    n_trials, n_clients = 3000, 4
    server = Server(data_dir)
    server.client.create_study(spec(budget={"n_trials": n_trials}))
    finished, at, faults, stop = [], [], [], threading.Event()

    def work():
        try:
            with Client(server.url, server.token, deadline=60) as client:
                for trial in client.study("study").ask():
                    trial.report(0, loss=trial.params["x"])
                    trial.finish(trial.params["x"])
                    finished.append(trial.number)
                    at.append(time.monotonic())
                    if stop.is_set():
                        return
        except Exception as fault:  # told by the test
            faults.append(fault)

    workers = [threading.Thread(target=work) for _ in range(n_clients)]
    for worker in workers:
        worker.start()
    try:
        eventually(lambda: len(finished) >= 50, "clients are at work")
        server.stop()
        subprocess.run([COMMANDS / "trialbook-server", "migrate", "--data", data_dir], check=True, capture_output=True)
        server.start()
        after = len(finished)
        eventually(lambda: len(finished) >= min(after + 50, n_trials), "clients go on")
    finally:
        stop.set()
        for worker in workers:
            worker.join()
    assert faults == []
    assert len(finished) == len(set(finished)), "no trial was finished twice"
    kept = {one.number: one for one in server.client.list_trials("study", state="complete")}
    assert set(kept) == set(finished)
    assert {one.attempt for one in kept.values()} == {1}, "no lease was lost"
    print(f"the longest gap between two results: {max(b - a for a, b in itertools.pairwise(at)):.2f} s")
    server.stop()
