"""The users' own tables: checked when they come in, kept under a hash, shared to read and owned to change."""

import hashlib
import io
from random import Random

import numpy as np
import polars as pl
import pytest

from service.contents import NPZ, PARQUET, examine
from tests.service.calls import spec
from trialbook.errors import Invalid

pytestmark = pytest.mark.anyio
SEQUENCES = np.zeros((6, 4, 2))
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


def packed(**arrays) -> bytes:
    """Arrays as an NPZ file."""
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


async def put_arrays(client, content, **query):
    headers = {"content-type": "application/x-npz"}
    return await client.put("/api/v1/datasets/arrays", params=query, content=content, headers=headers)


@pytest.mark.parametrize(
    ("arrays", "query", "form", "task", "classes"),
    [
        ({"x": np.zeros((6, 1, 4, 5)), "y": np.arange(6) % 3}, {}, "image", "classification", 3),
        ({"x": SEQUENCES, "y": np.arange(6) / 7}, {}, "sequence", "regression", None),
        ({"x": SEQUENCES, "y": np.arange(24).reshape(6, 4) % 5 - 1}, {}, "sequence", "labelling", 4),
        (
            {"x": SEQUENCES, "y": np.arange(6) % 2, "lengths": np.full(6, 3)},
            {},
            "sequence",
            "classification",
            2,
        ),
        ({"x": np.zeros((6, 4)), "y": np.arange(6)}, {"task": "regression"}, "table", "regression", None),
    ],
)
async def test_arrays_are_told_of_by_their_form(serve, arrays, query, form, task, classes):
    async with serve() as client:
        made = (await put_arrays(client, packed(**arrays), **query)).json()
    assert (made["form"], made["task"], made["classes"], made["rows"]) == (form, task, classes, 6)
    assert tuple(made["shape"]) == arrays["x"].shape[1:]


@pytest.mark.parametrize(
    ("content", "query", "said"),
    [
        (b"no archive", {}, "could not be read as NPZ"),
        (packed(x=np.zeros((3, 2))), {}, "holds no array 'y'"),
        (packed(x=np.zeros(3), y=np.zeros(3)), {}, "x is (3,); it must be"),
        (packed(x=np.array([["a"], ["b"]]), y=np.arange(2)), {}, "which are no numbers"),
        (packed(x=np.array([[None], [1]], dtype=object), y=np.arange(2)), {}, "which are no numbers"),
        (packed(x=np.zeros((3, 2)), y=np.array([1, None, 2], dtype=object)), {}, "could not be read"),
        (packed(x=np.zeros((3, 2)), y=np.arange(4)), {}, "y is (4,), but"),
        (packed(x=np.zeros((3, 2)), y=np.zeros(3, dtype=int)), {}, "y has one class only"),
        (packed(x=np.zeros((3, 2)), y=np.array([0.5, 1, 2])), {"task": "classification"}, "fractions"),
        (packed(x=np.zeros((3, 2)), y=np.array([np.nan, 1, 2])), {}, "not finite"),
        (packed(x=np.zeros((3, 4, 2)), y=np.arange(3), lengths=np.array([1, 5, 2])), {}, "lengths must be from 1 to 4"),
        (packed(x=np.zeros((3, 2)), y=np.arange(3), lengths=np.ones(3, dtype=int)), {}, "lengths belong to sequences"),
        (packed(x=np.zeros((3, 2)), y=np.arange(3)), {"task": "language"}, "running text"),
        (packed(x=np.zeros((3, 2)), y=np.arange(3)), {"task": "guessing"}, "must be one of"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_mistake_in_arrays_is_named(serve, content, query, said):
    async with serve() as client:
        answer = await put_arrays(client, content, **query)
    assert answer.status_code == 422
    assert said in answer.json()["errors"][0]["message"]


async def test_archive_that_unpacks_to_too_much_is_refused_unread(serve):
    entries = packed(x=np.zeros((5, 2)), y=np.arange(5), z=np.arange(5)).split(b"PK\x01\x02")  # of its directory
    bomb = b"PK\x01\x02".join([entries[0], *(one[:20] + b"\xf0\xff\xff\xff" + one[24:] for one in entries[1:])])
    async with serve() as client:
        answer = await put_arrays(client, bomb)
    assert "unpacks to more than" in answer.json()["errors"][0]["message"]


@pytest.mark.parametrize(
    ("text", "said"), [(b"few words", "has 2 words"), (b"\xff" * 9, "is not UTF-8"), (b"a\0b\n", "NUL")]
)
async def test_text_is_counted_and_checked(serve, text, said):
    kind = {"content-type": "text/plain"}
    async with serve() as client:
        good = await client.put("/api/v1/datasets/book", content=b"one two three\n" * 800, headers=kind)
        bad = await client.put("/api/v1/datasets/bad", content=text, headers=kind)
    assert (good.json()["form"], good.json()["task"], good.json()["rows"]) == ("text", "language", 2400)
    assert said in bad.json()["errors"][0]["message"]


async def test_a_damaged_file_is_refused_and_ends_nobody(serve, tmp_path):
    file = tmp_path / "table.parquet"
    pl.DataFrame({"x": [1.0, 2.0, 3.0] * 10, "y": ["a", "b", None] * 10}).write_parquet(file)
    whole, arrays = file.read_bytes(), packed(x=np.zeros((20, 3)), y=np.arange(20) % 2)
    random = Random(1)
    damaged = [(PARQUET, whole[:half] + whole[half + 9 :]) for half in (8, len(whole) // 2)]
    for _ in range(60):
        bent = bytearray(arrays)
        for _ in range(5):
            bent[random.randrange(len(bent))] = random.randrange(256)
        damaged.append((NPZ, bytes(bent)))
    async with serve() as client:
        answers = [await put(client, content, kind=kind, target="y") for kind, content in damaged]
    assert {answer.status_code for answer in answers} <= {200, 422}
    assert [answer.status_code for answer in answers[:2]] == [422, 422]
    assert list((tmp_path / "incoming").iterdir()) == []


async def test_a_reader_that_ends_its_process_costs_one_upload(tmp_path):
    with pytest.raises(Invalid, match="could not be read"):
        await examine(tmp_path / "x", PARQUET, "y", None, boot="import os; os.abort()")
