"""The whole HTTP API against a plain model of it: whatever requests come, each is answered as foretold.

Hypothesis makes up the requests: of owners, strangers, workers and viewers, many of them sent two or three times; after
each one, all studies are as the model has them. Its search is the same in each run; for a longer one, with other
requests each time:

    TRIALBOOK_MODEL_EXAMPLES=2000 python -m pytest tests/service/test_model.py
"""

import asyncio
import hashlib
import itertools
import os
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text

from service import auth
from service.app import create_app, tick, tick_for_ever
from service.settings import Settings
from service.store.events import Cursor, events_since
from tests.service.model import METRIC, NOT_FOUND, OPEN_OR_PAUSED, RUNGS, STATES, Study, Told, Trial, spelled

pytestmark = pytest.mark.slow
API = "/api/v1"
EXAMPLES = int(os.environ.get("TRIALBOOK_MODEL_EXAMPLES", "25"))
HOUR = 3600.0  # a lease's time: leases expire when the machine says so
AUDITED = {"name": "threshold", "upper": 5.0, "audit": 0.5}
RANDOM = {"name": "random", "seed": 7}  # by which an audit lets the first trial run on, not the second
HALVING = {"name": "asha", "min_resource": 1, "max_resource": 8, "reduction_factor": 2, "promote": True}

letters = st.sampled_from("aaaabbc")  # studies
owners = st.sampled_from(["alice"] * 7 + ["bob"])
times = st.sampled_from([1, 1, 1, 1, 2, 3])
some = st.sampled_from([0, 0, 0, 0, 1, 1, 2, 3, 5, 8])  # picks one of what there is, the latest first
values = st.sampled_from([0.5, 0.25, 1.0, -2.0, 7.5, "nan", "inf", "-inf"])
metrics = st.one_of(
    st.builds(lambda value: {METRIC: value}, values),
    st.builds(lambda value, other: {METRIC: value, "other": other}, values, values),
    st.just({"other": None}),
)
reports = st.lists(
    st.builds(lambda step, found: {"step": step, "metrics": found}, st.integers(0, 5), metrics), min_size=1, max_size=3
)
budgets = st.fixed_dictionaries(
    {},
    optional={
        "n_trials": st.integers(1, 8),
        "target_value": st.sampled_from([-1.5, 0.3, 0.75]),
        "patience": st.integers(1, 3),
        "max_epochs": st.integers(1, 9),
    },
)
kinds = st.fixed_dictionaries(
    {
        "sampler": st.sampled_from([RANDOM, RANDOM, {"name": "grid"}]),
        "budget": budgets,
        "direction": st.sampled_from(["minimize", "maximize"]),
        "pruner": st.sampled_from([{"name": "none"}, AUDITED, AUDITED, HALVING, HALVING]),
        "early_stopping": st.sampled_from([None, {"patience": 2, "min_delta": 0.0}]),
        "trial": st.builds(lambda most: {"max_attempts": most}, st.integers(1, 3)),
    }
)
finishes = st.fixed_dictionaries(
    {"state": st.sampled_from(["complete", "complete", "complete", "pruned", "failed", "paused"])},
    optional={
        "value": values,
        "error": st.just("planned"),
        "attributes": st.sampled_from([{"a": 1}, {"b": [True, None]}]),
        "retry": st.booleans(),
    },
)
contents = st.sampled_from([b"one", b"two"])


SETS = ["put_set", "put_set", "pin_set", "pin_set", "get_set", "get_set", "delete_set"]
ASIDE = [*SETS, "step_out_of_ones_role", "make_and_revoke", "forge"]


class House:
    """The application and its clients; `run` does one thing on its event loop."""

    def __init__(self, runner: asyncio.Runner, app: Any, client: httpx.AsyncClient) -> None:
        self.run, self.client, self.context = runner.run, client, app.state.context
        self.examples = itertools.count()
        self.finished = itertools.count(1)  # the order of results, over all studies
        self.promoted = 0


