"""Each two writes on one trial, interleaved at every statement: what comes out is what one of their two orders brings.

Of each ordered pair the first write is stopped before each of its statements, and before its commits, while the second
runs as far as it can; and both are made to queue for the trial's and for the study's row, in this order.
"""

import asyncio
import hashlib
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx
import pytest
from sqlalchemy import text

from service import auth, promoting
from service.app import create_app, tick_for_ever
from service.leases import lease_id
from service.retention import keep_for_ever
from service.settings import Settings
from service.store import closing, granting, tables
from service.store.database import dsn_of
from service.store.reporting import MetricSets
from tests.service.calls import spec
from tests.store.schedules import Schedules, SteppedDatabase

pytestmark = pytest.mark.slow
API = "/api/v1"
NUMBERS = itertools.count()
MOST = 40  # statements of one write, far more than any has
CLOCKWORK = (tick_for_ever.__code__, keep_for_ever.__code__)

SNAPSHOT = """
    select json_build_object(
        'study', (select json_build_array(state, reason, n_trials, made, counted, finished_at is null) from studies
            where id = $1),
        'trials', (select json_agg(json_build_array(number, state, attempt, failures, worker, value, score, reason,
            error, last_step, best_score, prune_step, attributes, lease_until is null, finished_at is null,
            finish_seq is null, pauses, rung) order by number) from trials where study_id = $1),
        'attempts', (select json_agg(json_build_array(t.number, a.attempt, a.worker, a.outcome, a.resume_step, a.error,
            a.ended_at is null, a.paused_step, a.paused_rung, a.paused_score, a.paused_seq is null,
            a.promoted_at is null, a.promoted_against) order by t.number, a.attempt)
            from attempts a join trials t on t.id = a.trial_id where t.study_id = $1),
        'reports', (select json_agg(json_build_array(t.number, r.step, r.attempt, r.vals) order by t.number, r.step)
            from reports r join trials t on t.id = r.trial_id where t.study_id = $1),
        'artifacts', (select json_agg(json_build_array(t.number, a.name, a.step, a.attempt, a.sha256)
            order by t.number, a.name) from artifacts a join trials t on t.id = a.trial_id where t.study_id = $1),
        'events of the study', (select json_agg(json_build_array(kind, state, note) order by id)
            from events where study_id = $1 and number is null),
        'events of trials', (select json_agg(json_build_array(number, kind, state) order by number, id)
            from events where study_id = $1 and kind = 'trial'),
        'other events', (select json_agg(json_build_array(number, kind, note, first_step, last_step)
            order by number, kind, note, first_step) from events where study_id = $1 and kind in ('report', 'artifact'))
    )
"""


def _columns(table: Any, *others: str) -> str:
    return ", ".join(column.name for column in table.c if column.name not in others)


STUDY, TRIAL = _columns(tables.studies, "id", "name"), _columns(tables.trials, "id", "study_id")
ATTEMPT = _columns(tables.attempts, "trial_id", "request_id")
REPORT = _columns(tables.reports, "trial_id", "study_id")
EVENT = _columns(tables.events, "xid", "id", "study_id")
COPY = f"""
    with made as (
        insert into studies (name, {STUDY}) select $2, {STUDY} from studies where id = $1 returning id
    ), trial as (
        insert into trials (study_id, {TRIAL}) select made.id, {TRIAL} from made, trials where study_id = $1
        returning id, number
    ), pair as (
        select old.id as old, trial.id as new from trials old join trial using (number) where old.study_id = $1
    ), attempt as (
        insert into attempts (trial_id, request_id, {ATTEMPT}) select new, $2 || old, {ATTEMPT}
        from pair join attempts on trial_id = old
    ), report as (
        insert into reports (trial_id, study_id, {REPORT}) select new, made.id, {REPORT}
        from made, pair join reports on trial_id = old
    ), event as (
        insert into events (study_id, {EVENT}) select made.id, {EVENT} from made, events where study_id = $1
        order by events.id
    )
    select made.id as study_id, array_agg(trial.id order by number) as trials from made, trial group by made.id
"""  # noqa: S608  # column names of our own


