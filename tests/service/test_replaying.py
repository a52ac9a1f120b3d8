"""Suggestions and prune decisions come out the same when made again from what is stored."""

import asyncio
import random

import pytest
from sqlalchemy import text

from service.fits import Fitters
from service.replaying import replay
from service.suggester import suggest_for_ever
from tests.service.calls import finish, lease, report, submit

SPACE = {
    "x": {"type": "float", "low": 1e-3, "high": 1.0, "log": True},
    "n": {"type": "int", "low": 1, "high": 8},
    "kind": {"type": "categorical", "choices": ["a", "b", True]},
}
SAMPLERS = [
    {"name": "random", "seed": 3},
    {"name": "sobol", "seed": 3},
    pytest.param({"name": "gp", "n_startup_trials": 3, "seed": 3}, marks=pytest.mark.slow),
    pytest.param({"name": "gp_skopt", "n_startup_trials": 3, "seed": 3}, marks=pytest.mark.slow),
    pytest.param({"name": "tpe", "n_startup_trials": 3, "seed": 3}, marks=pytest.mark.slow),
    pytest.param({"name": "cmaes", "n_startup_trials": 3, "seed": 3}, marks=pytest.mark.slow),
]
PRUNERS = {
    "median": {"name": "median", "n_startup_trials": 2},
    "percentile": {"name": "percentile", "percentile": 25.0, "n_startup_trials": 2},
    "asha": {"name": "asha", "min_resource": 1, "reduction_factor": 2},
    "hyperband": {"name": "hyperband", "min_resource": 1, "max_resource": 8, "reduction_factor": 2},
    "threshold": {"name": "threshold", "upper": 1.2},
}


async def work(client, chance, worker):
    """Run trials until the study ends: each step's loss is chance, and now and then not a number."""
    while (one := await lease(client, worker=worker, wait_seconds=20)) is not None:
        for step in range(6):
            loss = "nan" if chance.random() < 0.03 else one["params"]["x"] + chance.random()
            if (await report(client, one, loss, first=step)).json()["decision"] == "prune":
                await finish(client, one, state="pruned", value=None)
                break
        else:
            await finish(client, one, value=one["params"]["x"] + chance.random())


async def run_study(client, workers, **changes):
    await submit(client, space=SPACE, **changes)
    chance = random.Random(7)
    async with Fitters() as fits:
        suggester = asyncio.create_task(suggest_for_ever(client.app.state.context.db, fits))
        try:
            await asyncio.gather(*[work(client, chance, f"w{n}") for n in range(workers)])
        finally:
            suggester.cancel()
            await asyncio.gather(suggester, return_exceptions=True)


async def replayed(client):
    async with Fitters() as fits:
        return await replay(client.app.state.context.db, fits, "study")


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda sampler: sampler["name"])
def test_each_suggestion_is_made_again_though_workers_finished_in_any_order(serve, sampler):
    async def check():
        async with serve() as client:
            await run_study(client, 4, sampler=sampler, budget={"n_trials": 10})
            again = await replayed(client)
            assert (again.suggestions, again.differences) == (10, ())

    asyncio.run(check())


@pytest.mark.parametrize("pruner", PRUNERS)
def test_each_prune_decision_is_made_again_from_what_was_compared(serve, pruner):
    async def check():
        async with serve() as client:
            await run_study(client, 4, pruner=PRUNERS[pruner], sampler={"name": "random"}, budget={"n_trials": 24})
            again = await replayed(client)
            pruned = (await client.get("/api/v1/studies/study")).json()["counts"]["pruned"]
            assert again.prunings > 24 > pruned > 0
            assert (again.differences, again.untold) == ((), 0)

    asyncio.run(check())


def test_what_was_tampered_with_is_told(serve):
    async def check():
        async with serve() as client:
            pruner = PRUNERS["asha"]
            await run_study(client, 1, pruner=pruner, sampler={"name": "random"}, budget={"n_trials": 6})
            db = client.app.state.context.db
            await db.run(text("""update trials set params = '{"x": 0.5, "n": 1, "kind": "a"}' where number = 2"""))
            await db.run(text("update reports set compared = -9 where compared is not null and step = 0"))
            again = await replayed(client)
            assert [one.number for one in again.differences if one.step is None] == [2]
            assert {one.step for one in again.differences if one.step is not None} == {0}

    asyncio.run(check())
