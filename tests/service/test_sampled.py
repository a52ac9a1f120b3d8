"""Figures of what was tried, over HTTP: bounded where a study is large, and saying so."""

import asyncio

import pytest

from service.sampled import SAMPLES
from tests.service.calls import submit

pytestmark = pytest.mark.slow

SPACE = {"x": {"type": "float", "low": 0.0, "high": 1.0}, "y": {"type": "int", "low": 1, "high": 9}}


async def filled(client, n):
    """A study of so many trials, every fifth one pruned; the value falls with the number."""
    await submit(client, space=SPACE)
    states = ["pruned" if i % 5 == 4 else "complete" for i in range(n)]
    trials = [
        {"params": {"x": (i * 0.618) % 1, "y": 1 + i % 9}, "state": state, "value": float(n - i)}
        for i, state in enumerate(states)
    ]
    for begin in range(0, n, 1000):
        some = {"trials": trials[begin : begin + 1000]}
        assert (await client.post("/api/v1/studies/study/trials", json=some)).status_code == 200


async def read(client, kind):
    answer = await client.get(f"/api/v1/studies/study/analysis/{kind}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_small_study_is_told_whole(serve):
    async def check():
        async with serve() as client:
            await filled(client, 30)
            for kind in ("parallel", "slice", "contour", "rank"):
                found = await read(client, kind)
                assert (len(found["items"]), found["total"], found["note"]) == (30, 30, "")

    asyncio.run(check())


def test_of_a_large_study_the_best_and_others_are_told(serve):
    n, how = 1200, SAMPLES["slice"]

    async def check():
        async with serve() as client:
            await filled(client, n)
            first, rank = await read(client, "slice"), await read(client, "rank")
            numbers = [item["number"] for item in first["items"]]
            best = [i for i in reversed(range(n)) if i % 5 != 4][: how.best]
            assert set(best) < set(numbers)
            assert len(set(numbers) & {item["number"] for item in rank["items"]}) > how.most / 2  # the sample stays
            assert (len(numbers), first["total"]) == (how.most, n)
            assert first["note"] == "made of 1,000 of 1,200 trials: the best 200, and others at random"

    asyncio.run(check())


def test_importance_is_made_in_another_process_from_complete_trials(serve):
    async def check():
        async with serve() as client:
            await filled(client, 40)
            found = await read(client, "importance?method=fanova")
            assert (found["complete"], found["total"]) == (32, 32)
            assert {item["name"] for item in found["items"]} == {"x", "y"}
            wrong = await client.get("/api/v1/studies/study/analysis/importance?method=guessing")
            assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/method")

    asyncio.run(check())


def test_a_pair_of_parameters_is_asked_for_by_name(serve):
    async def check():
        async with serve() as client:
            await filled(client, 10)
            found = await read(client, "contour?x=y&y=x")
            assert (found["x"]["name"], found["y"]["name"]) == ("y", "x")
            wrong = await client.get("/api/v1/studies/study/analysis/rank?x=nothing")
            assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/x")

    asyncio.run(check())


def test_the_distribution_knows_every_value(serve):
    async def check():
        async with serve() as client:
            await filled(client, 50)
            found = await read(client, "distribution")
            assert (found["complete"], len(found["items"]), len(found["pruned"])) == (40, 40, 10)
            assert found["items"][0] == {"value": 2.0, "share": 1 / 40}  # trial 49 was pruned

    asyncio.run(check())
