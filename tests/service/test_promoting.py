"""Pause and promote over HTTP: who waits at a rung, who goes on from it, and how a study with paused trials ends."""

import asyncio
import hashlib
import random
from typing import Any

import pytest
from sqlalchemy import text

from service.app import tick
from service.fits import Fitters
from service.replaying import replay
from tests.service.calls import expire, finish, lease, report, submit

HALVING = {"name": "asha", "min_resource": 1, "max_resource": 4, "reduction_factor": 2, "promote": True}


async def halve(client, **changes):
    """Submit a study whose trials are judged at steps 0 and 1, by halves."""
    await submit(client, **{"pruner": HALVING, "sampler": {"name": "random"}, "budget": {"n_trials": 9}, **changes})


async def ask(client, **changes):
    return await lease(client, can_pause=True, **changes)


async def decide(client, one, loss, step=0):
    return (await report(client, one, loss, first=step)).json()["decision"]


async def pause(client, one):
    return await client.post(f"/api/v1/leases/{one['lease']}/finish", json={"state": "paused"})


async def keep(client, one):
    path, digest = f"/api/v1/leases/{one['lease']}/artifacts/checkpoint", hashlib.sha256(b"foo").hexdigest()
    stored = await client.put(path, params={"sha256": digest, "step": 0}, content=b"foo")
    assert stored.status_code == 200


async def come_to(client, loss, step=0):
    """A trial that is paused at this step with this loss."""
    one = await ask(client)
    assert await decide(client, one, loss, step) == "pause"
    assert (await pause(client, one)).status_code == 200
    return one


async def states(client) -> list[str]:
    items = (await client.get("/api/v1/studies/study/trials")).json()["items"]
    return [one["state"] for one in items]


async def trial(client, number: int) -> Any:
    return (await client.get(f"/api/v1/studies/study/trials/{number}")).json()


async def replayed(client):
    async with Fitters() as fits:
        return await replay(client.app.state.context.db, fits, "study")


def test_lease_tells_the_steps_after_which_its_trial_may_have_to_pause(serve):
    async def check():
        async with serve() as client:
            await halve(client)
            assert (await ask(client))["rungs"] == [0, 1]
            assert (await lease(client))["rungs"] is None

    asyncio.run(check())


def test_paused_trial_gives_its_worker_back_and_goes_on_once_a_worse_one_came(serve):
    async def check():
        async with serve() as client:
            await halve(client)
            first = await come_to(client, 0.3)
            paused = await trial(client, 0)
            assert (paused["state"], paused["value"], paused["finished_at"]) == ("paused", 0.3, None)
            await come_to(client, 0.5)
            assert await states(client) == ["waiting", "paused"]
            again = await ask(client)
            assert (again["number"], again["attempt"]) == (first["number"], 2)
            assert (await trial(client, 0))["value"] is None
            assert await decide(client, again, 0.2, 1) == "pause", "it is alone at the next rung"

    asyncio.run(check())


def test_trial_that_is_among_the_best_as_it_comes_goes_on_at_once(serve):
    async def check():
        async with serve() as client:
            await halve(client)
            await come_to(client, 0.5)
            one = await ask(client)
            assert await decide(client, one, 0.3) == "continue"
            assert (await client.get("/api/v1/studies/study")).json()["counts"]["paused"] == 1

    asyncio.run(check())


def test_of_equal_trials_the_first_goes_on_and_no_more_than_the_share(serve):
    async def check():
        async with serve() as client:
            await halve(client)
            for _ in range(5):
                one = await ask(client)
                if one["attempt"] == 1:
                    assert await decide(client, one, 0.5) == "pause"
                    await pause(client, one)
            assert (await states(client)).count("paused") == 2, "two of four went on"
            assert [(await trial(client, n))["attempt"] for n in (0, 1)] == [2, 1]

    asyncio.run(check())


def test_diverged_trial_is_pruned_for_good(serve):
    async def check():
        async with serve() as client:
            await halve(client)
            assert await decide(client, await ask(client), "nan") == "prune"

    asyncio.run(check())