@dataclass
class Place:
    """A study with one running trial that has a report, and its lease; each schedule has one of its own. Where trials
    pause, a rival has its lease of another trial."""

    client: httpx.AsyncClient
    study: str
    study_id: int
    trial_id: int
    lease: str
    rival: str = ""
    context: Any = None

    async def post(self, path: str, body: Any = None) -> Any:
        return told(await self.client.post(f"{API}{path}", json=body))

    async def under_lease(self, verb: str, body: Any = None) -> Any:
        return await self.post(f"/leases/{self.lease}/{verb}", body)

    async def of_study(self, verb: str) -> Any:
        return (await self.post(f"/studies/{self.study}/{verb}"))[:2]  # counts are read after the write, so left out

    async def extend(self) -> Any:
        answer = await self.client.patch(f"{API}/studies/{self.study}", json={"budget": {"n_trials": 5}})
        return told(answer)[:2]

    async def delete(self) -> Any:
        return told(await self.client.delete(f"{API}/studies/{self.study}"))

    async def ask(self, count: int = 1) -> Any:
        body = {"request_id": f"next-{next(NUMBERS)}", "worker": "next", "trainers": ["external"], "study": self.study}
        body["count"] = count
        status, code, answer = await self.post("/leases", body)
        leases = (answer or {}).get("leases", [])
        return status, code, [(one["number"], one["attempt"], one["resume_step"]) for one in leases]

    async def put(self, content: bytes, step: int) -> Any:
        asked = {"sha256": hashlib.sha256(content).hexdigest(), "step": step}
        path = f"{API}/leases/{self.lease}/artifacts/checkpoint"
        return told(await self.client.put(path, params=asked, content=content))

    async def report(self, **losses: float) -> Any:
        reports = [{"step": int(step[1:]), "metrics": {"loss": loss}} for step, loss in losses.items()]
        return await self.under_lease("reports", {"reports": reports})

    async def worse(self) -> Any:
        """What the rival reports, so that the trial is among the best."""
        return await Place(self.client, self.study, self.study_id, 0, self.rival).report(_0=0.9)


KEPT = ("number", "state", "attempt", "value", "worker", "reason", "error", "decision", "leases", "step", "sha256")


def told(answer: httpx.Response) -> Any:
    """Status, code, and of the body what does not change from run to run."""
    assert answer.status_code < 500, answer.text
    body = answer.json() if answer.content else {}
    return answer.status_code, body.get("code"), {name: body[name] for name in KEPT if name in body}


WRITES = {
    "report": lambda place: place.report(_1=0.4, _2=0.3),
    "renew": lambda place: place.under_lease("renew"),
    "release": lambda place: place.under_lease("release"),
    "finish": lambda place: place.under_lease("finish", {"state": "complete", "value": 0.4}),
    "fail": lambda place: place.under_lease("finish", {"state": "failed", "error": "planned"}),
    "lease": lambda place: place.ask(),
    "cancel trial": lambda place: place.post(f"/studies/{place.study}/trials/0/cancel"),
    "cancel study": lambda place: place.of_study("cancel"),
    "pause study": lambda place: place.of_study("pause"),
    "delete study": lambda place: place.delete(),
    "checkpoint": lambda place: place.put(b"state", 0),
    "target": lambda place: place.under_lease("finish", {"state": "complete", "value": 0.1}),
    "extend": lambda place: place.extend(),
}
OTHERS = {  # the same, with other contents or in another place: paired where that makes a difference
    "report other": lambda place: place.report(_1=0.9, _3=0.2),
    "finish other": lambda place: place.under_lease("finish", {"state": "complete", "value": 0.7}),
    "checkpoint other": lambda place: place.put(b"other", 0),
    "make": lambda place: place.ask(),
    "lease two": lambda place: place.ask(count=2),
    "first lease": lambda place: place.ask(),
    "bad report": lambda place: place.report(_1=9.0),
    "later report": lambda place: place.report(_2=0.3),
    "resume study": lambda place: place.of_study("resume"),
}
PAUSES = {  # of a trial that was told to pause, or that is paused
    "pause": lambda place: place.under_lease("finish", {"state": "paused"}),
    "pause again": lambda place: place.under_lease("finish", {"state": "paused"}),
    "told again": lambda place: place.report(_0=0.5, _1=0.4),
    "worse": lambda place: place.worse(),
    "lost": lambda place: promoting.pause_expired(place.context),  # the clockwork, its worker's lease being over
}
ALL = WRITES | OTHERS | PAUSES
TOLD = ("pause", "worse", "told again", "lease", "release", "fail", "cancel trial", "cancel study")
PAUSED = ("pause again", "lease", "cancel trial")
LOST = ("pause", "told again", "release", "cancel trial")
ASKS = {"lease", "make", "lease two", "first lease"}
ENDS = ("cancel study", "delete study", "pause study", "extend")
ROOM = {"make", "lease two", "first lease", "target", "cancel study", "pause study", "extend"}
PAIRS = [
    *itertools.product(WRITES, WRITES),
    *(("report", "report other"), ("report other", "report"), ("finish", "finish other"), ("fail", "finish other")),
    *(("checkpoint", "checkpoint other"), ("pause study", "resume study")),
    *itertools.chain(*(((one, "make"), ("make", one)) for one in WRITES)),
    *itertools.chain(*(((one, other), (other, one)) for one in ENDS for other in ("lease two", "first lease"))),
    *(("bad report", "later report"), ("later report", "bad report")),
    ("pause", "pause"),
    *itertools.chain(*((("pause", one), (one, "pause")) for one in TOLD[1:])),
    *itertools.chain(*((("worse", one), (one, "worse")) for one in PAUSED)),
    *itertools.chain(*((("lost", one), (one, "lost")) for one in LOST)),
]


