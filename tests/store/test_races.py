"""Many clients at once on a real PostgreSQL: nothing is done twice, nothing is left out, numbers have no gaps."""

import asyncio
from collections import Counter

import pytest
from sqlalchemy import text

from tests.service.calls import expire, finish, lease, report, submit

pytestmark = pytest.mark.slow
CLIENTS = 16
GRID = {"a": {"type": "int", "low": 1, "high": 25}, "b": {"type": "int", "low": 1, "high": 20}}


def all_at_once(serve, scenario):
    """Run a scenario on the application, which has as many connections to its database as a server."""

    async def run():
        async with serve() as client:
            await scenario(client)

    asyncio.run(run())


async def work(client, name, told, fails=lambda one: False):
    """Lease and finish until nothing is left; `told` collects what the server acknowledged."""
    while one := await lease(client, worker=name):
        body = {"state": "failed", "error": "planned"} if fails(one) else {"value": one["number"] / 1000}
        answer = await finish(client, one, **body)
        assert answer.status_code == 200, answer.text
        told.append((one["number"], one["attempt"], body.get("state", "complete")))


async def trials_of(client):
    """All trials by number, page by page."""
    found, cursor = [], None
    while True:
        page = {"limit": 200} | ({"cursor": cursor} if cursor else {})
        answer = (await client.get("/api/v1/studies/study/trials", params=page)).json()
        found, cursor = found + answer["items"], answer["next_cursor"]
        if cursor is None:
            return found


def test_each_cell_of_a_grid_is_finished_exactly_once_though_each_tenth_fails_at_first(serve):
    async def check(client):
        await submit(client, space=GRID, sampler={"name": "grid"}, budget={})
        told = []
        await asyncio.gather(
            *(
                work(client, f"w{i}", told, lambda one: one["attempt"] == 1 and one["number"] % 10 == 3)
                for i in range(CLIENTS)
            )
        )
        trials = await trials_of(client)
        assert [trial["number"] for trial in trials] == list(range(500))
        assert len({(trial["params"]["a"], trial["params"]["b"]) for trial in trials}) == 500
        assert [trial["attempt"] for trial in trials] == [2 if n % 10 == 3 else 1 for n in range(500)]
        assert [trial["value"] for trial in trials] == [n / 1000 for n in range(500)]
        assert Counter(state for _, _, state in told) == {"complete": 500, "failed": 50}
        study = (await client.get("/api/v1/studies/study")).json()
        assert (study["state"], study["counts"]["complete"]) == ("completed", 500)

    all_at_once(serve, check)


def test_a_budget_of_200_makes_200_trials_and_never_more_at_any_instant(serve):
    async def check(client):
        await submit(client, budget={"n_trials": 200})
        told = []
        workers = [asyncio.create_task(work(client, f"w{i}", told)) for i in range(CLIENTS)]
        while not all(worker.done() for worker in workers):
            study = (await client.get("/api/v1/studies/study")).json()
            assert sum(study["counts"].values()) <= 200
        await asyncio.gather(*workers)
        assert sorted(told) == [(number, 1, "complete") for number in range(200)]
        assert [trial["number"] for trial in await trials_of(client)] == list(range(200))

    all_at_once(serve, check)


def test_several_trials_per_request_fill_a_budget_exactly(serve):
    async def ask(client, i):
        body = {"request_id": f"many{i}", "worker": f"w{i}", "trainers": ["external"], "count": 7}
        return (await client.post("/api/v1/leases", json=body)).json()["leases"]

    async def check(client):
        await submit(client, budget={"n_trials": 100})
        found = await asyncio.gather(*(ask(client, i) for i in range(CLIENTS)))
        assert sorted(one["number"] for some in found for one in some) == list(range(100))

    all_at_once(serve, check)


def test_one_waiting_trial_is_leased_to_one_of_many(serve):
    async def check(client):
        await submit(client, budget={"n_trials": 1})
        for attempt in range(1, 6):
            found = await asyncio.gather(*(lease(client, worker=f"w{i}") for i in range(CLIENTS)))
            [one] = filter(None, found)
            assert (one["number"], one["attempt"]) == (0, attempt)
            await client.post(f"/api/v1/leases/{one['lease']}/release", json={})

    all_at_once(serve, check)