def test_worker_that_cannot_pause_is_judged_by_the_rule_that_stops(serve):
    async def check():
        async with serve() as client:
            await halve(client)
            assert await decide(client, await lease(client), 0.5) == "continue", "as the first that came"
            one = await lease(client)
            assert await decide(client, one, 0.7) == "prune"
            refused = await pause(client, one)
            assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/state")

    asyncio.run(check())


def test_pause_may_be_repeated_and_is_refused_once_another_has_the_trial(serve):
    async def check():
        async with serve() as client:
            await halve(client)
            one = await ask(client)
            assert await decide(client, one, 0.3) == "pause"
            assert await decide(client, one, 0.3) == "pause"
            first = await pause(client, one)
            assert (await pause(client, one)).content == first.content
            assert await decide(client, one, 0.3) == "pause"
            await come_to(client, 0.5)
            assert (await pause(client, one)).content == first.content, "it waits, and nobody has it yet"
            assert await decide(client, one, 0.3) == "pause"
            other = await finish(client, one, value=1)
            assert (other.status_code, other.json()["code"]) == (409, "already-finished")
            assert (await ask(client))["attempt"] == 2
            assert (await pause(client, one)).content == first.content
            late = await report(client, one, 0.3)
            assert (late.status_code, late.json()["code"]) == (409, "lease-lost")

    asyncio.run(check())


def test_promoted_trial_goes_on_from_its_checkpoint_and_is_not_judged_there_again(serve):
    async def check():
        async with serve() as client:
            await halve(client)
            for saves in (True, False):
                one = await ask(client)
                await decide(client, one, 0.3)
                if saves:
                    await keep(client, one)
                await pause(client, one)
            again = await ask(client)
            assert (again["number"], again["resume_step"]) == (0, 0)
            await come_to(client, 0.4)
            await come_to(client, 0.4)
            anew = await ask(client)
            assert (anew["number"], anew["resume_step"]) == (1, None)
            assert await decide(client, anew, 0.9) == "continue", "it comes there again, and passes"
            again = await replayed(client)
            assert again.differences == ()

    asyncio.run(check())


def test_study_ends_when_all_is_made_and_nobody_is_to_go_on(serve):
    async def check():
        async with serve() as client:
            await halve(client, budget={"n_trials": 3})
            for loss in (0.3, 0.5, 0.7):
                one = await ask(client)
                while one["attempt"] > 1:
                    assert (await report(client, one, 0.3, 0.1)).json()["decision"] == "pause"
                    await pause(client, one)
                    one = await ask(client)
                assert await decide(client, one, loss) == "pause"
                await pause(client, one)
            study = (await client.get("/api/v1/studies/study")).json()
            assert (study["state"], study["counts"]["pruned"]) == ("completed", 3)
            last = await trial(client, 2)
            assert "0.3 is needed" in last["reason"]
            assert (last["value"], last["finished_at"] is None) == (0.7, False)

    asyncio.run(check())


def test_promotion_that_was_missed_is_made_before_the_study_may_end(serve):
    async def check():
        async with serve() as client:
            await halve(client, budget={"n_trials": 2})
            await come_to(client, 0.3)
            other = await ask(client)
            assert await decide(client, other, 0.5) == "pause"
            db = client.app.state.context.db  # as if the server had been killed before it looked
            await db.run(text("update trials set state = 'paused', score = 0.3, value = 0.3 where number = 0"))
            await pause(client, other)
            assert await states(client) == ["waiting", "paused"]

    asyncio.run(check())


@pytest.mark.parametrize(
    "end, state", [("cancel", "cancelled"), ("target", "pruned"), ("epochs", "pruned"), ("time", "pruned")]
)
def test_paused_trials_are_pruned_with_a_study_that_completes_and_cancelled_by_a_user(serve, end, state):
    async def check():
        async with serve() as client:
            budget = {"target": {"target_value": 0.1}, "epochs": {"max_epochs": 2}, "time": {"timeout": 0.3}}
            await halve(client, budget=budget.get(end, {}))
            await come_to(client, 0.3)
            if end == "cancel":
                await client.post("/api/v1/studies/study/cancel")
            elif end == "target":
                await finish(client, await ask(client), value=0.05)
            elif end == "epochs":
                await decide(client, await ask(client), 0.9)
            async with asyncio.timeout(20):
                while (await client.get("/api/v1/studies/study")).json()["state"] == "running":
                    await client.app.state.context.bell.wait(0.05)
            found = await trial(client, 0)
            assert (found["state"], found["value"]) == (state, 0.3 if state == "pruned" else None)

    asyncio.run(check())


