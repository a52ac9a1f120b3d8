"""A completed study's best trial is evaluated once, by one worker after another until one has a result."""

import asyncio
import hashlib
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import text

from service.app import tick
from tests.service.calls import finish, lease, spec

OBJECTIVE = {"trainer": "mlp", "data": "iris", "metric": "val_error", "direction": "minimize"}
RESULT = {"metrics": {"test_error": 0.05, "test_loss": "nan"}, "examples": 30}
RATE = {"learning_rate": {"type": "float", "low": 0.001, "high": 0.1}}


async def complete(client, *values, name="study", model=True, **changes):
    """A study of a book trainer, completed with these values; each trial keeps a model."""
    body = {"objective": OBJECTIVE, "space": RATE, "budget": {"n_trials": len(values)}, **changes}
    answer = await client.post("/api/v1/studies", json=spec(name, **body))
    assert answer.status_code == 201, answer.text
    await go_on(client, *values, name=name, model=model, trainer=body["objective"]["trainer"])


async def go_on(client, *values, name="study", model=True, trainer="mlp"):
    for value in values:
        one = await lease(client, name, trainers=[trainer])
        if model:
            for file in ("model.safetensors", "model.json"):
                path = f"/api/v1/leases/{one['lease']}/artifacts/{file}"
                asked = {"sha256": hashlib.sha256(b"model").hexdigest()}
                assert (await client.put(path, params=asked, content=b"model")).status_code == 200
        assert (await finish(client, one, value=value)).status_code == 200