@pytest.fixture
def house(database_url: str, tmp_path: Any) -> Iterator[House]:
    """One application for all examples, its clockwork stopped: time passes when the machine says so."""
    app = create_app(Settings(data=tmp_path, lease_seconds=HOUR), database_url)
    life = app.router.lifespan_context(app)

    async def begin() -> httpx.AsyncClient:
        await life.__aenter__()
        for task in asyncio.all_tasks():
            if task.get_coro().cr_code is tick_for_ever.__code__:
                task.cancel()
        await auth.keep_first_token(app.state.context, "first")
        return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")

    with asyncio.Runner() as runner:
        client = runner.run(begin())
        yield House(runner, app, client)
        runner.run(client.aclose())
        runner.run(life.__aexit__(None, None, None))


class Service(RuleBasedStateMachine):
    """The requests. `told` is what the model foretells of each."""

    def __init__(self, house: House) -> None:
        super().__init__()
        self.house, self.id = house, next(house.examples)
        self.trainer = f"own:train{self.id}"
        self.numbers = itertools.count()
        self.studies: dict[str, Study] = {}
        self.leases: list[tuple[Study, Trial, int, str]] = []  # with the attempt and the lease's id
        self.asked: list[tuple[dict[str, Any], list[tuple[Study, Trial, int, str]]]] = []  # requests with what they got
        self.keys: list[tuple[str, str, dict[str, Any], bytes]] = []  # path, key, body, answer of requests with keys
        self.sets: dict[str, tuple[str, str]] = {}  # by name: owner and SHA-256
        self.bytes: dict[str, bytes] = {}  # by SHA-256
        self.pinned: dict[str, str] = {}  # studies of data sets, by name: SHA-256
        self.seen: dict[str, tuple[int, Cursor, Counter[Any]]] = {}  # by study: its row, a position in its events

    # How requests are sent, and answers compared.

    def send(self, method: str, path: str, who: str = "alice", **request: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.tokens[who]}", **request.pop("headers", {})}
        return self.house.run(self.house.client.request(method, API + path, headers=headers, **request))

    def expect(self, told: Told, answer: httpx.Response) -> Any:
        body = answer.json() if answer.content else {}
        assert (answer.status_code, body.get("code")) == (told.status, told.code), body
        if told.content is not None:
            assert answer.content == told.content
        for name, value in told.body.items():
            assert body[name] == value, (name, body[name], value)
        if told.code is not None:
            assert answer.headers["content-type"] == "application/problem+json"
        return body

    def tell(self, path: str, told: Callable[[], Told], n: int, body: Any = None, **request: Any) -> Any:
        """POST a body n times; the model is asked each time what to expect."""
        for _ in range(n):
            expected = told()
            found = self.expect(expected, self.send("POST", path, json=body, **request))
        return found

    def pick(self, found: list[Any], which: int) -> Any:
        return found[-1 - which % len(found)]

    def name(self, letter: str) -> str:
        return f"{letter}-{self.id}"

    def told_of(self, letter: str, who: str, told: Callable[[Study], Told]) -> Callable[[], Told]:
        """What a user is told of a study: nothing of somebody else's."""
        study = self.studies.get(self.name(letter))
        owned = study is not None and who in (study.owner, "first")
        return lambda: told(study) if owned and self.name(letter) in self.studies else NOT_FOUND

    def make_tokens(self) -> None:
        self.tokens = {"first": "first"}
        for who, role in (("alice", "submitter"), ("bob", "submitter"), ("worker", "worker"), ("viewer", "viewer")):
            owner = "alice" if who == "viewer" else who
            answer = self.send("POST", "/tokens", "first", json={"role": role, "owner": f"{owner}-{self.id}"})
            self.tokens[who] = self.expect(Told(body={"role": role}), answer)["token"]

    def teardown(self) -> None:
        self.house.promoted += sum(study.promoted for study in self.studies.values())
        for name in (*self.studies, *self.pinned):
            self.send("DELETE", f"/studies/{name}", "first")
        for name in self.sets:
            self.send("DELETE", f"/datasets/{name}", "first")

    # Studies.

    @initialize(one=kinds, other=kinds)
    def begin(self, one, other):
        self.make_tokens()
        self.create("a", "alice", one, with_key=False, n=1)
        self.create("b", "alice", other, with_key=True, n=2)

    @rule(letter=letters, who=owners, kind=kinds, with_key=st.booleans(), n=times)
    def create(self, letter, who, kind, with_key, n):
        is_grid = kind["sampler"]["name"] == "grid"
        x = {"type": "int", "low": 0, "high": 3} if is_grid else {"type": "float", "low": 0.0, "high": 1.0}
        objective = {"trainer": self.trainer, "metric": METRIC, "direction": kind["direction"]}
        spec = {name: value for name, value in kind.items() if name != "direction"}
        spec |= {"name": self.name(letter), "objective": objective, "space": {"x": x}}
        key = {"idempotency-key": f"key-{next(self.numbers)}"} if with_key else {}
        taken = self.name(letter) in self.studies or self.name(letter) in self.pinned
        valid = Told(body={"valid": True, "n_cells": 4 if is_grid else None, "name_taken": taken})
        self.expect(valid, self.send("POST", "/studies/validate", who, json=spec))
        first = b""
        for turn in range(n):
            answer = self.send("POST", "/studies", who, json=spec, headers=key)
            if taken or (turn and not with_key):
                self.expect(Told(409, "name-taken"), answer)
            elif turn:
                self.expect(Told(201, content=first), answer)
            else:
                first = answer.content
                owner = f"{who}-{self.id}"
                study = Study(spec, owner, 4 if is_grid else None, self.house.finished)
                study.owner = who
                told = Told(201, body={**study.view(), "owner": owner})
                self.expect(told, answer)
                self.studies[spec["name"]] = study
                if with_key:
                    self.keys.append((who, key["idempotency-key"], spec, first))

    @rule(
        letter=letters,
        who=st.sampled_from(["alice", "alice", "alice", "alice", "bob", "first"]),
        verb=st.sampled_from(["pause", "resume", "resume", "resume", "pause", "cancel"]),
        n=times,
    )
    def switch(self, letter, who, verb, n):
        told = self.told_of(letter, who, lambda study: self.shown(getattr(study, verb)()))
        self.tell(f"/studies/{self.name(letter)}/{verb}", told, n, who=who)

    def shown(self, told: Told) -> Told:
        """A study's owner as the service spells it."""
        if "owner" in told.body:
            told.body["owner"] += f"-{self.id}"
        return told

    @rule(
        letter=letters,
        who=owners,
        body=st.fixed_dictionaries(
            {},
            optional={
                "budget": budgets,
                "notes": st.sampled_from(["", "Seen."]),
                "tags": st.sampled_from([{}, {"team": "vision"}]),
            },
        ),
        n=times,
    )
    def update(self, letter, who, body, n):
        told = self.told_of(letter, who, lambda study: self.shown(study.change(body)))
        for _ in range(n):
            self.expect(told(), self.send("PATCH", f"/studies/{self.name(letter)}", who, json=body))

    @rule(letter=letters, who=owners, n=times, really=st.sampled_from([False, False, True]))
    def delete(self, letter, who, n, really):
        if not really:
            return
        told = self.told_of(letter, who, lambda study: Told(204))
        for _ in range(n):
            expected = told()
            self.expect(expected, self.send("DELETE", f"/studies/{self.name(letter)}", who))
            if expected.status == 204:
                del self.studies[self.name(letter)]
                self.seen.pop(self.name(letter), None)

    @precondition(lambda self: self.keys)
    @rule(which=some, change=st.booleans())
    def repeat_with_key(self, which, change):
        who, key, body, answer = self.pick(self.keys, which)
        path = "/studies" if "space" in body else body["path"]
        sent = {name: value for name, value in body.items() if name != "path"}
        if change:
            sent = {**sent, "notes": "other"} if "space" in sent else {"trials": [*sent["trials"], *sent["trials"]]}
        told = Told(409, "key-reused") if change else Told(201 if "space" in body else 200, content=answer)
        if "path" in body and body["path"].split("/")[2] not in self.studies:
            told = NOT_FOUND
        self.expect(told, self.send("POST", path, who, json=sent, headers={"idempotency-key": key}))

    # Trials by hand.

    @rule(
        letter=letters,
        who=owners,
        new=st.lists(
            st.one_of(
                st.just({}),
                st.fixed_dictionaries(
                    {"state": st.sampled_from(["complete", "pruned", "failed"]), "value": values},
                    optional={"reports": reports},
                ),
            ),
            min_size=1,
            max_size=2,
        ),
        with_key=st.booleans(),
        n=times,
    )
    def add(self, letter, who, new, with_key, n):
        trials = [{"params": {"x": 1}, **one} for one in new]
        path = f"/studies/{self.name(letter)}/trials"
        key = {"idempotency-key": f"key-{next(self.numbers)}"} if with_key else {}
        told = self.told_of(letter, who, lambda study: study.add(trials))
        first: bytes | None = None
        for _ in range(n):
            expected = Told(content=first) if first is not None and with_key else told()
            answer = self.send("POST", path, who, json={"trials": trials}, headers=key)
            self.expect(expected, answer)
            first = answer.content if answer.status_code == 200 else first
        if with_key and first is not None:
            self.keys.append((who, key["idempotency-key"], {"path": path, "trials": trials}, first))

    @rule(letter=letters, who=owners, number=st.integers(0, 5), n=times)
    def cancel_trial(self, letter, who, number, n):
        told = self.told_of(letter, who, lambda study: study.cancel_trial(number))
        self.tell(f"/studies/{self.name(letter)}/trials/{number}/cancel", told, n, who=who)

    # Workers.

    @rule(
        letter=st.sampled_from(["a", "a", "a", "b", "b", "c", None, None]),
        who=st.sampled_from(["worker"] * 6 + ["alice", "bob"]),
        count=st.sampled_from([1, 1, 2, 3]),
        ours=st.sampled_from([True] * 9 + [False]),
        can_pause=st.sampled_from([True, True, True, False]),
        n=times,
    )
    def lease(self, letter, who, count, ours, can_pause, n):
        body = {"request_id": f"request-{self.id}-{next(self.numbers)}", "worker": who, "count": count}
        body |= {"trainers": [self.trainer if ours else "other:train"], "can_pause": can_pause}
        body |= {} if letter is None else {"study": self.name(letter)}
        for _ in range(n):
            self.ask(body)

    @precondition(lambda self: self.asked)
    @rule(which=some)
    def ask_again(self, which):
        self.ask(self.pick(self.asked, which)[0])

    def ask(self, body: dict[str, Any]) -> None:
        """A worker is told of all studies, a user of his own ones only."""
        who = body["worker"]
        answer = self.send("POST", "/leases", who, json=body)
        study = self.studies.get(body.get("study", ""))
        if "study" in body and (study is None or who not in ("worker", study.owner)):
            self.expect(NOT_FOUND, answer)
            return
        found = self.expect(Told(), answer)["leases"]
        before = [
            got for sent, got in self.asked if sent == body and got and got[0][0] is self.studies.get(got[0][0].name)
        ]
        if before:
            told = [(study.name, trial.number, attempt, lease) for study, trial, attempt, lease in before[-1]]
            assert [(one["study"], one["number"], one["attempt"], one["lease"]) for one in found] == told
            return
        study, granted = self.granted(body)
        assert [one["number"] for one in found] == [trial.number for trial in granted]
        got = []
        for one, trial in zip(found, granted, strict=True):
            told = {"study": study.name, "attempt": trial.attempt, "resume_step": trial.attempts[-1].resume_step}
            told |= {"rungs": list(RUNGS) if body["can_pause"] and study.factor is not None else None}
            assert {name: one[name] for name in told} == told
            assert trial.params in (None, one["params"])
            trial.params = one["params"]
            got.append((study, trial, trial.attempt, one["lease"]))
        self.leases += got
        self.asked.append((body, got))

    def granted(self, body: dict[str, Any]) -> tuple[Any, list[Trial]]:
        """The study that a request gets trials of, and those; of several the one with the fewest running first."""
        who = body["worker"]
        studies = [one for one in self.studies.values() if body["trainers"] == [self.trainer]]
        studies = [one for one in studies if who in ("worker", one.owner)]
        if "study" in body:
            studies = [one for one in studies if one.name == body["study"]]
        for study in sorted(studies, key=lambda one: one.counts["running"]):  # as old as they stand in the dict
            if granted := study.grant(body["worker"], body["count"], body["can_pause"]):
                return study, granted
        return None, []

    @rule(letter=letters, sent=st.lists(reports, max_size=2), body=finishes, n=times)
    def train(self, letter, sent, body, n):
        """As a worker does: a lease, some reports, a result."""
        had = len(self.leases)
        self.lease(letter, "worker", 1, True, True, n)
        if len(self.leases) > had:
            for batch in sent:
                self.report(0, batch, n)
            told_to = self.leases[-1][1].pauses and body["state"] != "failed"
            self.finish(0, {"state": "paused"} if told_to else body, n)

    @rule(letter=letters, losses=st.lists(st.sampled_from([0.5, 0.25, 1.0, -2.0]), min_size=2, max_size=4))
    def race(self, letter, losses):
        """Workers come to a step one after another, and pause where they are told to."""
        for loss in losses:
            had = len(self.leases)
            self.lease(letter, "worker", 1, True, True, 1)
            if len(self.leases) == had:
                return
            trial = self.leases[-1][1]
            step = 0 if trial.last_step is None else trial.last_step + 1
            self.report(0, [{"step": step, "metrics": {METRIC: loss}}], 1)
            if trial.pauses:
                self.finish(0, {"state": "paused"}, 1)

    def under_lease(self, which: int, told: Callable[[Study, Trial, int], Told]) -> tuple[str, Callable[[], Told]]:
        study, trial, attempt, lease = self.pick(self.leases, which)
        gone = self.studies.get(study.name) is not study
        return lease, lambda: NOT_FOUND if gone else told(study, trial, attempt)

    @precondition(lambda self: self.leases)
    @rule(which=some, sent=reports, n=times)
    def report(self, which, sent, n):
        lease, told = self.under_lease(which, lambda study, trial, attempt: study.report(trial, attempt, sent))
        found = self.tell(f"/leases/{lease}/reports", told, n, {"reports": sent}, who="worker")
        trial = self.pick(self.leases, which)[1]
        if found.get("decision") in ("prune", "pause") and trial.prune_reason == "":
            words = ("threshold", "finite", "not among the best", "goes on from step")
            assert any(one in found["reason"] for one in words), found
            trial.prune_reason = found["reason"]

    @precondition(lambda self: self.leases)
    @rule(which=some, verb=st.sampled_from(["renew", "release"]), n=times)
    def hold_or_let_go(self, which, verb, n):
        lease, told = self.under_lease(which, lambda study, trial, attempt: getattr(study, verb)(trial, attempt))
        self.tell(f"/leases/{lease}/{verb}", told, n, who="worker")

    @precondition(lambda self: self.leases)
    @rule(which=some, body=finishes, n=times)
    def finish(self, which, body, n):
        lease, told = self.under_lease(which, lambda study, trial, attempt: study.finish(trial, attempt, body))
        _, trial, attempt, _ = self.pick(self.leases, which)
        for _ in range(n):
            expected = told()
            answer = self.send("POST", f"/leases/{lease}/finish", "worker", json=body)
            self.expect(expected, answer)
            if answer.status_code == 200:
                trial.attempts[attempt - 1].answer = answer.content

    @precondition(lambda self: self.leases)
    @rule(
        which=some,
        name=st.sampled_from(["checkpoint", "checkpoint", "log.txt"]),
        content=contents,
        step=st.one_of(st.none(), st.integers(0, 5)),
        n=times,
    )
    def upload(self, which, name, content, step, n):
        sha256 = hashlib.sha256(content).hexdigest()
        lease, told = self.under_lease(
            which, lambda study, trial, attempt: study.upload(trial, attempt, name, content, sha256, step)
        )
        told_first = Told(422, "invalid") if name == "checkpoint" and step is None else None
        asked = {"sha256": sha256} | ({} if step is None else {"step": step})
        for _ in range(n):
            path = f"/leases/{lease}/artifacts/{name}"
            self.expect(told_first or told(), self.send("PUT", path, "worker", params=asked, content=content))

    def forge(self, version: int, **_: Any) -> None:
        lost, lease = Told(409, "lease-lost"), ("1.1.forged", "nothing", f"9999999.1.{'a' * 24}")[version]
        self.expect(lost, self.send("POST", f"/leases/{lease}/finish", "worker", json={"state": "failed"}))
        self.expect(lost, self.send("POST", f"/leases/{lease}/renew", "worker"))

    # Time.

    @rule(letter=letters)
    def expire(self, letter):
        statement = text("""
            update trials set lease_until = now() - interval '2 h' where state = 'running'
                and study_id in (select id from studies where name = :name)
        """)
        self.house.run(self.house.context.db.run(statement, {"name": self.name(letter)}))
        if study := self.studies.get(self.name(letter)):
            for trial in study.trials:
                trial.is_expired = trial.state == "running"

    @rule()
    def pass_time(self):
        self.house.run(tick(self.house.context))
        for study in self.studies.values():
            study.tick()

    # Beside the studies; less often.

    @rule(
        what=st.sampled_from(ASIDE),
        letter=st.sampled_from("dde"),
        who=owners,
        version=st.integers(0, 2),
        n=times,
    )
    def aside(self, what, letter, who, version, n):
        getattr(self, what)(letter=letter, who=who, version=version, n=n)

    def csv(self, version: int) -> bytes:
        return b"x,y\n" + b"".join(b"%d,%d\n" % (i, self.id * 10 + version + i) for i in range(20))

    def put_set(self, letter: str, who: str, version: int, n: int) -> None:
        content, name = self.csv(version), self.name(letter)
        sha256 = hashlib.sha256(content).hexdigest()
        theirs = self.sets.get(name, (who, ""))[0] != who
        told = Told(403, "forbidden") if theirs else Told(body={"name": name, "sha256": sha256, "rows": 20})
        asked = {"target": "y", "task": "regression"}
        for _ in range(n):
            request = {"params": asked, "content": content, "headers": {"content-type": "text/csv"}}
            self.expect(told, self.send("PUT", f"/datasets/{name}", who, **request))
        if not theirs:
            self.sets[name] = who, sha256
            self.bytes[sha256] = content

    def delete_set(self, letter: str, who: str, n: int, **_: Any) -> None:
        for _ in range(n):
            owner = self.sets.get(self.name(letter), (None, ""))[0]
            told = Told(204) if owner == who else NOT_FOUND
            self.expect(told, self.send("DELETE", f"/datasets/{self.name(letter)}", who))
            if owner == who:
                del self.sets[self.name(letter)]

    def pin_set(self, letter: str, version: int, **_: Any) -> None:
        name = f"pins-{letter}-{self.id}"
        if version == 0:
            told = Told(204) if self.pinned.pop(name, None) else NOT_FOUND
            self.expect(told, self.send("DELETE", f"/studies/{name}"))
            return
        spec = {
            "name": name,
            "objective": {"trainer": "linear", "data": self.name(letter), "metric": "val_loss"},
            "space": {"learning_rate": {"type": "float", "low": 0.01, "high": 0.1}},
        }
        known = self.sets.get(self.name(letter))
        told = Told(422, "invalid") if known is None else Told(409, "name-taken") if name in self.pinned else Told(201)
        self.expect(told, self.send("POST", "/studies", json=spec))
        if told.status == 201:
            self.pinned[name] = known[1]

    def get_set(self, letter: str, version: int, n: int, **_: Any) -> None:
        known = self.sets.get(self.name(letter))
        wanted = known and known[1]
        if n > 1:
            wanted = hashlib.sha256(self.csv(version)).hexdigest()
        needed = {sha256 for _, sha256 in self.sets.values()} | {*self.pinned.values()}
        told = Told() if wanted in needed else NOT_FOUND
        asked = {"sha256": wanted} if n > 1 else {}
        answer = self.send("GET", f"/datasets/{self.name(letter)}", "worker", params=asked)
        if told.status == 200:
            assert (answer.status_code, answer.content) == (200, self.bytes[wanted])
        else:
            self.expect(told, answer)

        for name in self.pinned:
            self.lease_of_pinned(name)

    def lease_of_pinned(self, name: str) -> None:
        body = {
            "request_id": f"request-{self.id}-{next(self.numbers)}",
            "worker": "w1",
            "trainers": ["linear"],
            "study": name,
        }
        [one] = self.expect(Told(), self.send("POST", "/leases", "worker", json=body))["leases"]
        assert one["data"]["sha256"] == self.pinned[name]

    def step_out_of_ones_role(self, letter: str, n: int, **_: Any) -> None:
        forbidden, path = Told(403, "forbidden"), f"/studies/{self.name(letter)}"
        self.tell(f"{path}/pause", lambda: forbidden, n, who="viewer")
        self.tell(f"{path}/trials", lambda: forbidden, n, {"trials": [{"params": {"x": 1}}]}, who="worker")
        self.expect(forbidden, self.send("GET", path, "worker"))
        self.expect(forbidden, self.send("DELETE", path, "viewer"))
        self.expect(forbidden, self.send("GET", "/tokens", "alice"))
        lease = {"request_id": "r", "worker": "w", "trainers": [self.trainer]}
        self.expect(forbidden, self.send("POST", "/leases", "viewer", json=lease))

    def make_and_revoke(self, version: int, **_: Any) -> None:
        role = ("viewer", "submitter", "worker")[version]
        made = self.expect(Told(body={"role": role}), self.send("POST", "/tokens", "first", json={"role": role}))
        self.tokens["brief"] = made["token"]
        self.expect(Told(), self.send("GET", "/trainers", "brief"))
        self.expect(Told(204), self.send("DELETE", f"/tokens/{made['id']}", "first"))
        self.expect(NOT_FOUND, self.send("DELETE", f"/tokens/{made['id']}", "first"))
        self.expect(Told(401, "unauthorized"), self.send("GET", "/trainers", "brief"))
        listed = self.expect(Told(), self.send("GET", "/tokens", "first"))["items"]
        [one] = [token for token in listed if token["id"] == made["id"]]
        assert one["revoked_at"] is not None
        assert "token" not in one

    # Reading.

    @rule(
        letter=letters,
        who=st.sampled_from(["alice", "alice", "viewer", "bob"]),
        states=st.lists(st.sampled_from(STATES), max_size=2),
        order=st.sampled_from(["number", "-number", "value", "-value"]),
        limit=st.integers(1, 3),
    )
    def list_trials(self, letter, who, states, order, limit):
        study = self.studies.get(self.name(letter))
        path = f"/studies/{self.name(letter)}/trials"
        if study is None or (who == "bob") != (study.owner == "bob"):
            self.expect(NOT_FOUND, self.send("GET", path, who))
            return
        chosen = [trial for trial in study.trials if not states or trial.state in states]
        keys = {
            "number": lambda t: t.number,
            "value": lambda t: (float("inf") if t.score is None else t.score, t.number),
        }
        chosen.sort(key=keys[order.lstrip("-")], reverse=order[0] == "-")
        found, cursor = [], None
        while True:
            asked = {"state": states, "order": order, "limit": limit} | ({"cursor": cursor} if cursor else {})
            page = self.expect(Told(), self.send("GET", path, who, params=asked))
            found, cursor = found + page["items"], page["next_cursor"]
            assert len(page["items"]) == limit or cursor is None
            if cursor is None:
                break
        assert [one["number"] for one in found] == [trial.number for trial in chosen]

    @rule(who=st.sampled_from(["alice", "bob"]), state=st.sampled_from([None, "running", "completed"]))
    def list_studies(self, who, state):
        found, cursor = [], None
        while True:
            asked = {"limit": 1} | ({"state": state} if state else {}) | ({"cursor": cursor} if cursor else {})
            page = self.expect(Told(), self.send("GET", "/studies", who, params=asked))
            found, cursor = found + [one["name"] for one in page["items"]], page["next_cursor"]
            if cursor is None:
                break
        mine = [s.name for s in self.studies.values() if s.owner == who and (state is None or s.state == state)]
        assert [name for name in found if name not in self.pinned] == mine[::-1]

    @rule(letter=letters)
    def read_events(self, letter):
        if (study := self.studies.get(self.name(letter))) is None:
            return
        row, position, seen = self.seen.get(study.name) or (self.row(study), Cursor(0, 0), Counter())
        for event in self.house.run(events_since(self.house.context.db, row, position)):
            seen[told_of_event(event)] += 1
            position = event.cursor
        self.seen[study.name] = row, position, seen
        assert seen == Counter(study.events)

    def row(self, study: Study) -> int:
        statement = text("select id from studies where name = :name")
        return self.house.run(self.house.context.db.run(statement, {"name": study.name}))[0]["id"]

    @rule(letter=letters)
    def read_all(self, letter):
        if (study := self.studies.get(self.name(letter))) is None:
            return
        path = f"/studies/{study.name}"
        for trial in study.trials:
            self.read_trial(study, trial)
        self.expect(NOT_FOUND, self.send("GET", f"{path}/trials/{len(study.trials)}", study.owner))
        curves = self.expect(Told(), self.send("GET", f"{path}/curves", study.owner, params={"metric": METRIC}))[
            "items"
        ]
        assert {one["number"]: one["steps"] for one in curves} == {
            t.number: sorted(t.reports) for t in study.trials if t.reports
        }
        export = self.expect(Told(), self.send("GET", f"{path}/export", study.owner))
        assert [(one["number"], one["state"]) for one in export["trials"]] == [
            (t.number, t.state) for t in study.trials
        ]
        history = self.expect(Told(), self.send("GET", f"{path}/analysis/history", study.owner))["items"]
        assert [one["value"] for one in history] == [spelled(t.value) for t in study.trials]

    def read_trial(self, study: Study, trial: Trial) -> None:
        path = f"/studies/{study.name}/trials/{trial.number}"
        told = [
            {"step": step, "metrics": {k: spelled(float("nan") if v is None else float(v)) for k, v in found.items()}}
            for step, found in sorted(trial.reports.items())
        ]
        found = self.expect(Told(body={"reports": told, **trial.view()}), self.send("GET", path, study.owner))
        attempts = [(one["attempt"], one["worker"], one["outcome"], one["error"]) for one in found["attempts"]]
        assert attempts == [(i, one.worker, one.outcome, one.error) for i, one in enumerate(trial.attempts, 1)]
        files = self.expect(Told(), self.send("GET", f"{path}/artifacts", study.owner))["items"]
        stored = [{name: one[name] for name in ("name", "size", "sha256", "step", "attempt")} for one in files]
        assert stored == [trial.artifacts[name] for name in sorted(trial.artifacts)]
        for name, content in trial.contents.items():
            assert self.send("GET", f"{path}/artifacts/{name}", study.owner).content == content
            told = 200 if trial.state == "running" and trial.worker == "worker" else 404
            assert self.send("GET", f"{path}/artifacts/{name}", "worker").status_code == told

    # What holds after every request.

    @invariant()
    def all_studies_are_as_foretold(self):
        for study in self.studies.values():
            told = self.shown(Told(body=study.view()))
            found = self.expect(told, self.send("GET", f"/studies/{study.name}", study.owner))
            best = study.best
            assert (found["best"] and found["best"]["number"]) == (best and best.number)
            listed = self.expect(Told(), self.send("GET", f"/studies/{study.name}/trials", study.owner))["items"]
            assert [one["number"] for one in listed] == list(range(len(study.trials)))
            for one, trial in zip(listed, study.trials, strict=True):
                shown = trial.view()
                assert {name: one[name] for name in shown} == shown
            self.check_promises(study, listed)

    def check_promises(self, study: Study, listed: list[dict[str, Any]]) -> None:
        """Those that hold of a study as it is, whatever the model says."""
        counted = [one for one, trial in zip(listed, study.trials, strict=True) if trial.source != "import"]
        assert study.n_trials is None or len(counted) <= study.n_trials
        cells = [one["params"]["x"] for one, t in zip(listed, study.trials, strict=True) if t.source == "sampler"]
        assert study.cells is None or len(cells) == len(set(cells)) <= study.cells
        if study.state == "completed" and study.reason == "all cells of the grid are done":
            assert len(cells) == study.cells
        assert study.state in ("running", "paused") or not any(one["state"] in OPEN_OR_PAUSED for one in listed)


def told_of_event(event: Any) -> tuple[Any, ...]:
    """An event as the model notes it."""
    data = event.data
    if event.kind == "report":
        return event.kind, event.number, data["first_step"], data["last_step"]
    return event.kind, event.number, data["note" if event.kind == "artifact" else "state"]


def test_every_answer_is_as_the_model_foretells(house):
    by_hand = "TRIALBOOK_MODEL_EXAMPLES" in os.environ
    run_state_machine_as_test(
        lambda: Service(house),
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=50,
            derandomize=not by_hand,
            database=None,
            deadline=None,
            print_blob=False,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert house.promoted > 0
