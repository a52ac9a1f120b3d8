"""What an operator sees: health, metrics, the log; what a crowd or a slow client does to others."""

import asyncio
import contextlib
import json
import logging
import re
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from service.events import stream
from service.logs import Lines
from service.store.database import Database, Full
from tests.service.calls import expire, finish, lease, report, settle, submit

pytestmark = pytest.mark.anyio
CSV = {"content-type": "text/csv"}
DOCS = Path(__file__).parent.parent.parent / "docs"


@pytest.fixture
def anyio_backend():
    return "asyncio"


async def metrics(client):
    """All samples as {(name, label values…): value}, and the names of the families."""
    client.app.state.health._counted_at = 0.0  # what was counted a moment ago is not told again
    answer = await client.get("/metrics")
    families = list(text_string_to_metric_families(answer.text))
    samples = {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}
    return samples, {family.name for family in families}


async def test_metrics_count_what_happens(serve):
    async with serve() as client:
        await submit(client, budget={"n_trials": 4})
        lost, kept = await lease(client), await lease(client)
        await expire(client)
        again = await lease(client)
        assert again["number"] == lost["number"]
        assert (await report(client, lost, 0.5)).json()["code"] == "lease-lost"
        await finish(client, kept, value=0.1)
        await finish(client, again, state="failed", error="no luck", retry=False)
        await lease(client)
        samples, _ = await metrics(client)
    told = {
        ("trialbook_leases_granted_total",): 4,
        ("trialbook_leases_expired_total",): 1,
        ("trialbook_stale_writes_refused_total",): 1,
        ("trialbook_trials_ended_total", "complete"): 1,
        ("trialbook_trials_ended_total", "failed"): 1,
        ("trialbook_trials", "running"): 1,
        ("trialbook_trials", "waiting"): 0,
        ("trialbook_studies", "running"): 1,
        ("trialbook_trial_wait_seconds_count",): 1,
        ("trialbook_lease_wait_seconds_count", "yes"): 4,
        ("trialbook_suggestion_seconds_count", "random"): 3,
        ("trialbook_suggestions_total", "random"): 3,
        ("trialbook_database_up",): 1,
        ("trialbook_database_waiting",): 0,
        ("trialbook_under_way", "polls"): 0,
    }
    assert {key: samples.get(key) for key in told} == told
    assert 1 <= samples["trialbook_trial_wait_seconds_sum",] < 10  # its lease was over for a second
    assert 0 <= samples["trialbook_tick_age_seconds",] < 10


async def test_long_poll_is_seen_under_way_and_its_wait_is_measured(serve):
    async with serve() as client:
        polling = asyncio.create_task(lease(client, study=None, wait_seconds=30))
        async with asyncio.timeout(20):
            while (await metrics(client))[0]["trialbook_under_way", "polls"] == 0:  # noqa: ASYNC110  # as Prometheus
                await asyncio.sleep(0)
        await submit(client)
        assert (await polling)["number"] == 0
        samples, _ = await metrics(client)
    assert samples["trialbook_under_way", "polls"] == 0
    assert samples["trialbook_lease_wait_seconds_sum", "yes"] > 0


async def test_unknown_addresses_and_methods_add_no_labels(serve):
    async with serve() as client:
        for number in range(3):
            await client.get(f"/nothing-{number}")
            await client.request(f"VERB{number}", "/healthz")
            await client.get(f"/api/v1/studies/none-{number}")
        samples, _ = await metrics(client)
    labels = {key[1:4] for key in samples if key[0] == "trialbook_request_seconds_count"}
    assert labels == {
        ("GET", "none", "404"),
        ("other", "/healthz", "405"),
        ("GET", "/api/v1/studies/{study}", "404"),
    }


async def test_docs_tell_each_metric(serve):
    async with serve() as client:
        _, names = await metrics(client)
    page = (DOCS / "deployment.md").read_text()
    told = set(re.findall(r"^\| `(trialbook_\w+)`", page, re.MULTILINE))
    assert told == {name for name in names if name.startswith("trialbook_")}


