"""What time alone brings about: old events forgotten."""

import asyncio

from sqlalchemy import text

from service.app import tick
from tests.service.calls import lease, submit

AGE = text("update events set at = at - interval '8 days' where kind = 'study'")
COUNT = text("select kind, count(*) as n from events group by kind")


def test_events_of_more_than_seven_days_ago_are_forgotten_and_no_others(serve):
    async def check():
        async with serve() as client:
            context = client.app.state.context
            await submit(client)
            await lease(client)
            await context.db.run(AGE)
            await tick(context)
            assert [(row["kind"], row["n"]) for row in await context.db.run(COUNT)] == [("trial", 1)]

    asyncio.run(check())


def test_a_stream_whose_place_is_forgotten_begins_anew(serve):
    async def check():
        async with serve() as client:
            context = client.app.state.context
            await submit(client)
            await context.db.run(AGE)
            await tick(context)
            await lease(client)
            context.stopping = True  # a stream ends after its first words
            events = await client.get("/api/v1/studies/study/events", headers={"last-event-id": "1-1"})
            assert "event: reset" in events.text

    asyncio.run(check())
