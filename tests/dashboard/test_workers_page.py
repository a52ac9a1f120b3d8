"""The page of workers: who is there and who is not, what each trains, and the command that starts one."""

import pytest
from sqlalchemy import text

from tests.dashboard.test_study_page import ESCAPED, HTML, as_role
from tests.service.calls import finish, lease, report, submit

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def pass_time(client, seconds: int) -> None:
    """Let everything that workers did lie so many seconds further back."""
    database = client.app.state.context.db
    ago = {"seconds": seconds}
    await database.run(text("update workers set last_seen = last_seen - make_interval(secs => :seconds)"), ago)
    await database.run(text("update trials set lease_until = lease_until - make_interval(secs => :seconds)"), ago)


async def states(client, **headers) -> dict[str, tuple[str, int]]:
    """Of each worker its state and how many trials are named."""
    found = (await client.get("/api/v1/workers", **headers)).json()["items"]
    return {one["name"]: (one["state"], len(one["running"])) for one in found}


async def test_without_workers_the_page_says_how_to_start_one(serve):
    async with serve() as client:
        page = (await client.get("/workers")).text
    assert "No worker has called yet" in page
    assert "trialbook-worker --url http://localhost --token" in page


async def test_a_worker_is_shown_with_the_trial_it_runs(serve):
    async with serve() as client:
        await submit(client)
        one = await lease(client, worker="lab-3", host="lab", version="1.2")
        page = (await client.get("/workers")).text
    assert "lab-3" in page
    assert "● working" in page
    assert f"/studies/study/trials/{one['number']}" in page
    assert "1.2" in page


async def test_a_worker_that_reports_is_not_silent_however_long_its_trial_takes(serve):
    async with serve() as client:
        await submit(client)
        one = await lease(client)
        await pass_time(client, 500)
        assert await states(client) == {"w": ("silent", 1)}
        await report(client, one, 1.0)
        assert await states(client) == {"w": ("working", 1)}


async def test_a_silent_workers_age_is_told_in_words(serve):
    async with serve() as client:
        await lease(client, study=None, trainers=["mlp"])
        await pass_time(client, 600)
        page = (await client.get("/workers")).text
    assert "✕ silent" in page
    assert "for 10 min" in page
    assert "1 silent" in page


async def test_a_silent_workers_trial_waits_for_another_worker(serve):
    async with serve() as client:
        await submit(client)
        await lease(client)
        await pass_time(client, 600)
        page = (await client.get("/workers")).text
    assert "until another worker takes over" in page


async def test_trials_of_somebody_elses_study_are_not_named(serve):
    async with serve() as client:
        await submit(client)
        await lease(client)
        stranger = await as_role(client, "viewer", "stranger")
        page = (await client.get("/workers", headers=stranger)).text
        named = await states(client, headers=stranger)
    assert named == {"w": ("working", 0)}
    assert "somebody else&#39;s trial" in page.replace("'", "&#39;")
    assert "/studies/study" not in page


async def test_a_worker_sees_no_page_of_workers(serve):
    async with serve() as client:
        worker = await as_role(client, "worker", "admin")
        assert (await client.get("/workers", headers=worker)).status_code == 403


async def test_what_workers_say_of_themselves_is_text(serve):
    async with serve() as client:
        await lease(client, worker=HTML, host=HTML, version=HTML, trainers=[f"m:{HTML}"], study=None)
        page = (await client.get("/workers")).text
    assert page.count(ESCAPED) >= 4
    assert HTML not in page


async def test_page_keeps_to_the_policy_of_the_application(serve):
    async with serve() as client:
        page = (await client.get("/workers")).text
    assert "style=" not in page
    assert "<script>" not in page


async def test_workers_silent_for_a_day_are_counted_and_no_longer_listed(serve):
    async with serve() as client:
        await lease(client, study=None, trainers=["mlp"], worker="long-gone")
        await pass_time(client, 90_000)
        page = (await client.get("/workers")).text
    assert "long-gone" not in page
    assert "1 silent for more than a day, not listed" in page


async def test_a_workers_pace_is_what_it_ended_of_late(serve):
    async with serve() as client:
        await submit(client)
        for _ in range(2):
            await finish(client, await lease(client, worker="quick"), value=0.5)
        one = await lease(client, worker="slow")
        found = {w["name"]: w for w in (await client.get("/api/v1/workers")).json()["items"]}
        assert found["quick"]["per_hour"] == pytest.approx(120)  # counted over a minute at least
        assert found["slow"]["per_hour"] == 0
        [running] = found["slow"]["running"]
        trial = (await client.get(f"/api/v1/studies/study/trials/{one['number']}")).json()
        assert running["since"][:19] == trial["attempts"][0]["started_at"][:19]
        database = client.app.state.context.db
        await database.run(text("update workers set first_seen = first_seen - interval '3 hours'"))
        await database.run(text("update attempts set ended_at = ended_at - interval '30 minutes'"))
        page = (await client.get("/workers")).text
        assert "2 an hour" in page
        await database.run(text("update attempts set ended_at = ended_at - interval '31 minutes'"))
        assert "an hour" not in (await client.get("/workers")).text.replace("the last hour", "")