async def test_probes_answer_at_once_while_no_connection_is_free(serve):
    async with serve() as client, AsyncExitStack() as held:
        for _ in range(10):
            connection = await held.enter_async_context(client.app.state.context.db.begin())
            await connection.run(text("select 1"))
        async with asyncio.timeout(2):
            assert (await client.get("/healthz")).status_code == 200
            assert (await client.get("/readyz")).status_code == 200
            samples, _ = await metrics(client)
    assert samples["trialbook_database_connections_in_use",] == 10


async def test_not_ready_with_another_version_of_the_schema(serve):
    async with serve() as client:
        db = client.app.state.context.db
        version = (await db.run(text("select version_num from alembic_version")))[0]["version_num"]
        await db.run(text("update alembic_version set version_num = 'later'"))
        try:
            answer = await client.get("/readyz")
        finally:
            await db.run(text("update alembic_version set version_num = :version"), {"version": version})
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
        assert "schema" in answer.json()["detail"]
        assert (await client.get("/readyz")).status_code == 200


async def test_not_ready_when_nothing_can_be_stored(serve, tmp_path):
    async with serve() as client:
        (tmp_path / "incoming").rename(tmp_path / "elsewhere")
        answer = await client.get("/readyz")
        assert answer.status_code == 503
        assert "data folder" in answer.json()["detail"]
        assert (await client.get("/healthz")).status_code == 200


async def test_not_ready_while_stopping(serve):
    async with serve() as client:
        client.app.state.context.stopping = True
        answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["detail"]) == (503, "The server is stopping.")


@pytest.mark.parametrize(
    ("kind", "path"), [("requests", "/api/v1/studies"), ("streams", "/api/v1/studies/study/events")]
)
async def test_too_many_are_told_to_come_again(serve, kind, path):
    async with serve() as client:
        await submit(client)
        client.app.state.context.load.most[kind] = 0
        answer = await client.get(path)
        samples, _ = await metrics(client)
        assert (await client.get("/healthz")).status_code == 200
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert answer.headers["content-type"] == "application/problem+json"
    assert samples["trialbook_refused_for_load", kind] == 1


async def test_too_many_polls_are_told_to_come_again(serve):
    async with serve() as client:
        client.app.state.context.load.most["polls"] = 0
        body = {"request_id": "r", "worker": "w", "trainers": ["external"], "wait_seconds": 30}
        answer = await client.post("/api/v1/leases", json=body)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")


async def test_only_so_many_wait_for_a_connection(database_url):
    database = Database(database_url, pool_size=1, waiters=1)
    async with database.begin():
        waiting = asyncio.create_task(database.run(text("select 1")))
        while not database.waiting:  # noqa: ASYNC110  # the next turn of the loop
            await asyncio.sleep(0)
        with pytest.raises(Full):
            await database.run(text("select 1"))
    await waiting
    await database.close()


def logged(caplog):
    """The service's own lines of the log, as JSON."""
    own = [record for record in caplog.records if record.name == "trialbook"]
    return [json.loads(Lines(human=False).format(record)) for record in own]


async def test_log_tells_each_event_of_a_trial_with_its_ids(serve, caplog):
    caplog.set_level(logging.INFO, "trialbook")
    async with serve() as client:
        await submit(client, budget={"n_trials": 1})
        first = await lease(client, worker="a")
        await expire(client)
        second = await lease(client, worker="b")
        await finish(client, first, value=1.0)
        await finish(client, second, value=0.5)
    lines = logged(caplog)
    ids = {"study": "study", "number": 0}
    story = [{k: v for k, v in line.items() if k not in ("time", "level", "request")} for line in lines]
    assert story == [
        {"event": "study-created", "study": "study", "owner": "admin", "sampler": "random"},
        {"event": "lease-granted", **ids, "attempt": 1, "worker": "a"},
        {"event": "lease-expired", **ids, "attempt": 1},
        {"event": "lease-granted", **ids, "attempt": 2, "worker": "b"},
        {"event": "write-refused", **ids, "attempt": 1},
        {"event": "trial-ended", **ids, "attempt": 2, "worker": "b", "state": "complete", "value": 0.5},
        {
            "event": "study-ended",
            "study": "study",
            "state": "completed",
            "reason": "all trials of the budget are done",
            "cancelled": 0,
        },
    ]


