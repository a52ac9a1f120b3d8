"""What a worker, a page of trials, a stream or a suggester asks costs the same however much is stored: its plans read
few rows, by index, on a database with 20,000 finished trials."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import httpx
import pytest
from sqlalchemy import text

from benchmarks.past import fill
from service import app as clockwork
from service import auth, ids, retention
from service.events import KIND, stream
from service.settings import Settings
from service.store.database import Database
from service.store.reporting import MetricSets
from tests.service.calls import expire, finish, lease, report, submit

pytestmark = pytest.mark.slow
MANY = 20_000
SCANS = ("Seq Scan", "Index Scan", "Index Only Scan", "Bitmap Heap Scan", "Bitmap Index Scan")
FIRST_EVENT = text("""
    select study_id, xid::text, id from events where study_id = (select id from studies where name = 'study')
    order by events.xid, events.id limit 1
""")
MEDIAN = {"name": "median", "n_startup_trials": 0, "n_warmup_steps": 0}


@dataclass(frozen=True)
class Plan:
    """A statement as PostgreSQL executed it."""

    sql: str
    root: dict

    def nodes(self, node: dict | None = None) -> Iterator[dict]:
        node = node or self.root
        yield node
        for child in node.get("Plans", []):
            yield from self.nodes(child)

    def read(self) -> dict[str, float]:
        """The rows that were looked at, those that a filter left out among them, by table or index."""
        found: dict[str, float] = {}
        for node in self.nodes():
            if node["Node Type"] in SCANS:
                name = node.get("Relation Name") or node["Index Name"]
                rows = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
                rows += node.get("Rows Removed by Index Recheck", 0)
                found[name] = found.get(name, 0) + rows * node["Actual Loops"]
        return found


@dataclass
class Explaining:
    """A connection that explains each statement before it executes it."""

    connection: object
    plans: list[Plan]

    def transaction(self):
        return self.connection.transaction()

    async def fetch(self, sql, *values):
        trial = self.connection.transaction()  # within another one, a savepoint
        await trial.start()
        try:
            [[plan]] = await self.connection.fetch(f"explain (analyze, buffers, format json) {sql}", *values)
        finally:
            await trial.rollback()
        self.plans.append(Plan(sql, json.loads(plan)[0]["Plan"]))
        return await self.connection.fetch(sql, *values)


class Explained(Database):
    """A database that keeps the plan of each statement that it is asked."""

    def __init__(self, url):
        super().__init__(url)
        self.plans: list[Plan] = []

    @asynccontextmanager
    async def _connection(self):
        async with super()._connection() as connection:
            yield Explaining(connection, self.plans)


@pytest.fixture(scope="module")
def filled(make_database, tmp_path_factory):
    """The URL of a database with many trials in one study, and the past of a few others."""
    url = make_database()

    async def make():
        async with serving(url, tmp_path_factory.mktemp("data")) as (client, _):
            await submit(client, name="other", budget={"n_trials": None})
            await submit(client, name="model", sampler={"name": "gp"}, budget={"n_trials": None})
            await submit(client, name="patient", budget={"n_trials": None, "patience": 1000, "target_value": -1.0})
            await submit(client, name="study", budget={"n_trials": None}, pruner=MEDIAN)
            for n in range(30):
                await submit(client, name=f"small-{n}")
        await fill(url, "other", 1000, vacuum=False)
        await fill(url, "model", 1000, vacuum=False)
        await fill(url, "patient", 1000, vacuum=False)
        await fill(url, "study", MANY)

    asyncio.run(make())
    return url


@asynccontextmanager
async def serving(url, data):
    """The application, and the database that its requests ask; its clockwork asks another one."""
    app = clockwork.create_app(Settings(data=data), url)
    async with app.router.lifespan_context(app):
        own = app.state.context
        await auth.keep_first_token(own, "first")
        explained = Explained(url)
        app.state.context = replace(own, db=explained, sets=MetricSets(explained))
        transport, headers = httpx.ASGITransport(app), {"authorization": "Bearer first"}
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as client:
            client.app = app
            yield client, explained
        await explained.close()


@dataclass
class Asked:
    """What was asked since the last look, and of how many rows it may have read."""

    db: Explained

    def only(self, rows):
        """Each statement since the last look read at most so many rows of each table."""
        plans, self.db.plans[:] = list(self.db.plans), []
        assert plans
        for plan in plans:
            assert all(n <= rows for n in plan.read().values()), (plan.read(), plan.sql)


@pytest.fixture
def asking(filled, tmp_path):
    """Runs a coroutine function of a client and of what it has asked."""

    def run(check):
        async def work():
            async with serving(filled, tmp_path) as (client, db):
                await client.get("/api/v1/studies/study/trials/0")  # the token is looked up once
                db.plans.clear()
                await check(client, Asked(db))

        asyncio.run(work())

    return run


@pytest.mark.parametrize("study", ["study", "patient", None])
def test_a_trial_from_its_lease_to_its_end(asking, study):
    async def check(client, asked):
        one = await lease(client, study)
        asked.only(40)
        await report(client, one, 0.9)
        await report(client, one, 0.8, 0.7, first=1)
        asked.only(1000)  # rivals at the first step
        await client.post(f"/api/v1/leases/{one['lease']}/renew")
        await finish(client, one)
        asked.only(1000 if study == "patient" else 40)  # the results since the best one are counted, by index

    asking(check)


def test_a_trial_that_comes_again(asking):
    async def check(client, asked):
        one = await lease(client)
        await report(client, one, 0.5)
        await client.post(f"/api/v1/leases/{one['lease']}/release")
        again = await lease(client)
        await finish(client, again, state="failed", error="no luck")
        await lease(client)
        await expire(client)
        asked.db.plans.clear()
        last = await lease(client)
        assert (last["number"], last["attempt"]) == (one["number"], 4)
        await client.get(f"/api/v1/studies/study/trials/{one['number']}")
        await client.post(f"/api/v1/studies/study/trials/{one['number']}/cancel")
        asked.only(40)

    asking(check)


PAGES = [
    {"order": order, **({"state": state} if state else {})}
    for order in ("number", "-number", "value", "-value")
    for state in (None, "complete", "failed", "running", "pruned")
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: "-".join(page.values()))
def test_each_page_of_trials(asking, page):
    async def check(client, asked):
        cursor = {}
        for _ in range(3):
            answer = (await client.get("/api/v1/studies/study/trials", params=page | {"limit": 50} | cursor)).json()
            asked.only(400)
            cursor = {"cursor": answer["next_cursor"]}
            if cursor["cursor"] is None:
                break

    asking(check)


def test_a_stream_that_is_told_of_a_trial_or_goes_on_from_long_ago(asking):
    async def check(client, asked):
        context = client.app.state.context
        [first] = await asked.db.run(FIRST_EVENT)
        one = await lease(client)
        told = stream(context, first["study_id"], None)
        assert b"hello" in await anext(told)
        await finish(client, one, value=0.5)
        assert b'"complete"' in await anext(told)
        past = stream(context, first["study_id"], f"{first['xid']}-{first['id']}-{ids.mark(context.secret, KIND)}")
        assert (await anext(past)).count(b"event: trial") == 500
        asked.only(1000)

    asking(check)


def test_a_turn_of_the_clockwork(asking):
    async def check(client, asked):
        context = client.app.state.context
        await clockwork.tick(context)
        await retention.drop_checkpoints(context)
        asked.only(1000)

    asking(check)
