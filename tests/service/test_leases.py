"""Leases, budgets and results under races, on a real PostgreSQL."""

import asyncio

from tests.service.calls import expire, finish, lease, report, submit


def test_every_trial_of_the_budget_is_leased_once_by_many_clients(serve):
    async def check():
        async with serve() as client:
            await submit(client, budget={"n_trials": 40})
            found = await asyncio.gather(*(lease(client, worker=f"w{i}") for i in range(60)))
            numbers = sorted(one["number"] for one in found if one)
            assert numbers == list(range(40))

    asyncio.run(check())


def test_each_grid_cell_is_finished_exactly_once_though_some_fail(serve):
    space = {"a": {"type": "int", "low": 1, "high": 5}, "b": {"type": "categorical", "choices": ["x", "y", "z"]}}

    async def work(client, i):
        while one := await lease(client, worker=f"w{i}"):
            fails = one["attempt"] == 1 and one["number"] % 5 == 0
            await finish(client, one, state="failed", error="planned") if fails else await finish(client, one, value=1)

    async def check():
        async with serve() as client:
            await submit(client, space=space, sampler={"name": "grid"}, budget={})
            await asyncio.gather(*(work(client, i) for i in range(8)))
            study = (await client.get("/api/v1/studies/study")).json()
            trials = (await client.get("/api/v1/studies/study/trials")).json()["items"]
            assert (study["state"], study["counts"]["complete"]) == ("completed", 15)
            assert len({(t["params"]["a"], t["params"]["b"]) for t in trials}) == 15

    asyncio.run(check())


def test_expired_lease_goes_to_the_next_worker_and_the_old_one_is_refused(serve):
    async def check():
        async with serve() as client:
            await submit(client)
            old = await lease(client, worker="slow")
            await expire(client)
            new = await lease(client, worker="quick")
            assert (new["number"], new["attempt"]) == (old["number"], 2)
            refused = await finish(client, old, value=1)
            assert (refused.status_code, refused.json()["code"]) == (409, "lease-lost")
            assert (await finish(client, new, value=2)).json()["value"] == 2

    asyncio.run(check())


def test_expired_lease_that_nobody_took_still_counts(serve):
    async def check():
        async with serve() as client:
            await submit(client)
            one = await lease(client)
            await expire(client)
            assert (await report(client, one, 0.5)).json()["decision"] == "continue"
            assert (await finish(client, one, value=1)).status_code == 200

    asyncio.run(check())


def test_a_repeated_request_gets_the_same_leases(serve):
    async def check():
        async with serve() as client:
            await submit(client)
            first, again = [await lease(client, request_id="same") for _ in range(2)]
            assert first == again
            both = await asyncio.gather(*(lease(client, request_id="other") for _ in range(2)))
            assert both[0]["number"] == both[1]["number"] == 1

    asyncio.run(check())


def test_a_repeated_request_for_the_last_trial_finds_it_though_nothing_is_left(serve):
    async def check():
        async with serve() as client:
            await submit(client, budget={"n_trials": 1})
            first, again = [await lease(client, request_id="same") for _ in range(2)]
            await client.post("/api/v1/studies/study/pause")
            assert first is not None
            assert first == again == await lease(client, request_id="same")
            assert await lease(client, request_id="other") is None

    asyncio.run(check())


def test_a_request_repeated_while_the_first_one_waits_gets_what_that_gets(serve):
    async def check():
        async with serve() as client:
            await submit(client, budget={"n_trials": 1})
            await client.post("/api/v1/studies/study/pause")
            same = [asyncio.create_task(lease(client, request_id="same", wait_seconds=1)) for _ in range(2)]
            for _ in range(1000):  # both wait before there is anything to give
                if client.app.state.context.load.now["polls"] == len(same):
                    break
                await asyncio.sleep(0.001)
            await client.post("/api/v1/studies/study/resume")
            first, second = await asyncio.gather(*same)
            assert first == second is not None

    asyncio.run(check())


def test_a_repeated_finish_gets_the_same_bytes_also_after_a_new_grant(serve):
    async def check():
        async with serve() as client:
            await submit(client)
            one = await lease(client)
            failed = await finish(client, one, state="failed", error="planned")
            await lease(client)
            again = await finish(client, one, state="failed", error="planned")
            assert (again.status_code, again.content) == (200, failed.content)

    asyncio.run(check())


def test_trials_that_fail_too_often_end_the_study_exactly_at_n(serve):
    async def check():
        async with serve() as client:
            await submit(client, trial={"max_attempts": 2}, budget={"n_trials": 2})
            for _ in range(4):
                await finish(client, await lease(client), state="failed", error="poison")
            study = (await client.get("/api/v1/studies/study")).json()
            assert (study["state"], study["counts"]["failed"]) == ("completed", 2)

    asyncio.run(check())


def test_a_step_reported_with_other_values_stores_nothing_of_its_batch(serve):
    async def check():
        async with serve() as client:
            await submit(client)
            one = await lease(client)
            await report(client, one, 1.0)
            refused = await report(client, one, 2.0, 3.0)
            assert refused.json()["code"] == "step-conflict"
            trial = (await client.get("/api/v1/studies/study/trials/0")).json()
            assert trial["reports"] == [{"step": 0, "metrics": {"loss": 1.0}}]

    asyncio.run(check())