async def test_traceback_is_in_the_log_alone_and_found_by_the_requests_id(serve, caplog):
    async with serve() as client:

        @client.app.get("/broken")
        async def broken():
            raise RuntimeError("a secret of ours")

        answer = await client.get("/broken")
    [line] = [line for line in logged(caplog) if line["event"] == "request-failed"]
    assert (answer.status_code, answer.json()["instance"]) == (500, line["request"])
    assert answer.headers["x-request-id"] == line["request"]
    assert "secret" not in answer.text
    assert "in broken" in line["traceback"]


async def test_requests_are_logged_at_debug_by_their_routes_without_ids_of_leases(serve, caplog):
    caplog.set_level(logging.DEBUG, "trialbook")
    async with serve() as client:
        await submit(client)
        one = await lease(client)
        await report(client, one, 0.5)
    lines = [line for line in logged(caplog) if line["event"] == "request"]
    assert {(line["route"], line["status"]) for line in lines} >= {("/api/v1/leases/{lease}/reports", "200")}
    assert one["lease"] not in json.dumps(logged(caplog))


async def test_refused_login_is_logged_without_what_was_sent(serve, caplog):
    async with serve() as client:
        answer = await client.post("/session", json={"token": "tb_wrong_0123456789012345678901234567890123"})
        samples, _ = await metrics(client)
    assert answer.status_code == 401
    assert samples["trialbook_logins_refused_total",] == 1
    [line] = [line for line in logged(caplog) if line["event"] == "login-refused"]
    assert (line["level"], line["by"]) == ("warning", "token")
    assert "0123456789" not in json.dumps(line)


async def slowly(*parts: bytes):
    """A body whose rest never comes."""
    for part in parts:
        yield part
    await asyncio.Event().wait()


async def test_body_that_does_not_come_is_given_up(serve):
    async with serve(body_seconds=0.2) as client:
        headers = {"content-type": "application/json"}
        answer = await client.post("/api/v1/studies", content=slowly(b'{"name": '), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (408, "request-timeout")
    assert answer.headers["connection"] == "close"


async def test_upload_that_stalls_is_given_up_and_leaves_nothing(serve, tmp_path):
    async with serve(body_seconds=0.2) as client:
        answer = await client.put("/api/v1/datasets/set?target=y", content=slowly(b"x,y\n", b"1,2\n"), headers=CSV)
    assert (answer.status_code, answer.json()["code"]) == (408, "request-timeout")
    assert list((tmp_path / "incoming").iterdir()) == []


async def test_slow_upload_that_goes_on_is_taken(serve):
    async def rows():
        yield b"x,y\n"
        for _ in range(4):
            await asyncio.sleep(0.15)  # all in all, longer than a body may stall
            yield b"1.0,2.0\n" * 4096

    async with serve(body_seconds=0.3) as client:
        answer = await client.put("/api/v1/datasets/set?target=y", content=rows(), headers=CSV)
    assert answer.status_code in (200, 201), answer.text


async def test_viewers_of_one_study_share_what_is_read(serve):
    async with serve() as client:
        await submit(client)
        await settle(client)
        context = client.app.state.context
        viewers = [stream(context, 1, None) for _ in range(20)]
        for viewer in viewers:
            assert b"event: hello" in await anext(viewer)
        one = await lease(client)
        told = [await anext(viewer) for viewer in viewers]
        assert one["number"] == 0
        assert len({id(part) for part in told}) == 1
        for viewer in viewers:
            with contextlib.suppress(StopAsyncIteration):
                await viewer.aclose()


async def test_figure_of_a_large_study_is_made_once_for_all_who_ask(serve):
    async with serve() as client:
        await submit(client, budget={"n_trials": 5000})
        db = client.app.state.context.db
        await db.run(
            text("""insert into trials (study_id, number, state, source, params, value, score)
                select 1, n, 'complete', 'sampler', '{"x": 0.5}', 0.5, 0.5 from generate_series(0, 1999) n""")
        )
        await db.run(text("update studies set made = 2000, counted = 2000"))
        asked = [client.get("/api/v1/studies/study/analysis/history") for _ in range(20)]
        answers = await asyncio.gather(*asked)
        assert {len(answer.json()["items"]) for answer in answers} == {2000}
        assert len(client.app.state.context.shared._made._values) == 1