async def ask(client, request_id, **changes):
    body = {"request_id": request_id, "worker": "w", "trainers": ["mlp"], "evaluations": True, **changes}
    answer = await client.post("/api/v1/leases", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def tell(client, evaluation, **body):
    return await client.post(f"/api/v1/evaluations/{evaluation['id']}/finish", json=body)


async def attributes(client, number, name="study"):
    return (await client.get(f"/api/v1/studies/{name}/trials/{number}")).json()["attributes"]


async def lose(client):
    """Make all claims' time be over."""
    await client.app.state.context.db.run(text("update evaluations set until = now() - interval '1 s'"))


@pytest.fixture
def at(serve):
    """Runs a check on a fresh server."""

    @asynccontextmanager
    async def served():
        async with serve() as client:
            yield client

    def run(check):
        async def go():
            async with served() as client:
                await check(client)

        asyncio.run(go())

    return run


def test_the_best_trial_is_offered_once_to_whom_it_may_be_and_its_result_is_shown(at):
    async def check(client):
        await complete(client, 0.5, 0.2, 0.4)
        best = (await client.get("/api/v1/studies/study")).json()["best"]
        assert (best["number"], best["evaluating"], best["test"]) == (1, True, {})
        for study, reason in (
            ("study", "study-finished"),
            (None, "no-running-study"),
        ):  # who does not ask is not offered it
            answer = await ask(client, f"r{study}", evaluations=False, study=study)
            assert (answer["leases"], answer["reason"], answer["evaluation"]) == ([], reason, None)
        assert (await ask(client, "other", trainers=["cnn"]))["evaluation"] is None
        offer = (await ask(client, "a"))["evaluation"]
        assert (offer["study"], offer["number"], offer["objective"]["trainer"]) == ("study", 1, "mlp")
        told = (await tell(client, offer, **RESULT)).json()
        assert told["attributes"] == {"test_error": 0.05, "test_loss": "nan", "tested_examples": 30}
        assert await attributes(client, 1) == told["attributes"]
        for page in ("/studies/study", "/studies/study/trials/1"):
            assert "test_error 0.05 (on 30 examples never used before)" in (await client.get(page)).text
        best = (await client.get("/api/v1/studies/study")).json()["best"]
        assert (best["evaluating"], best["test"]) == (False, told["attributes"])
        assert await ask(client, "b") == {
            "leases": [], "reason": "no-running-study", "retry_after_seconds": 1.0, "evaluation": None,
        }  # fmt: skip
        exported = (await client.get("/api/v1/studies/study/export?format=json")).json()
        assert exported["trials"][1]["attributes"] == told["attributes"]

    at(check)


def test_a_claim_is_one_workers_until_it_expires_and_then_anothers(at):
    async def check(client):
        await complete(client, 0.5)
        first = (await ask(client, "a"))["evaluation"]
        assert (await ask(client, "a"))["evaluation"] == first  # a repeated request
        waiting = await ask(client, "b")
        assert (waiting["evaluation"], waiting["reason"]) == (None, "evaluating")
        assert (await ask(client, "c", study="study"))["reason"] == "evaluating"
        await lose(client)
        second = (await ask(client, "b2"))["evaluation"]
        assert second["number"] == 0 and second["id"] != first["id"]

    at(check)


def test_the_first_result_counts_whoever_is_late_or_says_it_twice(at):
    async def check(client):
        await complete(client, 0.5)
        late = (await ask(client, "a"))["evaluation"]
        await lose(client)
        quick = (await ask(client, "b"))["evaluation"]
        assert (await tell(client, late, error="a try that is over")).json()["attributes"] == {}
        first = await tell(client, late, **RESULT)
        for evaluation, body in ((late, RESULT), (quick, {"metrics": {"test_error": 9.0}}), (quick, {"error": "no"})):
            again = await tell(client, evaluation, **body)
            assert (again.status_code, again.content) == (200, first.content)

    at(check)


def test_three_failed_tries_are_recorded_under_a_name_that_is_no_metric(at):
    async def check(client):
        await complete(client, 0.5)
        for number in range(3):
            assert await attributes(client, 0) == {}
            offer = (await ask(client, f"r{number}"))["evaluation"]
            await tell(client, offer, error=f"planned {number}")
            await tell(client, offer, error=f"repeated {number}")
        assert await attributes(client, 0) == {"evaluation_error": "planned 2"}
        assert (await ask(client, "r3"))["reason"] == "no-running-study"

    at(check)


def test_three_lost_workers_end_it_too(at):
    async def check(client):
        await complete(client, 0.5)
        for number in range(3):
            assert (await ask(client, f"r{number}"))["evaluation"]
            await lose(client)
        assert (await ask(client, "r3"))["reason"] == "evaluating"
        await tick(client.app.state.context)
        assert await attributes(client, 0) == {"evaluation_error": "its worker was lost in each of 3 tries"}

    at(check)


def test_a_reopened_study_is_evaluated_again_only_where_another_trial_is_the_best(at):
    async def check(client):
        await complete(client, 0.5)
        await tell(client, (await ask(client, "a"))["evaluation"], **RESULT)
        for n_trials, value, again in ((2, 0.7, False), (3, 0.1, True)):
            await client.patch("/api/v1/studies/study", json={"budget": {"n_trials": n_trials}})
            await go_on(client, value)
            assert ((await ask(client, f"r{n_trials}"))["evaluation"] is not None) is again
        # It was claimed, but the study goes on to a better one: what is told of it comes too late.
        outdated = (await ask(client, "r3"))["evaluation"]
        await client.patch("/api/v1/studies/study", json={"budget": {"n_trials": 4}})
        [one] = (await ask(client, "r4"))["leases"]
        assert (await ask(client, "r5"))["evaluation"] is None  # while the study goes on
        await finish(client, one, value=0.05)
        assert (await tell(client, outdated, **RESULT)).status_code == 404

    at(check)


def test_only_book_trainers_with_a_kept_model_and_studies_that_were_not_cancelled(at):
    async def check(client):
        await complete(client, 0.5, name="none-kept", model=False)
        own = {"trainer": "train:train", "metric": "loss"}
        for name, objective in (("own", own), ("asked", {"trainer": "external"})):
            await complete(client, 0.5, name=name, objective=objective)
        await complete(client, 0.5, name="cancelled", budget={"n_trials": 5})
        await client.post("/api/v1/studies/cancelled/cancel")
        answer = await ask(client, "a", trainers=["mlp", "train:train", "external"])
        assert (answer["evaluation"], answer["reason"]) == (None, "no-running-study")

    at(check)


def test_target_and_time_complete_a_study_that_is_evaluated(at):
    async def check(client):
        await complete(client, 0.1, name="target", budget={"n_trials": 5, "target_value": 0.2})
        await complete(client, 0.1, name="time", budget={"timeout": 1000})
        await client.app.state.context.db.run(text("update studies set started_at = now() - interval '1 day'"))
        await tick(client.app.state.context)
        offers = [(await ask(client, f"ask{i}"))["evaluation"]["study"] for i in range(2)]
        assert sorted(offers) == ["target", "time"]

    at(check)


def test_a_repeated_finish_of_the_trial_is_answered_as_before_the_evaluation(at):
    async def check(client):
        await complete(client, budget={"n_trials": 1})
        one = await lease(client, trainers=["mlp"])
        path = f"/api/v1/leases/{one['lease']}/artifacts/model.safetensors"
        await client.put(path, params={"sha256": hashlib.sha256(b"m").hexdigest()}, content=b"m")
        first = await finish(client, one, value=1, attributes={"mine": 1})
        await tell(client, (await ask(client, "a"))["evaluation"], **RESULT)
        assert (await attributes(client, 0)).keys() == {"mine", "test_error", "test_loss", "tested_examples"}
        assert (await finish(client, one, value=1, attributes={"mine": 1})).content == first.content

    at(check)


def test_a_workers_token_reads_the_model_that_it_evaluates_and_no_other(at):
    async def check(client):
        await complete(client, 0.5, 0.6)
        made = (await client.post("/api/v1/tokens", json={"role": "worker"})).json()
        worker = {"headers": {"authorization": f"Bearer {made['token']}"}}
        path = "/api/v1/studies/study/trials/{}/artifacts/model.json"
        assert (await client.get(path.format(0), **worker)).status_code == 404
        body = {"request_id": "a", "worker": "w", "trainers": ["mlp"], "evaluations": True}
        offer = (await client.post("/api/v1/leases", json=body, **worker)).json()["evaluation"]
        assert (await client.get(path.format(0), **worker)).content == b"model"
        assert (await client.get(path.format(1), **worker)).status_code == 404
        done = await client.post(f"/api/v1/evaluations/{offer['id']}/finish", json=RESULT, **worker)
        assert done.status_code == 200

    at(check)


def test_results_without_a_test_metric_or_a_reason_are_refused(at):
    async def check(client):
        await complete(client, 0.5)
        offer = (await ask(client, "a"))["evaluation"]
        for body in ({}, {"metrics": {"error": 1.0}}, {"metrics": {"test_error": 1.0}, "error": "both"}):
            assert (await tell(client, offer, **body)).status_code == 422
        assert (await tell(client, {"id": "1.1.x"}, **RESULT)).status_code == 404

    at(check)
