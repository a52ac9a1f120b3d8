"""What time alone brings about: old events forgotten, outages forgiven."""

import asyncio

from sqlalchemy import text

from service import ids
from service.app import tick
from tests.service.calls import finish, lease, settle, submit

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
            place = f"1-1-{ids.mark(context.secret, 'events')}"
            events = await client.get("/api/v1/studies/study/events", headers={"last-event-id": place})
            assert "event: reset" in events.text

    asyncio.run(check())


def test_a_stream_goes_on_from_the_place_of_its_first_words(serve):
    async def check():
        async with serve() as client:
            context = client.app.state.context
            await submit(client)
            await settle(client)
            context.stopping = True  # a stream ends after its first words
            hello = await client.get("/api/v1/studies/study/events")
            place = hello.text.partition("id: ")[2].partition("\n")[0]
            await lease(client)
            again = await client.get("/api/v1/studies/study/events", headers={"last-event-id": place})
            assert again.text == "", "neither hello nor reset: the place is known"
            again = await client.get("/api/v1/studies/study/events", params={"since": place})
            assert again.text == "", "from a client that can send no header"
            largest = place.replace(place.split("-")[1], "9" * 19)
            assert (await client.get("/api/v1/studies/study/events", headers={"last-event-id": largest})).text == ""

    asyncio.run(check())


# As if the service had been away for three minutes until now: nothing was renewed, nothing ticked.
AWAY = (
    text("update server set beat_at = beat_at - interval '180 s'"),
    text("update trials set lease_until = lease_until - interval '180 s'"),
)


def test_an_outage_costs_no_live_worker_its_lease(serve):
    async def check():
        async with serve() as client:
            context = client.app.state.context
            await submit(client, budget={"n_trials": 1})
            one = await lease(client)
            for statement in AWAY:
                await context.db.run(statement)
            await tick(context)
            assert await lease(client, worker="other") is None
            assert (await finish(client, one, value=1)).status_code == 200

    asyncio.run(check())


def test_a_restarted_service_forgives_its_outage_before_it_serves(serve):
    async def check():
        async with serve() as client:
            await submit(client, budget={"n_trials": 1})
            one = await lease(client)
            for statement in AWAY:
                await client.app.state.context.db.run(statement)
        async with serve() as client:
            assert await lease(client, worker="other") is None
            assert (await finish(client, one, value=1)).status_code == 200

    asyncio.run(check())


def test_a_lease_that_expired_before_an_outage_stays_expired(serve):
    async def check():
        async with serve() as client:
            context = client.app.state.context
            await submit(client, budget={"n_trials": 1})
            await lease(client)
            await context.db.run(text("update server set beat_at = now() - interval '100 s'"))
            await context.db.run(text("update trials set lease_until = now() - interval '101 s'"))
            await tick(context)
            assert (await lease(client, worker="other"))["attempt"] == 2

    asyncio.run(check())
