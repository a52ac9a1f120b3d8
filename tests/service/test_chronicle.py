"""A study's log: what happened in words, the newest first, page by page, nothing lost between pages."""

import asyncio

from service.store import past
from tests.service.calls import expire, finish, lease, report, settle, submit

LOG = "/api/v1/studies/study/log"


async def texts(client, **asked):
    await settle(client)
    found, cursor = [], {}
    while True:
        answer = await client.get(LOG, params={**asked, **cursor})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += [one["text"] for one in page["items"]]
        if page["next_cursor"] is None:
            return found
        cursor = {"cursor": page["next_cursor"]}


async def live(client):
    """A study with one of each: a lost worker, a result, a failure, a pause."""
    await submit(client, trial={"max_attempts": 2})
    await lease(client, worker="lab-1")
    await expire(client)
    again = await lease(client, worker="lab-2")
    await report(client, again, 0.5, 0.25)
    await finish(client, again, value=0.25)
    await finish(client, await lease(client, worker="lab-2"), state="failed", error="no", retry=False)
    await client.post("/api/v1/studies/study/pause")


def test_each_change_is_a_sentence_and_the_newest_comes_first(serve):
    async def check():
        async with serve() as client:
            await live(client)
            assert await texts(client, kind=["study", "trial"]) == [
                "The study is paused by a user.",
                "Trial 1 failed: no.",
                "Trial 1 runs on lab-2.",
                "Trial 0 is complete with loss 0.25.",
                "Trial 0 runs on lab-2, attempt 2.",
                "Trial 0 runs on lab-1.",
                "The study is running.",
            ]
            assert await texts(client, kind="report") == ["Trial 0 reported steps 0 to 1."]
            assert await texts(client, trial=1) == ["Trial 1 failed: no.", "Trial 1 runs on lab-2."]

    asyncio.run(check())


def test_pages_of_any_size_tell_everything_once_however_few_events_a_page_looks_at(serve, monkeypatch):
    async def check():
        async with serve() as client:
            await live(client)
            whole = await texts(client)
            assert len(whole) == len(set(whole)) == 8
            for scanned in (1, 2, 3, 8, 100):
                monkeypatch.setattr(past, "SCANNED", scanned)
                for limit in (1, 2, 3, 8, 9):
                    assert await texts(client, limit=limit) == whole
                    assert await texts(client, limit=limit, kind="study") == [whole[0], whole[-1]]

    asyncio.run(check())


def test_what_is_no_kind_trial_or_cursor_is_told(serve):
    async def check():
        async with serve() as client:
            await submit(client)
            for asked in ({"kind": "odd"}, {"trial": -1}, {"cursor": "forged"}):
                assert (await client.get(LOG, params=asked)).status_code == 422

    asyncio.run(check())