class House:
    """The application on a stepped database, its clockwork stopped, and places to write at."""

    def __init__(self, client: httpx.AsyncClient, context: Any, watch: Any, other: Any) -> None:
        self.client, self.context, self.watch = client, context, watch
        self.schedules = Schedules(watch, other)
        self.templates: dict[str, int] = {}
        self.passing: dict[tuple[str, ...], list[Any]] = {}
        self.orders: dict[tuple[str, ...], Any] = {}

    async def place(self, pair: tuple[str, ...]) -> Place:
        """A fresh place that suits these writes: a copy of one that was made by requests."""
        if PAUSES.keys() & {*pair}:
            place = await self.pausing_place(is_paused=not {"pause", "lost"} & {*pair})
            if "lost" in pair:
                expire = "update trials set lease_until = now() - interval '1 h' where id = $1"
                await self.watch.execute(expire, place.trial_id)
            return place
        budget = {"n_trials": 2 if ROOM & {*pair} else 1} | ({"target_value": 0.2} if "target" in pair else {})
        begun, expired = "first lease" not in pair, bool({"lease", "lease two"} & {*pair})
        kind = json.dumps([budget, begun, expired])
        if kind not in self.templates:
            self.templates[kind] = await self.template(budget, begun=begun, expired=expired)
        return await self.copy(self.templates[kind])

    async def copy(self, template: int) -> Place:
        name = f"study-{next(NUMBERS)}"
        row = await self.watch.fetchrow(COPY, template, name)
        leases = [lease_id(self.context.secret, trial, 1) for trial in row["trials"]]
        rival = leases[1] if leases[1:] else ""
        return Place(self.client, name, row["study_id"], row["trials"][0], leases[0], rival, self.context)

    async def pausing_place(self, *, is_paused: bool = False, is_told: bool = True) -> Place:
        """A place whose trial was told to pause at step 0, or is paused there, or has not come there."""
        kind = f"pausing {is_paused} {is_told}"
        if kind not in self.templates:
            name = f"template-{next(NUMBERS)}"
            pruner = {"name": "asha", "reduction_factor": 2, "max_resource": 4, "promote": True}
            await self.client.post(f"{API}/studies", json=spec(name=name, budget={"n_trials": 3}, pruner=pruner))
            asked = {"request_id": f"first-{name}", "worker": "first", "trainers": ["external"], "study": name}
            asked |= {"count": 2, "can_pause": True}
            one, other = (await self.client.post(f"{API}/leases", json=asked)).json()["leases"]
            place = Place(self.client, name, 0, 0, one["lease"], other["lease"])
            if is_told:
                assert (await place.report(_0=0.5))[2]["decision"] == "pause"
            if is_paused:
                assert (await PAUSES["pause"](place))[2]["state"] == "paused"
            self.templates[kind] = int(await self.watch.fetchval("select id from studies where name = $1", name))
        return await self.copy(self.templates[kind])

    async def template(self, budget: dict[str, Any], *, begun: bool, expired: bool) -> int:
        """The study of a place: with a running trial that has a report, or with nothing but an enqueued point."""
        name = f"template-{next(NUMBERS)}"
        pruner = {"name": "threshold", "upper": 5.0}
        await self.client.post(f"{API}/studies", json=spec(name=name, budget=budget, pruner=pruner))
        if not begun:
            await self.client.post(f"{API}/studies/{name}/trials", json={"trials": [{"params": {"x": 0.5}}]})
        else:
            asked = {"request_id": f"first-{name}", "worker": "first", "trainers": ["external"], "study": name}
            lease = (await self.client.post(f"{API}/leases", json=asked)).json()["leases"][0]["lease"]
            await Place(self.client, name, 0, 0, lease).report(_0=0.5)
        if expired:
            await self.watch.execute("update trials set lease_until = now() - interval '1 h'")
        return int(await self.watch.fetchval("select id from studies where name = $1", name))

    async def left(self, place: Place) -> Any:
        """What stands in the database."""
        return json.loads(await self.watch.fetchval(SNAPSHOT, place.study_id))

    async def in_order(self, *pair: str) -> Any:
        """What is left and answered where one write follows the other."""
        if pair not in self.orders:
            place = await self.place(pair)
            answers = [await ALL[name](place) for name in pair]
            self.orders[pair] = await self.left(place), tuple(answers)
        return self.orders[pair]

    async def check(self, first: str, second: str) -> None:
        """Run all schedules of a pair, and compare each with the two orders."""
        one, other = ALL[first], ALL[second]
        (ahead, answers), (behind, reversed_) = await self.in_order(first, second), await self.in_order(second, first)
        allowed = [(ahead, answers), (behind, reversed_[::-1])]
        allowed += await self.passed_over((first, second))
        for before in range(2, MOST):
            place = await self.place((first, second))
            answers = await self.schedules.stopped(lambda p=place: one(p), lambda p=place: other(p), before)
            if answers is None:
                break
            await self.compare(f"{first} stopped before statement {before}, {second}", place, answers, allowed)
        for row in ("trials", "studies"):
            place = await self.place((first, second))
            key = place.trial_id if row == "trials" else place.study_id
            answers = await self.schedules.queued(lambda p=place: one(p), lambda p=place: other(p), row, key)
            await self.compare(f"{first} then {second} queue for {row}", place, answers, allowed)

    async def passed_over(self, pair: tuple[str, str]) -> list[Any]:
        """A lease never waits for a trial that somebody is writing to: it passes it over, as if there were none. And it
        comes back empty from a study that was deleted after it had looked where there is work."""
        if not ASKS & {*pair}:
            return []
        if pair in self.passing:
            return self.passing[pair]
        found = self.passing[pair] = []
        for order in (pair, pair[::-1]):
            place, answers = await self.place(pair), []
            for name in order:
                async with self.schedules.held("trials" if name in ASKS else None, place.trial_id):
                    answers.append(await ALL[name](place))
            found.append((await self.left(place), tuple(answers if order == pair else answers[::-1])))
        if "delete study" in pair:
            found.append((found[0][0], tuple((200, None, []) if name in ASKS else (204, None, {}) for name in pair)))
        return found

    async def compare(self, what: str, place: Place, answers: Any, allowed: Any) -> None:
        """What is left and answered together is what one of the orders brings."""
        found = (await self.left(place), tuple(answers))
        assert found in allowed, f"{what}: " + "; or ".join(_differences(found, one) for one in allowed)


