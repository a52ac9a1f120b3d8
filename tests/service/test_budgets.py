"""Limits that results and reports reach: patience, the target, and epochs."""

import asyncio

from sqlalchemy import text

from service.app import tick
from service.epochs import Epochs
from tests.service.calls import expire, finish, lease, report, submit

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


def test_the_report_that_reaches_max_epochs_ends_the_study(serve):
    async def check(client):
        await submit(client, budget={"max_epochs": 7})
        one, other = await lease(client), await lease(client)
        await report(client, one, 0.3, 0.2)
        await finish(client, one, value=0.2)
        assert (await report(client, other, 0.5, 0.4, 0.3, 0.2)).json()["decision"] == "continue"
        assert (await client.get(STUDY)).json()["epochs"] == 6
        last = (await report(client, other, 0.1, first=4)).json()
        assert (last["decision"], last["reason"]) == ("stop", "7 epochs of 7 are reported")
        study = (await client.get(STUDY)).json()
        assert (study["state"], study["reason"], study["epochs"]) == ("completed", last["reason"], 7)
        assert await lease(client) is None

    at(serve, check)


def test_epochs_between_reports_count_and_repeated_or_repeating_ones_do_not(serve):
    async def check(client):
        await submit(client, budget={"max_epochs": 12})
        one = await lease(client)
        await report(client, one, 0.3, first=4)
        await report(client, one, 0.3, first=4)
        await expire(client)
        again = await lease(client, worker="other")  # without a checkpoint it begins anew
        await report(client, again, *[0.3] * 11)
        assert (await client.get(STUDY)).json()["state"] == "running"
        await report(client, again, 0.3, first=11)
        assert (await client.get(STUDY)).json()["epochs"] == 12

    at(serve, check)


def test_only_more_epochs_reopen_a_study_and_fewer_end_it_at_the_next_report(serve):
    async def check(client):
        await submit(client, budget={"max_epochs": 3})
        await report(client, await lease(client), 0.3, 0.2, 0.1)
        changed = await client.patch(STUDY, json={"budget": {"max_epochs": 3}})
        assert changed.json()["state"] == "completed"
        await client.patch(STUDY, json={"budget": {"max_epochs": 100}})
        one = await lease(client)
        await report(client, one, 0.5, 0.4)
        await client.patch(STUDY, json={"budget": {"max_epochs": 6}})
        assert (await report(client, one, 0.3, first=2)).json()["decision"] == "stop"

    at(serve, check)


def test_what_another_process_stored_is_known_within_a_tick(serve):
    async def check(client):
        await submit(client, budget={"max_epochs": 4})
        one = await lease(client)
        await report(client, one, 0.5)
        context = client.app.state.context
        await context.db.run(text("update trials set last_step = 3"))
        context.epochs.look_at = 0  # the application's own tick may have looked just before
        await tick(context)
        assert (await report(client, one, 0.1, first=4)).json()["reason"] == "4 epochs of 4 are reported"

    at(serve, check)


def test_a_process_sums_again_only_when_its_own_count_may_be_enough():
    epochs = Epochs()
    assert epochs.add(1, 3)  # nothing is known yet
    epochs.learn(1, 10, epochs.stored(1))
    assert [epochs.add(1, 4), epochs.add(2, 4), epochs.add(1, 5), epochs.add(1, 1)] == [False, True, False, True]
    epochs.learn(1, 5, epochs.stored(1))
    assert not epochs.add(1, 1)
    epochs.forget(1)
    assert epochs.add(1, 1)
