"""What the figures are measured on: the real server, whose processes can be struck, and clients that never give up."""

import asyncio
import os
import random
import shutil
import signal
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import asyncpg
import httpx
import psutil

from service.store.postgres import find_server
from tests.end_to_end.machines import Server, Worker

PAUSE = 0.05  # seconds between a client's tries
ANSWER_SECONDS = 40.0


def study(name, **changes):
    """A study whose trials the clients compute themselves."""
    objective = {"trainer": "external", "metric": "loss", "direction": "minimize"}
    return {"name": name, "objective": objective, "space": {"x": {"type": "float", "low": 0.0, "high": 1.0}}, **changes}


class Stage:
    """One or more servers on one folder, the first of which owns the address that clients call."""

    def __init__(self, folder, lease_seconds, *, log=None):
        self.folder = folder
        self.server = Server(folder, lease_seconds=lease_seconds, log=log)
        self.servers = [self.server]

    def add_server(self, lease_seconds="60"):
        """Another replica, on the same database and folder."""
        self.servers.append(Server(self.folder, lease_seconds=lease_seconds))
        return self.servers[-1]

    @property
    def postgres(self):
        """The process id of PostgreSQL, None while there is none."""
        return find_server(self.folder.resolve() / "postgres" / "data")

    def kill_postgres(self):
        """As kill -9 of the server process; its children notice and end."""
        self.end_postgres(signal.SIGKILL)

    def end_postgres(self, number):
        """Send a signal that ends it to PostgreSQL's server process: with SIGQUIT it leaves all as it is, at once."""
        if (pid := self.postgres) is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def signal_postgres(self, number):
        """Send a signal to all of PostgreSQL's processes."""
        server = psutil.Process(self.postgres)
        for process in (server, *server.children()):
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    async def connect(self):
        """A session of one's own with the embedded database."""
        where = self.folder.resolve() / "postgres" / "socket"
        return await asyncpg.connect(f"postgresql://trialbook@/trialbook?host={where}&port=5432")

    async def fetch(self, sql, *parameters):
        """The rows of one statement."""
        connection = await self.connect()
        try:
            return await connection.fetch(sql, *parameters)
        finally:
            await connection.close()


@contextmanager
def stage(lease_seconds="60"):
    """A server for one figure; nothing of it stays."""
    folder = Path(tempfile.mkdtemp(prefix="trialbook-test-"))
    try:
        one = Stage(folder, lease_seconds)
        try:
            yield one
        finally:
            for server in reversed(one.servers):
                server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def worker(server, name, study_name, *arguments, **options):
    """A real worker that ends with the block."""
    one = Worker(server, name, study_name, *arguments, **options)
    try:
        yield one
    finally:
        one.close()


class Crowd:
    """Clients that work on studies and note each write that was acknowledged. They call the servers in turn."""

    def __init__(self, servers, seed=0):
        self._http = [self._client(server) for server in servers]
        self._turn, self._chance = 0, random.Random(seed)
        self.acknowledged = []  # (kind, study, number, step, value)
        self.refused = []  # statuses that no client should see
        self.come_back = 0  # how often a client was told to

    @staticmethod
    def _client(server):
        headers = {"authorization": f"Bearer {server.token}"}
        limits = httpx.Limits(max_connections=None)
        return httpx.AsyncClient(
            base_url=f"{server.url}/api/v1", headers=headers, timeout=ANSWER_SECONDS, limits=limits
        )

    async def close(self):
        """Close the connections."""
        for http in self._http:
            await http.aclose()

    async def insist(self, method, path, body=None, headers=None):
        """The answer to a call, which is repeated, on whichever server is next, until there is one."""
        while True:
            self._turn += 1
            try:
                http = self._http[self._turn % len(self._http)]
                answer = await http.request(method, path, json=body, headers=headers)
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.status_code != 503:
                if answer.status_code >= 400:
                    self.refused.append((answer.status_code, path, answer.text))
                return answer.json()
            self.come_back += answer is not None
            await asyncio.sleep(PAUSE * (0.5 + self._chance.random()))

    async def submit(self, spec):
        """Submit a study, once however often it is asked for."""
        return await self.insist("POST", "/studies", spec, {"Idempotency-Key": spec["name"]})

    async def work(self, name, client, *, steps=3, wait=0.0, fails=0.0, until=None):
        """Run trials until the study is over or `until` is set; a share of them fails and is to be tried again."""
        turn = 0
        while until is None or not until.is_set():
            turn += 1
            asked = {"request_id": f"{name}-{client}-{turn}", "worker": client, "trainers": ["external"], "study": name}
            given = (await self.insist("POST", "/leases", {**asked, "wait_seconds": wait})).get("leases", [])
            if not given:
                if (await self.insist("GET", f"/studies/{name}"))["state"] != "running":
                    return
                await asyncio.sleep(PAUSE)
                continue
            await self._run(name, given[0], steps, fails=self._chance.random() < fails)

    async def _run(self, name, one, steps, *, fails):
        lease, number = one["lease"], one["number"]
        for step in range(steps):
            loss = self._chance.random()
            told = await self.insist(
                "POST", f"/leases/{lease}/reports", {"reports": [{"step": step, "metrics": {"loss": loss}}]}
            )
            if "decision" not in told:
                return
            self.acknowledged.append(("report", name, number, step, loss))
            if told["decision"] != "continue":
                await self.insist("POST", f"/leases/{lease}/finish", {"state": "pruned"})
                return
        value = self._chance.random()
        body = (
            {"state": "failed", "error": "as planned", "retry": True}
            if fails
            else {"state": "complete", "value": value}
        )
        told = await self.insist("POST", f"/leases/{lease}/finish", body)
        if not fails and "state" in told:
            self.acknowledged.append(("finish", name, number, None, value))


async def poll(look, seconds):
    """What `look` brings as soon as it brings something, and after how many seconds; TimeoutError at the end."""
    begun = time.monotonic()
    while not (found := await look()):
        if time.monotonic() - begun > seconds:
            raise TimeoutError
        await asyncio.sleep(0.01)
    return found, time.monotonic() - begun