def _differences(found: Any, allowed: Any) -> str:
    parts = [
        f"{name} {found[0][name]} for {allowed[0][name]}" for name in found[0] if found[0][name] != allowed[0][name]
    ]
    if found[1] != allowed[1]:
        parts.append(f"answers {found[1]} for {allowed[1]}")
    return ", ".join(parts)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as one:
        yield one


@pytest.fixture(scope="module")
def house(runner: asyncio.Runner, make_database: Any, tmp_path_factory: Any) -> Iterator[House]:
    """One application for all pairs, on one event loop."""
    url = make_database()
    app = create_app(Settings(data=tmp_path_factory.mktemp("data")), url)
    life = app.router.lifespan_context(app)

    async def begin() -> House:
        watch, other = await asyncpg.connect(dsn_of(url)), await asyncpg.connect(dsn_of(url))
        await life.__aenter__()
        for task in asyncio.all_tasks():
            if task.get_coro().cr_code in CLOCKWORK:  # type: ignore[union-attr]
                task.cancel()  # time alone changes nothing here: no lease expires, no checkpoint is dropped
        context = app.state.context
        context.db = SteppedDatabase(url)
        context.sets = MetricSets(context.db)
        await auth.keep_first_token(context, "first")
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://localhost", headers={"authorization": "Bearer first"}
        )
        return House(client, context, watch, other)

    one = runner.run(begin())
    yield one
    runner.run(one.client.aclose())
    runner.run(one.context.db.close())
    runner.run(life.__aexit__(None, None, None))


