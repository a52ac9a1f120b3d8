"""Limits: studies a minute, bytes and numbers of files and data sets. What is refused leaves nothing behind."""

import asyncio
import hashlib

import httpx
import pytest
from sqlalchemy import text

from service.store import rates
from tests.service.calls import finish, lease, report, spec, submit

pytestmark = pytest.mark.anyio
CSV = {"content-type": "text/csv"}
TABLE = b"x,y\n" + b"".join(b"%d,%d\n" % (n, n % 2) for n in range(50))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def upload(client: httpx.AsyncClient, one: dict, name: str, content: bytes, **query) -> httpx.Response:
    asked = {"sha256": hashlib.sha256(content).hexdigest(), **query}
    return await client.put(f"/api/v1/leases/{one['lease']}/artifacts/{name}", content=content, params=asked)


def files(folder) -> int:
    """How many files are kept, whole or not."""
    return sum(1 for part in ("artifacts", "datasets", "incoming") for _ in (folder / part).iterdir())


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_an_owner_submits_so_many_studies_a_minute_and_other_owners_go_on(serve):
    async with serve(studies_per_minute=3) as client:
        made = await client.post("/api/v1/tokens", json={"role": "submitter", "owner": "ann"})
        ann = {"authorization": f"Bearer {made.json()['token']}"}
        answers = [await client.post("/api/v1/studies", json=spec(f"s{n}")) for n in range(5)]
        theirs = await client.post("/api/v1/studies", json=spec("hers"), headers=ann)
        db = client.app.state.context.db
        await db.run(text("update rates set since = since - interval '61 s'"))
        later = await client.post("/api/v1/studies", json=spec("later"))
    assert [answer.status_code for answer in answers] == [201, 201, 201, 429, 429]
    assert answers[-1].json()["code"] == "too-many-requests"
    assert 0 < int(answers[-1].headers["retry-after"]) <= 60
    assert (theirs.status_code, later.status_code) == (201, 201)


async def test_what_is_no_new_study_does_not_count(serve):
    async with serve(studies_per_minute=1) as client:
        wrong = await client.post("/api/v1/studies", json={**spec(), "space": {}})
        first = await client.post("/api/v1/studies", json=spec(), headers={"idempotency-key": "k"})
        again = await client.post("/api/v1/studies", json=spec(), headers={"idempotency-key": "k"})
        second = await client.post("/api/v1/studies", json=spec("other"))
    assert [one.status_code for one in (wrong, first, again, second)] == [422, 201, 201, 429]


async def test_of_many_at_once_exactly_as_many_count_as_may(serve):
    async with serve() as client:
        db = client.app.state.context.db
        waits = await asyncio.gather(*(rates.count(db, "k", most=7, window=60.0) for _ in range(30)))
    assert sum(wait == 0 for wait in waits) == 7


async def test_a_file_has_so_many_bytes_and_nothing_of_a_larger_one_is_kept(serve, tmp_path):
    async with serve(file_bytes=1000) as client:
        await submit(client)
        one = await lease(client)
        fits, larger = await upload(client, one, "a", b"x" * 1000), await upload(client, one, "b", b"x" * 1001)
        table = await client.put("/api/v1/datasets/t?target=y", content=TABLE * 10, headers=CSV)
    assert fits.status_code == 200
    assert refused(larger) == refused(table) == (413, "too-large")
    assert "1,000 bytes" in larger.json()["detail"]
    assert files(tmp_path) == 1


