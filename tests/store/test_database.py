"""The pool: it takes the URLs that operators give."""

import asyncio

import pytest
from sqlalchemy import text

from service.settings import as_asyncpg
from service.store.database import Database, dsn_of


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