@pytest.mark.parametrize(("first", "second"), PAIRS, ids=lambda name: name.replace(" ", "-"))
def test_two_writes_at_once_come_out_as_one_after_the_other(runner, house, first, second):
    runner.run(house.check(first, second))


def added(place: Place, key: str, **trial: Any) -> Any:
    body = {"trials": [{"params": {"x": 0.5}, **trial}]}
    path = f"{API}/studies/{place.study}/trials"
    return lambda: place.client.post(path, json=body, headers={"idempotency-key": key})


def created(place: Place, key: str) -> Any:
    body = spec(name=f"{place.study}-new")
    return lambda: place.client.post(f"{API}/studies", json=body, headers={"idempotency-key": key})


REPEATED = {
    "create": created,
    "enqueue the last": added,
    "import": lambda place, key: added(
        place, key, state="complete", value=0.3, reports=[{"step": 0, "metrics": {f"loss-{key}": 0.3}}]
    ),
}


@pytest.mark.parametrize("what", REPEATED)
def test_a_request_with_a_key_that_is_sent_twice_at_once_is_done_once_and_answered_alike(runner, house, what):
    async def check() -> None:
        for before in range(2, MOST):
            place = await house.place(("make",))
            request = REPEATED[what](place, f"key-{next(NUMBERS)}")
            if (answers := await house.schedules.stopped(request, request, before)) is None:
                break
            assert answers[0].status_code in (200, 201), answers[0].text
            assert answers[0].content == answers[1].content, answers[1].text
            assert (await house.left(place))["study"][3] == (1 if what == "create" else 2)

    runner.run(check())


def test_a_study_is_not_completed_over_a_trial_that_a_larger_budget_has_just_made(runner, house):
    """While the completion waits for the study's row, the budget grows and a trial is made of it."""

    async def check() -> None:
        place = await house.place(("finish",))
        db, study = house.context.db, place.study_id
        await db.run(text("update trials set state = 'complete' where study_id = :study"), {"study": study})
        async with db.begin() as connection:
            await closing.hold(connection, study)
            completing = asyncio.create_task(promoting.settle(house.context, study))
            await house.schedules.done_or_waiting(completing, 1)
            await connection.run(text("update studies set n_trials = 2 where id = :study"), {"study": study})
            taken = await granting.take_numbers(connection, study, 1)
            request = granting.Request("first", f"made-{study}", "w", 60.0)
            made = {"number": 1, "cell": None, "params": {"x": 0.1}, "explanation": {}}
            await granting.grant_new(connection, taken, [made], request, 0)
        assert await completing is None
        assert (await house.left(place))["study"][0] == "running"

    runner.run(check())


def test_two_copies_of_a_report_are_told_the_one_decision_that_is_stored(runner, house):
    """Between the judgement of the first and its write a rival comes, with which the second is judged."""

    async def check() -> None:
        told = set()
        for before in range(2, MOST):
            place = await house.pausing_place(is_told=False)

            async def second(place: Place = place) -> Any:
                await place.worse()
                return await place.report(_0=0.5)

            answers = await house.schedules.stopped(lambda p=place: p.report(_0=0.5), second, before)
            if answers is None:
                break
            assert answers[0] == answers[1]
            decision = answers[0][2]["decision"]
            found = await house.watch.fetchrow("select prune_step, pauses from trials where id = $1", place.trial_id)
            assert tuple(found) == ((0, True) if decision == "pause" else (None, False))
            told.add(decision)
        assert told == {"pause", "continue"}

    runner.run(check())


def test_imports_by_more_clients_than_there_are_connections_all_come_in(runner, house):
    async def check() -> None:
        place = await house.place(("make",))
        names = [f"metric-{next(NUMBERS)}" for _ in range(30)]
        trials = [
            added(place, name, state="complete", value=0.3, reports=[{"step": 0, "metrics": {name: 0.3}}])
            for name in names
        ]
        answers = await asyncio.gather(*(one() for one in trials))
        assert {answer.status_code for answer in answers} == {200}
        numbers = sorted(number for answer in answers for number in answer.json()["numbers"])
        assert numbers == list(range(1, 31))

    runner.run(check())
