"""What large studies are drawn from: the trials that tell most, and the band of all, checked against plain Python."""

import asyncio
import random
import statistics

import pytest

from tests.service.calls import finish, lease, report, submit

BASE = "/api/v1/studies/study"


async def imported(client, values, states=None):
    """Trials with these values, from elsewhere."""
    for begin in range(0, len(values), 1000):
        part = values[begin : begin + 1000]
        trials = [
            {"params": {"x": 0.5}, "state": (states or {}).get(begin + i, "complete"), "value": value}
            for i, value in enumerate(part)
        ]
        answer = await client.post(f"{BASE}/trials", json={"trials": trials})
        assert answer.status_code == 200, answer.text


async def history(client, **query):
    return (await client.get(f"{BASE}/analysis/history", params=query)).json()


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_thinned_history_keeps_improvements_and_extremes_and_says_so(serve, direction):
    async def check():
        async with serve() as client:
            objective = {"trainer": "external", "metric": "loss", "direction": direction}
            await submit(client, objective=objective)
            rng = random.Random(4)
            values = [rng.gauss(0, 1) for _ in range(1200)]
            await imported(client, values, states={7: "pruned"})
            whole, thinned = await history(client), await history(client, most=100)
            sign = 1 if direction == "minimize" else -1
            oriented = [sign * value for value in values]
            oriented[7] = float("inf")  # pruned: no best one
            improved = {i for i, value in enumerate(oriented) if value < min(oriented[:i], default=float("inf"))}
            shown = {one["number"]: one for one in thinned["items"]}
            assert improved <= set(shown)
            assert {values.index(max(values)), values.index(min(values)), 1199} <= set(shown)
            assert len(shown) == 100 and thinned["total"] == len(whole["items"]) == 1200
            assert thinned["note"].startswith(
                f"showing 100 of 1,200 trials: every improvement of the best ({len(improved)})"
            )
            assert shown == {one["number"]: one for one in whole["items"] if one["number"] in shown}
            again = await history(client, most=100)
            assert again == thinned

    asyncio.run(check())


def test_history_of_few_trials_is_whole_and_a_stretch_can_be_asked_for(serve):
    async def check():
        async with serve() as client:
            await submit(client)
            await imported(client, [3.0, 1.0, 2.0, 0.5])
            whole = await history(client, most=20)
            assert (whole["note"], whole["items"]) == ("", (await history(client))["items"])
            part = await history(client, most=20, first=1, last=2)
            assert [(one["number"], one["value"]) for one in part["items"]] == [(1, 1.0), (2, 2.0)]

    asyncio.run(check())


def test_very_many_improvements_are_thinned_too(serve):
    async def check():
        async with serve() as client:
            await submit(client)
            await imported(client, [float(-i) for i in range(1000)])
            thinned = await history(client, most=40)
            assert len(thinned["items"]) <= 60
            assert thinned["items"][-1]["number"] == 999
            assert "of 1,000 improvements" in thinned["note"]

    asyncio.run(check())


async def trained(client, curves):
    """External trials with these losses by step, finished."""
    await submit(client, budget={"n_trials": len(curves)})
    for losses in curves:
        one = await lease(client)
        await report(client, one, *losses)
        await finish(client, one)


def test_curves_of_the_best_the_latest_and_some_at_random_are_counted_in_words(serve):
    async def check():
        async with serve() as client:
            await trained(client, [[value] for value in (5, 6, 1, 7, 2, 8, 9, 10, 11, 12)])  # best: trials 2 and 4
            asked = {"best": 2, "latest": 1, "random": 3}
            found = (await client.get(f"{BASE}/curves", params=asked)).json()
            numbers = [one["number"] for one in found["items"]]
            assert {2, 4, 9} <= set(numbers) and len(numbers) == 6
            assert found["note"] == "showing 6 of 10 curves: best 2, latest 1, 3 at random"
            assert (await client.get(f"{BASE}/curves", params=asked)).json() == found
            every = (await client.get(f"{BASE}/curves", params={"random": 200})).json()
            assert every["note"] == "showing all 10 curves"
            assert (await client.get(f"{BASE}/curves", params={"best": 201})).status_code == 422

    asyncio.run(check())


def test_a_curve_says_when_its_steps_came_and_why_it_was_stopped(serve):
    async def check():
        async with serve() as client:
            await submit(client, budget={"n_trials": 1}, pruner={"name": "threshold", "upper": 1.0})
            one = await lease(client)
            await report(client, one, 0.5, 2.0)
            await finish(client, one, state="pruned")
            [curve] = (await client.get(f"{BASE}/curves")).json()["items"]
            assert curve["state"] == "pruned" and "1" in curve["reason"]
            assert [later >= 0 for later in curve["seconds"]] == [True, True]

    asyncio.run(check())


def test_the_band_is_the_quantiles_of_all_trials_that_got_so_far(serve):
    async def check():
        async with serve() as client:
            curves = [[10.0 + i, 5.0 + i * i] for i in range(9)] + [[0.0], ["nan"]]
            await trained(client, curves)
            band = (await client.get(f"{BASE}/analysis/band", params={"metric": "loss"})).json()
            assert [(one["step"], one["trials"]) for one in band["items"]] == [(0, 10), (1, 9)]
            for place, values in zip(
                band["items"], ([0.0, *(c[0] for c in curves[:9])], [c[1] for c in curves[:9]]), strict=True
            ):
                deciles = statistics.quantiles(values, n=10, method="inclusive")
                assert [place["low"], place["median"], place["high"]] == pytest.approx(
                    [deciles[0], statistics.median(values), deciles[8]]
                )
            assert (band["trials"], band["sampled"]) == (11, 11)
            unknown = await client.get(f"{BASE}/analysis/band", params={"metric": "none"})
            assert unknown.status_code == 422

    asyncio.run(check())


def test_the_band_of_a_study_without_reports_is_empty(serve):
    async def check():
        async with serve() as client:
            await submit(client)
            band = (await client.get(f"{BASE}/analysis/band")).json()
            assert (band["metric"], band["items"], band["trials"]) == ("loss", [], 0)

    asyncio.run(check())


def test_a_report_wakes_those_who_follow_a_study_and_not_those_who_wait_for_work(serve):
    async def check():
        async with serve() as client:
            await submit(client, budget={"n_trials": 1})
            one = await lease(client)
            context = client.app.state.context
            woken = asyncio.create_task(context.news.wait(60))
            asleep = asyncio.create_task(context.bell.wait(60))
            await asyncio.sleep(0)  # both wait now
            await report(client, one, 0.5)
            await asyncio.wait_for(woken, 20)
            assert not asleep.done()
            asleep.cancel()

    asyncio.run(check())