async def test_a_trial_keeps_so_many_files_and_bytes(serve, tmp_path):
    async with serve(trial_files=2, trial_bytes=1000) as client:
        await submit(client)
        one, other = await lease(client), await lease(client)
        assert (await upload(client, one, "a", b"x" * 600)).status_code == 200
        over = await upload(client, one, "b", b"x" * 401)
        replaced = await upload(client, one, "a", b"y" * 900)
        fits = await upload(client, one, "b", b"x" * 100)
        third = await upload(client, one, "c", b"")
        theirs = await upload(client, other, "a", b"x" * 1000)
        kept = await client.get("/api/v1/studies/study/trials/0/artifacts")
    assert refused(over) == refused(third) == (413, "over-quota")
    assert [one.status_code for one in (replaced, fits, theirs)] == [200, 200, 200]
    assert [(one["name"], one["size"]) for one in kept.json()["items"]] == [("a", 900), ("b", 100)]
    assert files(tmp_path) == 3


async def test_the_last_checkpoint_but_one_counts_too(serve):
    async with serve(trial_bytes=1000) as client:
        await submit(client)
        one = await lease(client)
        await report(client, one, 0.1, 0.2, 0.3)
        sizes = [
            (await upload(client, one, "checkpoint", bytes([step]) * size, step=step)).status_code
            for step, size in enumerate((500, 500, 501))
        ]
    assert sizes == [200, 200, 413]


async def test_uploads_at_one_instant_share_the_room_that_there_is(serve, tmp_path):
    async with serve(trial_bytes=1000) as client:
        await submit(client)
        one = await lease(client)
        answers = await asyncio.gather(*(upload(client, one, f"f{n}", b"x" * 300) for n in range(10)))
        used = await client.app.state.context.db.run(text("select sum(size)::int as n from artifacts"))
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [413] * 7
    assert used[0]["n"] == 900
    assert files(tmp_path) == 3


async def test_an_owner_keeps_so_many_bytes_over_all_studies_until_some_go(serve):
    async with serve(owner_bytes=1000) as client:
        await submit(client)
        await submit(client, name="second")
        first, second = await lease(client), await lease(client, study="second")
        answers = [await upload(client, first, "a", b"x" * 700), await upload(client, second, "a", b"x" * 400)]
        await finish(client, first, value=1.0)
        await client.delete("/api/v1/studies/study")
        after = await upload(client, second, "a", b"x" * 400)
    assert [answer.status_code for answer in answers] == [200, 413]
    assert answers[1].json()["code"] == "over-quota"
    assert after.status_code == 200


async def test_an_owner_keeps_so_many_data_sets_and_bytes_of_them(serve, tmp_path):
    def put(name: str, content: bytes, **headers):
        return client.put(f"/api/v1/datasets/{name}?target=y", content=content, headers={**CSV, **headers})

    async with serve(datasets=2, dataset_bytes=len(TABLE) * 2) as client:
        made = await client.post("/api/v1/tokens", json={"role": "submitter", "owner": "ann"})
        first = [await put("a", TABLE), await put("a", TABLE + b"1,0\n"), await put("b", TABLE), await put("b", TABLE)]
        full = await put("c", TABLE)
        hers = await put("c", TABLE, authorization=f"Bearer {made.json()['token']}")
        await client.delete("/api/v1/datasets/a")
        after = await put("d", TABLE)
    assert [one.status_code for one in first] == [200, 200, 413, 413]  # the second `a` left too little room
    assert hers.status_code == after.status_code == 200
    assert refused(first[-1]) == (413, "over-quota")
    assert full.status_code == 413
    assert not list((tmp_path / "incoming").iterdir())


async def test_nothing_is_counted_where_any_amount_may_be_kept(serve):
    off = dict.fromkeys(("file_bytes", "trial_files", "trial_bytes", "owner_bytes", "datasets", "dataset_bytes"), 0)
    async with serve(studies_per_minute=0, **off) as client:
        await submit(client)
        one = await lease(client)
        assert (await upload(client, one, "a", b"x" * 5000)).status_code == 200
        assert (await client.put("/api/v1/datasets/t?target=y", content=TABLE, headers=CSV)).status_code == 200
        counted = await client.app.state.context.db.run(text("select count(*) as n from rates"))
    assert counted[0]["n"] == 0
