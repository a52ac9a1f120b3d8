"""Model-based suggestions, made ahead of demand: fresh enough, sequential for one worker, random when in need."""

import asyncio
import math

import pytest

from service.fits import FitFailed
from service.search import MODEL_BASED, Suggestion
from service.store.suggesting import Wish
from service.suggester import plan, suggest_once, target
from tests.service.calls import finish, lease, submit

DEPTH = {"type": "int", "low": 1, "high": 5}
GP = {"name": "gp", "n_startup_trials": 2}


class Counting:
    """Fits that answer with how much history they saw."""

    async def suggest(self, spec, history, numbers, timeout):
        x = len(history.finished) / 100
        return [Suggestion({"x": x}, {"sampler": "gp", "mode": "model"}) for _ in numbers]


class Failing:
    async def suggest(self, spec, history, numbers, timeout):
        raise FitFailed("planned")


async def run_startup(client):
    await submit(client, sampler=GP, budget={"n_trials": 10})
    for _ in range(2):
        await finish(client, await lease(client), value=1.0)


async def ask(client, fits, **asked):
    """Ask for a trial while the suggester works."""

    async def work():
        while True:
            await suggest_once(client.app.state.context.db, fits, "test")
            await asyncio.sleep(0)

    suggester = asyncio.create_task(work())
    found = await lease(client, wait_seconds=10, **asked)
    suggester.cancel()
    await asyncio.gather(suggester, return_exceptions=True)
    return found


@pytest.mark.parametrize("name", sorted(MODEL_BASED))
def test_a_models_search_begins_in_the_middle_and_then_spreads(serve, name):
    async def check():
        async with serve() as client:
            space = {"rate": {"type": "float", "low": 1e-4, "high": 1.0, "log": True}, "depth": DEPTH}
            sampler = {"name": name, "seed": 3, "n_startup_trials": 10}
            await submit(client, space=space, sampler=sampler, budget={"n_trials": 10})
            found = [(await lease(client, worker=f"w{i}"))["params"] for i in range(9)]
            assert found[0] == {"rate": pytest.approx(0.01), "depth": 3}
            eighths = {int(8 * (math.log10(one["rate"]) + 4) / 4) for one in found[1:]}
            assert len(eighths) >= 7  # all eight, but for the sequence's own first point, which the middle replaces

    asyncio.run(check())


def test_a_lone_workers_search_is_exactly_sequential(serve):
    async def check():
        async with serve() as client:
            await run_startup(client)
            for seen in range(2, 6):
                one = await ask(client, Counting())
                assert one["params"]["x"] == seen / 100
                await finish(client, one, value=1.0)

    asyncio.run(check())


def test_a_failing_sampler_is_replaced_by_random_and_says_so(serve):
    async def check():
        async with serve() as client:
            await run_startup(client)
            one = await ask(client, Failing())
            trial = (await client.get(f"/api/v1/studies/study/trials/{one['number']}")).json()
            assert (trial["explanation"]["mode"], trial["explanation"]["reason"]) == ("fallback", "planned")

    asyncio.run(check())


def test_a_suggestion_that_misses_too_much_is_not_handed_out(serve):
    async def check():
        async with serve() as client:
            await run_startup(client)
            first = await ask(client, Counting(), worker="a")
            await ask(client, Counting(), worker="b")  # two workers: suggestions are made ahead
            await suggest_once(client.app.state.context.db, Counting(), "test")
            await finish(client, first, value=1.0)
            other = await lease(client, worker="a")  # b is still at work, so one missing result is allowed
            await finish(client, other, value=1.0)
            assert await lease(client, worker="a") is None

    asyncio.run(check())


def test_a_random_point_that_stands_in_is_handed_out_whatever_it_misses(serve):
    async def check():
        async with serve() as client:
            await run_startup(client)
            first = await ask(client, Counting(), worker="a")
            await ask(client, Counting(), worker="b")
            await suggest_once(client.app.state.context.db, Failing(), "test")
            await finish(client, first, value=1.0)
            await finish(client, await lease(client, worker="a"), value=1.0)
            assert await lease(client, worker="a") is not None  # made anew, it would cost another fit that fails

    asyncio.run(check())


def test_a_worker_between_two_trials_is_still_on_the_study(serve):
    async def check():
        async with serve() as client:
            await run_startup(client)
            ran = [await ask(client, Counting(), worker=worker) for worker in "abc"]
            await suggest_once(client.app.state.context.db, Counting(), "test")
            for one in ran[:2]:
                await finish(client, one, value=1.0)
            assert await lease(client, worker="a") is not None  # two results are missing; b and c are the others

    asyncio.run(check())


def test_one_suggestion_is_planned_per_worker_within_the_budget():
    crowd = Wish(1, made=10, room=3, at_work=4, polling=2, waiting=1, stale=0)
    assert target(crowd) == 6
    assert plan(crowd, [9]) == [9, 10, 11, 12]


def test_nothing_is_made_ahead_for_a_lone_worker():
    assert target(Wish(1, made=10, room=3, at_work=1, polling=0, waiting=0, stale=0)) == 0
