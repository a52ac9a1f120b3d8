"""A pruner's audit: some of the trials that would be pruned run on, are told apart, and change nothing for others."""

import asyncio
import random
from hashlib import sha256

import pytest

from service.fits import Fitters
from service.pruning import spares
from service.replaying import replay
from tests.service.calls import expire, finish, lease, report, spec, submit
from tests.service.test_replaying import PRUNERS
from trialbook.spec import StudySpec

STEPS, TRIALS = 4, 14
ALL = {"name": "threshold", "upper": 1.0}


def chosen(study, number):
    """Whether the study's audit would let this trial run on."""
    read = StudySpec.model_validate(study["spec"])
    return spares(read.pruner, read.sampler.seed, number)


def first(study, *, is_chosen):
    """The first number that is chosen, or is not."""
    return next(number for number in range(1000) if chosen(study, number) == is_chosen)


async def trial(client, number):
    return (await client.get(f"/api/v1/studies/study/trials/{number}")).json()


async def leased(client, number):
    """The lease of this trial, those before it finished."""
    for _ in range(number):
        await finish(client, await lease(client), value=0.5)
    return await lease(client)


def loss(number, step):
    """A curve of each trial's own, the same in every study."""
    chance = random.Random(number)
    level = chance.random()
    return [level + chance.random() / (at + 1) for at in range(STEPS)][step]


async def run(client, name, pruner):
    """Run trials two by two, always in the same order; what was decided of each: the step where it was pruned, or would
    have been."""
    study = await submit(client, name=name, pruner=pruner, sampler={"name": "random"}, budget={"n_trials": TRIALS})
    stopped = {}
    for _ in range(TRIALS // 2):
        pair = [await lease(client, name), await lease(client, name)]
        for step in range(STEPS):
            for one in pair:
                if one["number"] in stopped and not chosen(study, one["number"]):
                    continue
                told = (await report(client, one, loss(one["number"], step), first=step)).json()
                if told["decision"] == "prune" or (told["reason"] and one["number"] not in stopped):
                    stopped[one["number"]] = step
                if told["decision"] == "prune":
                    await finish(client, one, state="pruned")
        for one in pair:
            if one["number"] not in stopped or chosen(study, one["number"]):
                await finish(client, one, value=loss(one["number"], STEPS - 1))
    return study, stopped


@pytest.mark.parametrize("pruner", ["median", "asha", "hyperband", "threshold"])
def test_the_audit_changes_no_other_trials_decision_and_is_replayed(serve, pruner):
    async def check():
        async with serve() as client:
            _, without = await run(client, "without", PRUNERS[pruner])
            study, audited = await run(client, "study", {**PRUNERS[pruner], "audit": 0.4})
            assert audited == without
            found = (await client.get("/api/v1/studies/study/trials", params={"limit": 100})).json()["items"]
            spared = {one["number"]: one["spared"]["step"] for one in found if one["spared"]}
            assert spared == {number: step for number, step in without.items() if chosen(study, number)}
            assert 0 < len(spared) < len(without)
            assert {one["number"] for one in found if one["state"] == "pruned"} == without.keys() - spared.keys()
            async with Fitters() as fits:
                again = await replay(client.app.state.context.db, fits, "study")
            assert (again.differences, again.untold) == ((), 0)
            told = (await client.get("/api/v1/studies/study/analysis/early_stopping")).json()
            assert (told["pruned"], told["spared"]) == (len(without) - len(spared), {"complete": len(spared)})
            assert told["saved"]["estimate"] == sum(STEPS - 1 - without[n] for n in without.keys() - spared.keys())
            assert told["spent"] == TRIALS * STEPS - told["saved"]["estimate"]
            first_one = told["items"][0]
            assert first_one["then"] == loss(first_one["number"], first_one["step"])

    asyncio.run(check())


def test_a_spared_trial_is_told_why_runs_on_and_is_not_judged_again(serve):
    async def check():
        async with serve() as client:
            study = await submit(client, pruner={**ALL, "audit": 0.5}, budget={"n_trials": 100})
            number = first(study, is_chosen=True)
            one = await leased(client, number)
            batch = (0.5, 2.0, 3.0, 0.1)
            both = await asyncio.gather(report(client, one, *batch), report(client, one, *batch))
            told, copy = (answer.json() for answer in both)
            reason = "loss 2 is above the upper threshold 1 at step 1"
            assert told["decision"] == "continue"
            assert told["reason"] == f"would be pruned: {reason}; it runs on for the audit"
            assert copy == told == (await report(client, one, *batch)).json()
            assert (await report(client, one, 9.0, first=4)).json() == told
            assert (await finish(client, one, value=0.1)).json()["state"] == "complete"
            assert (await report(client, one, 9.0, first=4)).json()["reason"] == told["reason"]
            found = await trial(client, number)
            assert (found["spared"], len(found["reports"])) == ({"step": 1, "reason": reason}, 5)

    asyncio.run(check())


def test_a_trial_that_was_not_chosen_is_pruned_as_ever(serve):
    async def check():
        async with serve() as client:
            study = await submit(client, pruner={**ALL, "audit": 0.5}, budget={"n_trials": 100})
            number = first(study, is_chosen=False)
            one = await leased(client, number)
            assert (await report(client, one, 0.5, 2.0, 3.0)).json()["decision"] == "prune"
            await finish(client, one, state="pruned")
            found = await trial(client, number)
            assert (found["state"], found["spared"], found["last_step"]) == ("pruned", None, 1)

    asyncio.run(check())


async def save(client, one, step):
    """Upload a checkpoint."""
    body = f"as of {step}".encode()
    asked = {"step": step, "sha256": sha256(body).hexdigest()}
    answer = await client.put(f"/api/v1/leases/{one['lease']}/artifacts/checkpoint", content=body, params=asked)
    assert answer.status_code in (200, 201), answer.text


@pytest.mark.parametrize(("saved", "kept"), [(None, False), (0, False), (1, True), (2, True)])
def test_a_later_attempt_is_spared_still_where_it_goes_on_beyond_that_step(serve, saved, kept):
    async def check():
        async with serve() as client:
            study = await submit(client, pruner={**ALL, "audit": 0.5}, budget={"n_trials": 100})
            number = first(study, is_chosen=True)
            one = await leased(client, number)
            await report(client, one, 0.5, 2.0, 3.0)
            if saved is not None:
                await save(client, one, saved)
            await expire(client)
            again = await lease(client)
            assert (again["number"], again.get("resume_step")) == (number, saved)
            assert ((await trial(client, number))["spared"] is not None) == kept
            at = 0 if saved is None else saved + 1
            told = (await report(client, again, 0.4, first=at)).json()
            assert (told["reason"] is not None) == kept
            told = (await report(client, again, 5.0, first=at + 1)).json()
            assert told["reason"].startswith("would be pruned: loss 2 " if kept else "would be pruned: loss 5 ")

    asyncio.run(check())


def test_promotion_and_audit_exclude_each_other(serve):
    async def check():
        async with serve() as client:
            body = {"name": "asha", "promote": True, "audit": 0.1}
            answer = await client.post("/api/v1/studies/validate", json=spec(pruner=body))
            errors = {one["pointer"]: one["message"] for one in answer.json()["errors"]}
            assert errors["/pruner/audit"] == "goes without promote: what is paused may go on anyway"

    asyncio.run(check())
