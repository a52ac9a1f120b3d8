"""The database goes away under the service: answers are 200 or 503, the pool heals by itself, nothing is lost."""

import asyncio
import os
import shutil
import signal
import tempfile
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import asyncpg
import httpx
import psutil
import pytest
from sqlalchemy.engine import make_url

from service import auth
from service.app import create_app
from service.settings import Settings
from service.store import postgres_program
from service.store.database import Database
from service.store.migrating import migrate
from service.store.postgres import find_server
from service.store.postgres_home import choose_account
from service.store.postgres_keeper import kept
from tests.service.calls import finish, report, spec

pytestmark = pytest.mark.slow
PATIENCE = 60.0  # seconds, for what takes a few on an idle machine
CLIENTS = 64


class Place:
    """A PostgreSQL of these tests' own, and what befalls it."""

    def __init__(self, url, folder):
        self.url, self.folder = url, folder
        self.pgdata = folder.resolve() / "postgres" / "data"

    def processes(self):
        server = psutil.Process(find_server(self.pgdata))
        return [server, *server.children()]

    def signal(self, number):
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def restart(self):
        binaries = Path(self.processes()[0].exe()).parent
        command = [str(binaries / "pg_ctl"), "restart", "-m", "immediate", "-D", str(self.pgdata), "-l", "/dev/null"]
        postgres_program.run([*command, "-t", "10"], choose_account())  # it fails where the keeper was quicker

    async def connect(self):
        return await asyncpg.connect(make_url(self.url).set(drivername="postgresql").render_as_string())


@pytest.fixture(scope="module")
def place():
    folder = Path(tempfile.mkdtemp(prefix="trialbook-test-"))
    try:
        with kept(folder) as url:
            migrate(url)
            yield Place(url, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def serving(place, *, pool_size=4):
    app = create_app(Settings(data=place.folder), place.url, pool_size=pool_size)
    async with app.router.lifespan_context(app):
        await auth.keep_first_token(app.state.context, "first")
        headers = {"authorization": "Bearer first"}
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as client:
            client.app = app
            yield client


def told_to_come_back(answer):
    """Whether this is a 503 as promised; anything else that is no success fails the test."""
    if answer.status_code < 300:
        return False
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable"), answer.text
    assert int(answer.headers["retry-after"]) >= 1
    return True


async def insist(call):
    """The first answer that is no 503, however often it takes."""
    async with asyncio.timeout(PATIENCE):
        while True:
            if not told_to_come_back(answer := await call()):
                return answer
            await asyncio.sleep(0.02)  # as a client pauses


def study(name, n_trials):
    return spec(name=name, budget={"n_trials": n_trials})


async def ask(client, name, worker):
    """One request for a trial; the same worker's next call is a repeat of it."""
    body = {"request_id": f"{name}-{worker}", "worker": str(worker), "trainers": ["external"], "study": name}
    return await client.post("/api/v1/leases", json=body)


async def whole_trial(client, name, worker):
    """Ask for a trial, report and finish it, repeating each call until it is answered; its number, None at the end."""
    given = (await insist(lambda: ask(client, name, worker))).json()["leases"]
    if not given:
        return None
    await insist(lambda: report(client, given[0], 0.5, 0.25))
    await insist(lambda: finish(client, given[0], value=0.25))
    return given[0]["number"]


async def while_trials_run(client, name, fault, *, n_trials=40, workers=6):
    """Workers do a whole study while a fault happens in its middle; the numbers they were told are complete."""
    await insist(lambda: client.post("/api/v1/studies", json=study(name, n_trials)))
    done, in_the_middle = [], asyncio.Event()

    async def work(worker):
        turn = 0
        while (number := await whole_trial(client, name, f"{worker}-{turn}")) is not None:
            done.append(number)
            turn += 1
            if len(done) >= n_trials / 4:
                in_the_middle.set()

    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        for worker in range(workers):
            group.create_task(work(worker))
        await in_the_middle.wait()
        await fault()
    return done


async def require_whole(client, name, done, n_trials=40):
    trials = (await client.get(f"/api/v1/studies/{name}/trials", params={"limit": 100, "order": "number"})).json()
    found = [(one["number"], one["state"], one["attempt"], one["value"]) for one in trials["items"]]
    assert found == [(number, "complete", 1, 0.25) for number in range(n_trials)]
    assert sorted(done) == list(range(n_trials))


@pytest.mark.parametrize("fault", ["restart", "kill"])
def test_a_postgres_that_is_restarted_or_killed_at_work_costs_a_few_503_and_no_answered_write(place, fault):
    async def check():
        async with serving(place) as client:
            was, health = find_server(place.pgdata), []

            async def happen():
                if fault == "restart":
                    await asyncio.to_thread(place.restart)
                else:
                    os.kill(was, signal.SIGKILL)
                health.append((await client.get("/healthz")).status_code)

            done = await while_trials_run(client, fault, happen)
            await require_whole(client, fault, done)
            assert health == [200]
            assert find_server(place.pgdata) != was

    asyncio.run(check())


def test_sessions_ended_at_any_instant_cost_no_trial_twice(place):
    """A commit whose answer was lost is 503, and the repeat finds what was committed."""

    async def check():
        async with serving(place) as client:
            admin = await place.connect()
            end = "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = 'trialbook'"

            async def happen():
                ended = 0
                while ended < 60:
                    ended += await admin.fetchval(end)

            done = await while_trials_run(client, "ended", happen)
            await admin.close()
            await require_whole(client, "ended", done)

    asyncio.run(check())


def test_a_postgres_that_hangs_makes_clients_wait_then_come_back_and_serves_on_when_it_wakes(place, monkeypatch):
    monkeypatch.setattr("service.store.database.PATIENCE", 0.5)

    async def check():
        async with serving(place, pool_size=2) as client:
            await client.post("/api/v1/studies", json=study("hung", 3))
            place.signal(signal.SIGSTOP)
            try:
                calls = [asyncio.create_task(insist(lambda n=n: ask(client, "hung", n))) for n in range(2)]
                assert told_to_come_back(await ask(client, "hung", 2))
                assert (await client.get("/healthz")).status_code == 200
            finally:
                place.signal(signal.SIGCONT)
            given = [answer.json()["leases"] for answer in await asyncio.gather(*calls)]
            assert len({one["number"] for [one] in given}) == 2
            assert (await insist(lambda: client.get("/api/v1/studies/hung"))).status_code == 200

    asyncio.run(check())


def test_a_row_that_somebody_else_locks_makes_a_crowd_queue_then_come_back(place, monkeypatch):
    monkeypatch.setattr("service.store.database.PATIENCE", 1.0)
    monkeypatch.setitem(Database.__init__.__globals__["LIMITS"], "lock_timeout", "500")

    async def check():
        async with serving(place) as client:
            await client.post("/api/v1/studies", json=study("locked", CLIENTS))
            other = await place.connect()
            held = other.transaction()
            await held.start()
            await other.execute("select 1 from studies where name = 'locked' for update")
            answers = await asyncio.gather(*[ask(client, "locked", n) for n in range(CLIENTS)])
            assert all(told_to_come_back(answer) for answer in answers)
            assert (await insist(lambda: client.get("/api/v1/studies/locked"))).status_code == 200
            crowd = [asyncio.create_task(insist(lambda n=n: ask(client, "locked", n))) for n in range(CLIENTS)]
            await held.rollback()
            await other.close()
            given = [answer.json()["leases"] for answer in await asyncio.gather(*crowd)]
            assert sorted(one["number"] for [one] in given) == list(range(CLIENTS))

    asyncio.run(check())