def test_hyperband_compares_a_trial_with_those_of_its_bracket(serve):
    async def check():
        async with serve() as client:
            await submit(client, pruner={"name": "hyperband", "max_resource": 9}, budget={"n_trials": 5})
            in_0, in_1, also_in_0, _, also_in_1 = [await lease(client) for _ in range(5)]
            await report(client, in_0, 0.3, 0.2, 0.1)
            assert (await report(client, in_1, 0.9, 0.9, 0.9)).json()["decision"] == "continue"
            pruned = (await report(client, also_in_0, 0.5)).json()["reason"]
            assert pruned == "bracket 0: loss 0.5 is not among the best of 2 trials at step 0: 0.3 is needed"
            pruned = (await report(client, also_in_1, 0.1, 0.1, 1.0)).json()["reason"]
            assert pruned == "bracket 1: loss 1 is not among the best of 2 trials at step 2: 0.9 is needed"

    asyncio.run(check())


def test_the_median_pruner_stops_a_bad_trial_and_repeats_its_decision(serve):
    async def check():
        async with serve() as client:
            await submit(client, pruner={"name": "median", "n_startup_trials": 2}, budget={"n_trials": 5})
            for loss in (0.1, 0.2):
                good = await lease(client)
                await report(client, good, loss, loss)
                await finish(client, good)
            bad = await lease(client)
            first = (await report(client, bad, 9.0, 9.0)).json()
            again = (await report(client, bad, 9.0, 9.0)).json()
            assert (first["decision"], "median" in first["reason"]) == ("prune", True)
            assert again == first

    asyncio.run(check())


def test_cancelled_study_tells_its_workers_to_stop(serve):
    async def check():
        async with serve() as client:
            await submit(client)
            one = await lease(client)
            await client.post("/api/v1/studies/study/cancel")
            assert (await report(client, one, 1.0)).json()["decision"] == "stop"
            assert (await finish(client, one, value=1)).json()["code"] == "lease-lost"

    asyncio.run(check())


def test_paused_study_gives_nothing_and_takes_its_running_trials_back(serve):
    async def check():
        async with serve() as client:
            await submit(client)
            one = await lease(client)
            await client.post("/api/v1/studies/study/pause")
            assert (await report(client, one, 1.0)).json()["decision"] == "stop"
            assert await lease(client) is None
            await client.post("/api/v1/studies/study/resume")
            assert (await lease(client))["number"] == one["number"]

    asyncio.run(check())


def test_a_larger_budget_reopens_a_completed_study(serve):
    async def check():
        async with serve() as client:
            await submit(client, budget={"n_trials": 1})
            await finish(client, await lease(client), value=1)
            changed = await client.patch("/api/v1/studies/study", json={"budget": {"n_trials": 2}})
            assert changed.json()["state"] == "running"
            assert (await lease(client))["number"] == 1

    asyncio.run(check())


def test_reaching_the_target_ends_the_study_and_cancels_the_rest(serve):
    async def check():
        async with serve() as client:
            await submit(client, budget={"n_trials": 9, "target_value": 0.5})
            other, one = await lease(client), await lease(client)
            await finish(client, one, value=0.4)
            study = (await client.get("/api/v1/studies/study")).json()
            assert (study["state"], study["counts"]["cancelled"]) == ("completed", 1)
            assert (await report(client, other, 1.0)).json()["decision"] == "stop"

    asyncio.run(check())


def test_work_goes_to_the_study_with_the_fewest_running_trials(serve):
    async def check():
        async with serve() as client:
            await submit(client, name="large", budget={"n_trials": 100})
            for _ in range(3):
                await lease(client, study="large")
            await submit(client, name="small", budget={"n_trials": 100})
            found = [(await lease(client, study=None))["study"] for _ in range(3)]
            assert found == ["small"] * 3

    asyncio.run(check())


def test_a_resumed_attempt_keeps_the_curve_up_to_its_checkpoint(serve):
    async def check():
        import hashlib

        async with serve() as client:
            await submit(client)
            one = await lease(client)
            await report(client, one, 3.0, 2.0, 1.0)
            path = f"/api/v1/leases/{one['lease']}/artifacts/checkpoint"
            asked = {"sha256": hashlib.sha256(b"state").hexdigest(), "step": 1}
            assert (await client.put(path, params=asked, content=b"state")).status_code == 200
            await expire(client)
            assert (await lease(client))["resume_step"] == 1
            trial = (await client.get("/api/v1/studies/study/trials/0")).json()
            assert [r["step"] for r in trial["reports"]] == [0, 1]

    asyncio.run(check())


def test_a_lease_is_renewed_and_released_without_a_body(serve):
    async def check():
        async with serve() as client:
            await submit(client)
            one = await lease(client)
            for verb, state in (("renew", "running"), ("release", "waiting")):
                answer = await client.post(f"/api/v1/leases/{one['lease']}/{verb}")
                assert (answer.status_code, answer.json()["state"]) == (200, state)

    asyncio.run(check())
