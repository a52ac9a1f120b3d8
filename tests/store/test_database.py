"""The pool: it takes the URLs that operators give, heals by itself, and tells passing faults from mistakes."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from service import problems
from service.settings import as_asyncpg
from service.store.database import Database, dsn_of
from service.store.faults import FAULTS, DatabaseAway


@pytest.mark.parametrize(
    ("given", "dsn"),
    [
        ("postgresql://h/db?sslmode=require", "postgresql://h/db?sslmode=require"),
        ("postgres://u:p%40ss@h:5433/db", "postgresql://u:p%40ss@h:5433/db"),
    ],
)
def test_an_operators_url_reaches_the_driver_as_it_was_given(given, dsn):
    assert dsn_of(as_asyncpg(given)) == dsn


def test_a_url_that_speaks_of_ssl_connects(database_url):
    async def ask():
        database = Database(f"{database_url}&ssl=disable")
        try:
            return await database.run(text("select cast(:x as int) + cast(:x as int) as twice"), {"x": 21})
        finally:
            await database.close()

    [row] = asyncio.run(ask())
    assert row["twice"] == 42


def ask(url, *questions):
    """The errors of questions that are asked one after another on one pool of a single connection; None where fine."""

    async def each():
        database = Database(url, pool_size=1)
        try:
            return [await _failure(database, question) for question in questions]
        finally:
            await database.close()

    return asyncio.run(each())


async def _failure(database, question):
    try:
        await database.run(text(question[0]), question[1] if len(question) > 1 else None)
    except FAULTS as error:
        return error


RAISE = "do $$ begin raise exception 'of the kind %' using errcode = '%'; end $$"
STATUS = {
    "08006 connection_failure": 503,
    "40001 serialization_failure": 503,
    "40P01 deadlock_detected": 503,
    "53100 disk_full": 507,
    "53200 out_of_memory": 503,
    "53300 too_many_connections": 503,
    "55P03 lock_not_available": 503,
    "57014 query_canceled": 503,
    "57P01 admin_shutdown": 503,
    "57P02 crash_shutdown": 503,
    "57P03 cannot_connect_now": 503,
    "57P05 idle_session_timeout": 503,
    "25006 read_only_sql_transaction": 503,
    "25P03 idle_in_transaction_session_timeout": 503,
    "25P04 transaction_timeout": 503,
    "28000 invalid_authorization_specification": 503,
    "3D000 invalid_catalog_name": 503,
    "58030 io_error": 503,
    "0A000 cached plan must not change result type": 503,
    "22003 numeric_value_out_of_range": 500,
    "23505 unique_violation": 500,
    "42P01 undefined_table": 500,
}


def test_what_passes_by_itself_is_503_a_full_disk_507_and_a_mistake_of_ours_500(postgres_url):
    raised = ask(postgres_url, *[(RAISE.replace("%", kind[:5]),) for kind in STATUS])
    assert {kind: problems.from_database(error).status for kind, error in zip(STATUS, raised, strict=True)} == STATUS


def test_a_value_that_the_driver_cannot_send_is_a_mistake_of_ours(postgres_url):
    [error] = ask(postgres_url, ("select cast(:x as int)", {"x": 2**40}))
    assert problems.from_database(error).status == 500


def test_a_statement_that_takes_too_long_passes_and_its_connection_serves_on(postgres_url):
    slow, after = ask(
        postgres_url, ("select set_config('statement_timeout', '50', false), pg_sleep(0.2)",), ("select pg_sleep(9)",)
    )
    assert (slow, problems.from_database(after).status) == (None, 503)


@pytest.mark.parametrize("where", ["/nowhere", "127.0.0.1"])  # neither has anybody listening, as in a restart
def test_a_database_that_is_away_passes(where):
    [error] = ask(f"postgresql+asyncpg://u@/db?host={where}&port=1", ("select 1",))
    assert isinstance(error, DatabaseAway)
    assert problems.from_database(error).status == 503


def test_a_pool_in_use_makes_wait_and_then_passes(postgres_url, monkeypatch):
    monkeypatch.setattr("service.store.database.PATIENCE", 0.1)

    async def check():
        database = Database(postgres_url, pool_size=1)
        try:
            async with database.begin() as held:
                await held.run(text("select 1"))
                error = await _failure(database, ("select 2",))
            return error, await _failure(database, ("select 3",))
        finally:
            await database.close()

    error, later = asyncio.run(check())
    assert problems.from_database(error).status == 503
    assert later is None


def test_a_database_that_only_reads_passes_and_its_connections_are_not_kept(database_url, execute):
    name = make_url(database_url).database
    write = text("update server set beat_at = now()")

    async def check():
        database = Database(database_url, pool_size=1)
        try:
            execute_now = asyncio.to_thread
            await execute_now(execute, f"alter database {name} set default_transaction_read_only = on")
            error = await _failure(database, (write.text,))
            await execute_now(execute, f"alter database {name} reset default_transaction_read_only")
            return error, await _failure(database, (write.text,))
        finally:
            await database.close()

    error, later = asyncio.run(check())
    assert problems.from_database(error).status == 503
    assert later is None


def test_a_connection_that_the_server_ended_is_replaced(database_url):
    mine = "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()"
    ended, after = ask(database_url, (mine,), ("select 1",))
    assert problems.from_database(ended).status == 503
    assert after is None