def test_one_expired_trial_is_leased_to_one_of_many_and_its_old_attempts_write_nothing(serve):
    async def check(client):
        await submit(client, budget={"n_trials": 1}, trial={"max_attempts": 10})
        old = []
        for attempt in range(1, 6):
            found = await asyncio.gather(*(lease(client, worker=f"w{attempt}-{i}") for i in range(CLIENTS)))
            [one] = filter(None, found)
            assert one["attempt"] == attempt
            old.append(one)
            await expire(client)
        current = old.pop()  # expired too, but nobody else has it
        stale = await asyncio.gather(
            *(finish(client, one, value=9) for one in old), *(report(client, one, 9.0) for one in old)
        )
        assert {(answer.status_code, answer.json()["code"]) for answer in stale} == {(409, "lease-lost")}
        assert (await finish(client, current, value=1)).status_code == 200
        trial = (await client.get("/api/v1/studies/study/trials/0")).json()
        assert (trial["state"], trial["value"], trial["reports"]) == ("complete", 1, [])

    all_at_once(serve, check)


def test_a_finish_raced_by_eight_clients_is_recorded_once_and_answered_alike(serve):
    async def check(client):
        await submit(client, budget={"n_trials": 20})
        for _ in range(20):
            one = await lease(client)
            answers = await asyncio.gather(*(finish(client, one, value=0.5) for _ in range(8)))
            assert {(answer.status_code, answer.content) for answer in answers} == {(200, answers[0].content)}
        study = (await client.get("/api/v1/studies/study")).json()
        assert (study["state"], study["counts"]["complete"]) == ("completed", 20)

    all_at_once(serve, check)


def test_of_different_results_raced_one_is_recorded_and_the_others_are_told(serve):
    async def check(client):
        await submit(client, budget={"n_trials": 20})
        for number in range(20):
            one = await lease(client)
            answers = await asyncio.gather(*(finish(client, one, value=value) for value in range(8)))
            [won] = [answer.json()["value"] for answer in answers if answer.status_code == 200]
            assert [a.json()["code"] for a in answers if a.status_code != 200] == ["already-finished"] * 7
            assert (await client.get(f"/api/v1/studies/study/trials/{number}")).json()["value"] == won

    all_at_once(serve, check)


def test_a_failure_raced_with_its_repeats_and_the_next_grant_counts_once(serve):
    async def check(client):
        await submit(client, budget={"n_trials": 1}, trial={"max_attempts": 6})
        one = await lease(client)
        for attempt in range(2, 7):
            failing = [finish(client, one, state="failed", error="planned") for _ in range(4)]
            *answers, one = await asyncio.gather(*failing, lease(client, worker="other", wait_seconds=10))
            assert {(answer.status_code, answer.content) for answer in answers} == {(200, answers[0].content)}
            assert (one["number"], one["attempt"]) == (0, attempt)
        assert (await finish(client, one, state="failed", error="planned")).json()["state"] == "failed"
        assert (await client.get("/api/v1/studies/study")).json()["state"] == "completed"

    all_at_once(serve, check)


@pytest.mark.parametrize("patience", [1, 5])
def test_patience_raced_by_many_ends_after_exactly_so_many_results_without_improvement(serve, patience):
    """Whatever the order in which results are recorded, the study ends in it at the first row of `patience`."""

    async def work(client, name):
        while one := await lease(client, worker=name):
            value = 1 / (one["number"] + 1) if one["number"] < 40 else one["number"]
            await finish(client, one, value=value)

    async def check(client):
        await submit(client, budget={"patience": patience})
        await asyncio.gather(*(work(client, f"w{i}") for i in range(CLIENTS)))
        rows = await client.app.state.context.db.run(
            text("select value from trials where state = 'complete' order by finish_seq")
        )
        best, idle, rest = float("inf"), 0, [row["value"] for row in rows]
        while idle < patience:
            value = rest.pop(0)
            best, idle = min(best, value), 0 if value < best else idle + 1
        assert rest == []
        assert (await client.get("/api/v1/studies/study")).json()["state"] == "completed"

    all_at_once(serve, check)


def test_epochs_raced_by_many_end_the_study_by_the_batches_that_reach_the_limit(serve):
    """Not before the limit, and past it by no more than what was being stored when it was reached."""

    async def work(client, name):
        while one := await lease(client, worker=name):
            for step in range(0, 30, 3):
                if (await report(client, one, 0.3, 0.2, 0.1, first=step)).json()["decision"] == "stop":
                    break
            else:
                await finish(client, one, value=0.1)

    async def check(client):
        await submit(client, budget={"max_epochs": 500})
        await asyncio.gather(*(work(client, f"w{i}") for i in range(CLIENTS)))
        study = (await client.get("/api/v1/studies/study")).json()
        assert study["state"] == "completed"
        assert 500 <= study["epochs"] < 500 + 3 * CLIENTS

    all_at_once(serve, check)
