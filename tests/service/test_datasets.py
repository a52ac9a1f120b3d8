"""The users' own tables: checked when they come in, kept under a hash, shared to read and owned to change."""

import hashlib

import polars as pl
import pytest

from tests.service.calls import spec

pytestmark = pytest.mark.anyio
TABLE = b"height,weight,kind\n1.5,60,a\n1.7,80,b\n1.6,,a\n"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def put(client, table=TABLE, name="people", kind="text/csv", token=None, **query):
    headers = {"content-type": kind} | ({"authorization": f"Bearer {token}"} if token else {})
    params = {"target": "kind", **query}
    return await client.put(f"/api/v1/datasets/{name}", params=params, content=table, headers=headers)


async def token_of(client, role, owner):
    return (await client.post("/api/v1/tokens", json={"role": role, "owner": owner})).json()["token"]


async def test_table_is_told_of_and_comes_back_as_it_was(serve):
    async with serve() as client:
        made = (await put(client)).json()
        back = await client.get("/api/v1/datasets/people")
    assert (made["rows"], made["columns"], made["classes"]) == (3, 2, 2)
    assert made["sha256"] == hashlib.sha256(TABLE).hexdigest()
    assert back.content == TABLE
    assert 'filename="people.csv"' in back.headers["content-disposition"]


async def test_parquet_is_read_too(serve, tmp_path):
    file = tmp_path / "table.parquet"
    pl.DataFrame({"x": [1.0, 2.0], "y": [0.5, 1.5]}).write_parquet(file)
    async with serve() as client:
        made = await put(
            client, file.read_bytes(), kind="application/vnd.apache.parquet", target="y", task="regression"
        )
    assert (made.json()["rows"], made.json()["task"]) == (2, "regression")


@pytest.mark.parametrize(
    ("table", "query", "said"),
    [
        (b"a,kind\n1,x\n2\n", {}, "row 3 has 1 fields"),
        (b"1,2\n3,4\n", {}, "row 1 must be a header"),
        (b"a,a\n1,2\n", {}, "row 1 must be a header"),
        (b"", {}, "is empty"),
        (b"a,kind\n", {}, "has no rows"),
        (b"a,b\n1,2\n", {}, "names no column; the columns are a, b"),
        (b"kind\nx\ny\n", {}, "is the only column"),
        (b"a,kind\n1,x\n2,x\n", {}, "one class only"),
        (b"a,kind\n1,\n2,\n", {}, "has no values at all"),
        (b"a,kind\n,x\n,y\n", {}, "column 'a' has no values at all"),
        (b"a,kind\n1,x\n2,y\n", {"task": "regression"}, "not a column of numbers"),
        (b"a,kind\n1,x\n2,y\n", {"task": "guessing"}, "must be one of"),
        (b"a,kind\n\xff\xfe,x\n", {}, "could not be read"),
        (b'a,kind\n"' + b"x" * 200_000 + b'",y\n', {}, "could not be read"),
    ],
)
async def test_mistake_in_a_table_is_named(serve, table, query, said):
    async with serve() as client:
        answer = await put(client, table, **query)
        kept = (await client.get("/api/v1/datasets")).json()["items"]
    assert answer.status_code == 422
    assert said in answer.json()["errors"][0]["message"]
    assert all(one["builtin"] for one in kept)


async def test_what_is_no_table_is_415(serve):
    async with serve() as client:
        assert (await put(client, kind="application/pdf")).status_code == 415


async def test_name_of_a_built_in_set_is_taken(serve):
    async with serve() as client:
        assert (await put(client, name="digits")).status_code == 409


async def test_only_the_owner_replaces_and_deletes_a_set(serve):
    async with serve() as client:
        ann, bob = await token_of(client, "submitter", "ann"), await token_of(client, "submitter", "bob")
        await put(client, token=ann)
        replaced = await put(client, TABLE + b"1.8,90,b\n", token=bob)
        as_bob = {"authorization": f"Bearer {bob}"}
        deleted = await client.delete("/api/v1/datasets/people", headers=as_bob)
        read = await client.get("/api/v1/datasets/people", headers=as_bob)
    assert (replaced.status_code, deleted.status_code) == (403, 404)
    assert read.content == TABLE


async def test_study_keeps_the_version_that_it_pinned(serve):
    objective = {"trainer": "mlp", "data": "people", "metric": "val_error"}
    space = {"learning_rate": {"type": "float", "low": 0.01, "high": 0.1}}
    async with serve() as client:
        pinned = (await put(client)).json()["sha256"]
        made = await client.post("/api/v1/studies", json=spec(objective=objective, space=space))
        await put(client, TABLE + b"1.8,90,b\n")
        old = await client.get("/api/v1/datasets/people", params={"sha256": pinned})
        new = await client.get("/api/v1/datasets/people")
    assert made.status_code == 201, made.text
    assert old.content == TABLE
    assert new.content == TABLE + b"1.8,90,b\n"


@pytest.mark.parametrize(
    ("values", "task"),
    [
        (["a", "b"], "classification"),
        (["0", "1", "2"], "classification"),
        (["0.5", "1.5"], "regression"),
        ([str(i) for i in range(21)], "regression"),
    ],
)
async def test_task_that_is_not_named_is_seen_from_the_target(serve, values, task):
    table = "x,kind\n" + "".join(f"{i},{value}\n" for i, value in enumerate(values))
    async with serve() as client:
        assert (await put(client, table.encode())).json()["task"] == task
