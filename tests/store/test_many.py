"""Two promises in numbers: trials are numbered without gap or duplicate, and no write of an older attempt is accepted.

Shortly in the suite; in full by hand:

    TRIALBOOK_MANY=10000 python -m pytest tests/store/test_many.py
"""

import asyncio
import hashlib
import itertools
import os
import random

import pytest

from tests.service.calls import expire, finish, lease, report, submit
from tests.store.test_races import all_at_once

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
MANY = int(os.environ.get("TRIALBOOK_MANY", "400"))
CLIENTS = 32
STUDY = "/api/v1/studies/study"
CONTENT = b"an old attempt's checkpoint"
LOST = (409, "lease-lost")


async def numbers_of(client):
    """The numbers of all trials, as the list has them."""
    found, cursor = [], None
    while True:
        page = {"limit": 1000} | ({"cursor": cursor} if cursor else {})
        answer = (await client.get(f"{STUDY}/trials", params=page)).json()
        found, cursor = found + [one["number"] for one in answer["items"]], answer["next_cursor"]
        if cursor is None:
            return found


def test_numbers_have_no_gap_and_no_duplicate_whoever_makes_trials(serve):
    """Trials by leases of one and of several, enqueued points and imports, from many clients at once."""
    many = 2 * MANY

    async def ask(client, i, told):
        """Leases until the budget is spent; each seventh request is sent twice."""
        for n in itertools.count():
            body = {"request_id": f"{i}-{n}", "worker": f"w{i}", "trainers": ["external"], "count": 1 + i % 4}
            found = await client.post("/api/v1/leases", json=body)
            if n % 7 == 0:
                again = await client.post("/api/v1/leases", json=body)
                assert not found.json()["leases"] or again.json()["leases"] == found.json()["leases"]
            told += [(one["number"], one["attempt"]) for one in found.json()["leases"]]
            if found.json()["reason"] == "nothing-waiting":
                return

    async def add(client, i, told):
        """Points to be tried, which count against the budget, and results from elsewhere, which do not."""
        for n in range(many // 100):
            trials = [{"params": {"x": 0.5}}, {"params": {"x": 0.5}, "state": "complete", "value": 0.1}][
                : 1 + (i + n) % 2
            ]
            answer = await client.post(f"{STUDY}/trials", json={"trials": trials})
            if answer.status_code == 200:
                told += answer.json()["numbers"]

    async def check(client):
        await submit(client, budget={"n_trials": many})
        leased, added = [], []
        await asyncio.gather(
            *(ask(client, i, leased) for i in range(CLIENTS - 4)), *(add(client, i, added) for i in range(4))
        )
        study = (await client.get(STUDY)).json()
        imported = study["counts"]["complete"]
        assert study["counts"]["running"] == many
        assert await numbers_of(client) == list(range(many + imported))
        assert sorted(leased) == [(n, 1) for n in sorted({n for n, _ in leased})]
        assert len(added) == len(set(added))
        assert {n for n, _ in leased} | set(added) == set(range(many + imported))

    all_at_once(serve, check)


async def upload(client, one):
    """A checkpoint at step 0, which has been reported."""
    asked = {"sha256": hashlib.sha256(CONTENT).hexdigest(), "step": 0}
    return await client.put(f"/api/v1/leases/{one['lease']}/artifacts/checkpoint", params=asked, content=CONTENT)


def write(client, one, kind):
    """One write under a lease; what it reports tells whose it is."""
    value = float(one["attempt"])
    if kind in ("renew", "release"):
        return client.post(f"/api/v1/leases/{one['lease']}/{kind}")
    return {
        "report": lambda: report(client, one, value, value, value),
        "finish": lambda: finish(client, one, value=value),
        "fail": lambda: finish(client, one, state="failed", error="too late"),
        "upload": lambda: upload(client, one),
    }[kind]()


KINDS = ("report", "finish", "fail", "renew", "release", "upload")


def test_no_write_of_an_older_attempt_is_accepted(serve):
    """Attempts expire again and again; each one's writes race with the grant of the next, and come after it."""
    chance = random.Random(0)

    async def attempt(client, old):
        """Let the newest attempt expire, race its renewal with the next grant, and write under all older ones."""
        await expire(client)
        racing = [write(client, one, chance.choice(KINDS)) for one in old[:-1] for _ in range(2)]
        racing += [
            write(client, old[-1], kind) for kind in ("report", "renew", "report")
        ]  # those may still come in time
        new, *answers = await asyncio.gather(lease(client, old[0]["study"], worker=f"w{len(old)}"), *racing)
        late = [write(client, old[-1], kind) for kind in KINDS] if new is not None else []
        refused = [*answers[: 2 * len(old) - 2], *(await asyncio.gather(*late))]
        assert {(answer.status_code, answer.json()["code"]) for answer in refused} <= {LOST}
        return new, len(refused)

    async def trial(client, study):
        """The one trial of a study through many attempts; how many writes were refused."""
        await submit(client, name=study, budget={"n_trials": 1}, trial={"max_attempts": 100})
        old, refused = [await lease(client, study)], 0
        while len(old) < 20 and refused < MANY:
            new, n = await attempt(client, old)
            refused += n
            if new is not None:
                assert (new["number"], new["attempt"]) == (0, len(old) + 1)
                old.append(new)
        await report(client, old[-1], float(len(old)))
        await finish(client, old[-1], value=-1.0)
        path = f"/api/v1/studies/{study}/trials/0"
        found = (await client.get(path)).json()
        assert (found["state"], found["value"], found["attempt"]) == ("complete", -1.0, len(old))
        assert {one["metrics"]["loss"] for one in found["reports"]} == {float(len(old))}
        assert [one["outcome"] for one in found["attempts"]] == ["expired"] * (len(old) - 1) + ["complete"]
        assert (await client.get(f"{path}/artifacts")).json()["items"] == []
        return refused

    async def check(client):
        refused = 0
        while refused < MANY:
            refused += await trial(client, f"study-{refused}")
        print(f"{refused} stale writes, none accepted")

    all_at_once(serve, check)
