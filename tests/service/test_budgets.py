"""Limits that results reach: patience and the target."""

import asyncio

from tests.service.calls import finish, lease, report, submit

STUDY = "/api/v1/studies/study"


def at(serve, scenario):
    """Run a scenario on the application."""

    async def run():
        async with serve() as client:
            await scenario(client)

    asyncio.run(run())


async def tell(client, *values, state="complete"):
    """Finish a trial with each of these values, one after another; how the study stands then."""
    for value in values:
        await finish(client, await lease(client), value=value, state=state)
    return (await client.get(STUDY)).json()


def test_patience_ends_a_study_after_so_many_results_that_are_no_better(serve):
    async def check(client):
        await submit(client, budget={"patience": 3})
        study = await tell(client, 0.9, 0.5, 0.6, 0.5)  # as good is no better
        assert study["state"] == "running"
        study = await tell(client, 0.4, 0.8, 0.8)
        assert study["state"] == "running"
        other = await lease(client)
        study = await tell(client, 0.7)
        assert (study["state"], study["reason"]) == ("completed", "no improvement on trial 4 in 3 finished trials")
        assert study["counts"]["cancelled"] == 1
        assert (await report(client, other, 1.0)).json()["reason"] == study["reason"]

    at(serve, check)


def test_patience_follows_the_direction_and_takes_no_infinite_value_for_the_best(serve):
    async def check(client):
        objective = {"trainer": "external", "metric": "accuracy", "direction": "maximize"}
        await submit(client, objective=objective, budget={"patience": 2})
        assert (await tell(client, 0.1, "inf", 0.2, 0.15))["state"] == "running"
        assert (await tell(client, 0.1))["reason"] == "no improvement on trial 2 in 2 finished trials"

    at(serve, check)


def test_pruned_trials_try_the_patience_and_failed_ones_do_not(serve):
    async def check(client):
        await submit(client, budget={"patience": 2}, trial={"max_attempts": 1})
        await tell(client, 0.5)
        assert (await tell(client, None, None, None, state="failed"))["state"] == "running"
        study = await tell(client, 0.1, 0.1, state="pruned")  # not run to their end, so no best of the study
        assert (study["state"], study["best"]["number"]) == ("completed", 0)

    at(serve, check)


def test_an_imported_result_can_be_the_best_but_tries_no_patience(serve):
    async def check(client):
        await submit(client, budget={"patience": 2})
        known = [{"params": {"x": x}, "state": "complete", "value": 0.1 + x} for x in (0.0, 0.3, 0.6, 0.9)]
        await client.post(f"{STUDY}/trials", json={"trials": known})
        assert (await tell(client, 0.2))["state"] == "running"
        assert (await tell(client, 0.3))["reason"] == "no improvement on trial 0 in 2 finished trials"

    at(serve, check)


def test_only_more_patience_reopens_a_study_that_ran_out_of_it(serve):
    async def check(client):
        await submit(client, budget={"n_trials": 9, "patience": 1})
        assert (await tell(client, 0.5, 0.6))["state"] == "completed"
        changed = await client.patch(STUDY, json={"budget": {"n_trials": 20, "patience": 1}})
        assert changed.json()["reason"] == "no improvement on trial 0 in 1 finished trial"
        changed = await client.patch(STUDY, json={"budget": {"n_trials": 9, "patience": 2}})
        assert changed.json()["state"] == "running"
        assert (await tell(client, 0.7))["state"] == "completed"

    at(serve, check)


def test_a_budget_changed_to_less_patience_ends_the_study_at_once(serve):
    async def check(client):
        await submit(client, budget={"n_trials": 9})
        await tell(client, 0.5, 0.6, 0.7)
        changed = await client.patch(STUDY, json={"budget": {"patience": 2}})
        assert changed.json()["state"] == "completed"

    at(serve, check)


def test_a_reached_target_is_told_with_its_trial(serve):
    async def check(client):
        objective = {"trainer": "external", "metric": "accuracy", "direction": "maximize"}
        await submit(client, objective=objective, budget={"n_trials": 9, "target_value": 0.75})
        assert (await tell(client, 0.5, "inf"))["state"] == "running"
        assert (await tell(client, 0.75))["reason"] == "the target 0.75 is reached by trial 2"

    at(serve, check)