def test_paused_trial_can_be_cancelled_alone_and_counts_for_no_ones_patience(serve):
    async def check():
        async with serve() as client:
            await halve(client, budget={"patience": 1})
            await come_to(client, 0.3)
            assert (await client.get("/api/v1/studies/study")).json()["idle"] == 0
            cancelled = await client.post("/api/v1/studies/study/trials/0/cancel")
            assert cancelled.json()["state"] == "cancelled"
            await come_to(client, 0.5)
            assert await states(client) == ["cancelled", "paused"]

    asyncio.run(check())


def test_lost_worker_of_a_promoted_trial_is_followed_by_another(serve):
    async def check():
        async with serve() as client:
            await halve(client)
            await come_to(client, 0.3)
            await come_to(client, 0.5)
            lost = await ask(client)
            await expire(client)
            again = await ask(client)
            assert (again["number"], again["attempt"]) == (lost["number"], 3)
            assert await decide(client, again, 0.9) == "continue"

    asyncio.run(check())


@pytest.mark.parametrize("keeps", [True, False])
def test_trial_whose_worker_was_lost_after_the_decision_is_paused_all_the_same(serve, keeps):
    async def check():
        async with serve() as client:
            await halve(client, trial={"max_attempts": 1})
            lost = await ask(client)
            assert await decide(client, lost, 0.3) == "pause"
            if keeps:
                await keep(client, lost)
            await expire(client)
            assert (await ask(client))["number"] == 1, "the lost one waits for its turn"
            await tick(client.app.state.context)
            paused = await trial(client, 0)
            assert (paused["state"], paused["value"], paused["attempts"][0]["outcome"]) == ("paused", 0.3, "expired")
            assert "1 trial came so far" in paused["reason"]
            late = await pause(client, lost)
            assert (late.status_code, late.json()["code"]) == (409, "lease-lost")
            await come_to(client, 0.5)
            again = await ask(client)
            assert (again["number"], again["attempt"], again["resume_step"]) == (0, 2, 0 if keeps else None)
            assert await decide(client, again, 0.2, 1) == "pause", "it is alone at the next rung"
            assert (await replayed(client)).differences == ()

    asyncio.run(check())


async def work(client, worker):
    """Run trials until the study ends; without a checkpoint each begins anew, and comes out the same."""
    while (one := await ask(client, worker=worker, wait_seconds=20)) is not None:
        chance = random.Random(one["number"])
        for step in range(4):
            decision = await decide(client, one, one["params"]["x"] + chance.random() / 4, step)
            if decision == "pause":
                await pause(client, one)
                break
        else:
            await finish(client, one, value=one["params"]["x"])


@pytest.mark.parametrize("sampler", ["random", pytest.param("tpe", marks=pytest.mark.slow)])
def test_many_workers_finish_such_a_study_and_each_decision_is_made_again(serve, sampler):
    async def check():
        async with serve() as client:
            suggester = asyncio.create_task(_suggest(client))
            await halve(client, sampler={"name": sampler, "seed": 3}, budget={"n_trials": 24})
            await asyncio.gather(*(work(client, f"w{i}") for i in range(4)))
            suggester.cancel()
            await asyncio.gather(suggester, return_exceptions=True)
            study = (await client.get("/api/v1/studies/study")).json()
            counts = study["counts"]
            assert (study["state"], counts["complete"] + counts["pruned"]) == ("completed", 24)
            assert 0 < counts["complete"] < 24
            found = await replayed(client)
            assert (found.suggestions, found.differences, found.untold) == (24, (), 0)
            assert found.prunings > 24

    asyncio.run(check())


async def _suggest(client):
    from service.suggester import suggest_for_ever

    async with Fitters() as fits:
        await suggest_for_ever(client.app.state.context.db, fits)
