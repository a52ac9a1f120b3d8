"""What people read back: parameters in the order written, the right curves where not all can be shown."""

import asyncio

import pytest

from tests.service.calls import finish, lease, report, submit

CONDITION = {"optimizer": ["sgd"]}
SPACE = {
    "momentum": {"type": "float", "low": 0.0, "high": 0.9, "step": 0.45, "when": CONDITION},
    "optimizer": {"type": "categorical", "choices": ["sgd"]},
    "a": {"type": "int", "low": 1, "high": 2},
    "lr": {"type": "float", "low": 0.1, "high": 0.2, "step": 0.1},
}


@pytest.mark.parametrize("sampler", ["grid", "random", "sobol", "gp"])
def test_spec_and_trials_keep_the_order_in_which_the_space_was_written(serve, sampler):
    async def check():
        async with serve() as client:
            submitted = await submit(client, space=SPACE, sampler={"name": sampler})
            leased = await lease(client)
            study = (await client.get("/api/v1/studies/study")).json()
            trial = (await client.get("/api/v1/studies/study/trials/0")).json()
            for shown in (submitted["spec"]["space"], study["spec"]["space"], leased["params"], trial["params"]):
                assert list(shown) == list(SPACE)

    asyncio.run(check())


def test_points_enqueued_in_any_order_are_shown_in_the_spaces(serve):
    async def check():
        async with serve() as client:
            await submit(client, space=SPACE)
            point = {"lr": 0.1, "a": 1, "optimizer": "sgd", "momentum": 0.45}
            answer = await client.post("/api/v1/studies/study/trials", json={"trials": [{"params": point}]})
            assert answer.status_code == 200, answer.text
            assert list((await lease(client))["params"]) == list(SPACE)

    asyncio.run(check())


def test_a_changed_study_keeps_the_order_and_the_rest_of_its_spec(serve):
    async def check():
        async with serve() as client:
            before = (await submit(client, space=SPACE))["spec"]
            changes = {"budget": {"n_trials": 7}, "notes": "more", "tags": {"team": "vision"}}
            after = (await client.patch("/api/v1/studies/study", json=changes)).json()["spec"]
            assert list(after) == list(before)
            assert list(after["space"]) == list(SPACE)
            assert (after["budget"]["n_trials"], after["notes"], after["tags"]) == (7, "more", {"team": "vision"})
            assert {name for name in after if after[name] != before[name]} == {"budget", "notes", "tags"}

    asyncio.run(check())


def test_thinned_curves_are_those_of_the_best_trials_and_the_latest(serve):
    async def check():
        async with serve() as client:
            await submit(client, budget={"n_trials": 12})
            for value in (5, 6, 1, 7, 2, 8, 9, 10, 11, 12, 13):  # the best are trials 2 and 4
                one = await lease(client)
                await report(client, one, value)
                await finish(client, one)
            await lease(client)  # without a report there is no curve
            for limit, shown in ((4, [2, 4, 9, 10]), (3, [2, 9, 10]), (1, [10]), (50, list(range(11)))):
                curves = (await client.get("/api/v1/studies/study/curves", params={"limit": limit})).json()
                assert [item["number"] for item in curves["items"]] == shown

    asyncio.run(check())
