"""A real server among many: workers at one instant, clients that send a byte now and then, a database that hangs."""

import asyncio
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import aiohttp
import asyncpg
import httpx
import pytest
from sqlalchemy.engine import make_url

from tests.end_to_end.machines import eventually
from tests.service.calls import everything, spec

pytestmark = pytest.mark.slow
TOKEN = "tb_crowd_0123456789012345678901234567"
HERD = 200
SLOW = 200
BUSY = 10.0  # seconds that an answer may take while the machine runs other tests too; alone it is below one
BACKENDS = "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"


@pytest.fixture(scope="module")
def database(make_database):
    return make_database()


@pytest.fixture(scope="module")
def server(database):
    """The address of a server that has one second of patience for bodies, and the file of its log."""
    with tempfile.TemporaryDirectory(prefix="trialbook-test-") as folder, (Path(folder) / "log").open("wb") as log:
        command = [
            sys.executable,
            "-m",
            "service",
            "serve",
            "--port",
            "0",
            "--data",
            folder,
            "--database-url",
            database,
        ]
        environ = {**os.environ, "TRIALBOOK_TOKEN": TOKEN, "TRIALBOOK_BODY_SECONDS": "1"}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environ)
        try:
            yield json.loads(process.stdout.readline())["url"], Path(folder) / "log"
        finally:
            process.terminate()
            process.wait(30)
            process.stdout.close()


@pytest.fixture
def call(server):
    with httpx.Client(base_url=server[0], headers={"authorization": f"Bearer {TOKEN}"}, timeout=20) as client:
        yield client


def test_a_herd_at_one_instant_gets_each_trial_once_and_soon(server, call):
    call.post("/api/v1/studies", json=spec("herd", budget={"n_trials": HERD})).raise_for_status()

    async def ask(http, i):
        body = {"request_id": f"herd-{i}", "worker": f"w{i}", "trainers": ["external"], "study": "herd"}
        begun = time.perf_counter()
        async with http.post("/api/v1/leases", json=body) as answer:
            assert answer.status == 200, await answer.text()
            [lease] = (await answer.json())["leases"]
        return lease["number"], time.perf_counter() - begun

    async def check():
        headers = {"authorization": f"Bearer {TOKEN}"}
        async with aiohttp.ClientSession(server[0], headers=headers, connector=aiohttp.TCPConnector(limit=0)) as http:
            return await asyncio.gather(*(ask(http, i) for i in range(HERD)))

    found = asyncio.run(check())
    assert sorted(number for number, _ in found) == list(range(HERD))
    assert statistics.quantiles([seconds for _, seconds in found], n=100)[98] < BUSY


def connected(url, *parts):
    """A connection on which this much of a request was sent."""
    host, port = url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=20)
    for part in parts:
        connection.sendall(part)
    return connection


def head(path, *lines):
    told = "".join(f"{line}\r\n" for line in (f"authorization: Bearer {TOKEN}", "host: localhost", *lines))
    return f"POST {path} HTTP/1.1\r\n{told}\r\n".encode()


def test_slow_senders_disturb_nobody_and_are_sent_away(server, call):
    body = head("/api/v1/studies", "content-type: application/json", "content-length: 1000")
    with ExitStack() as open_:
        slow = [open_.enter_context(connected(server[0], body, b"{")) for _ in range(SLOW // 2)]
        slow += [open_.enter_context(connected(server[0], b"GET / HTTP/1.1\r\nhost: ")) for _ in range(SLOW // 2)]
        times = []
        for byte in (b'"', b"a", b"b"):
            for one in slow:
                with suppress(OSError):  # it was sent away
                    one.sendall(byte)
            begun = time.perf_counter()
            assert call.get("/api/v1/studies").status_code == 200
            times.append(time.perf_counter() - begun)
        assert max(times) < BUSY
        answer = everything(slow[0])  # the connection is closed, so the rest is no request
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"application/problem+json" in answer
        assert b"connection: close" in answer


def test_what_is_no_http_is_told_so_as_a_problem(server):
    with connected(server[0], b"nonsense\r\n\r\n") as one:
        answer = everything(one)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"application/problem+json" in answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "bad-request"


def test_endless_head_is_refused(server):
    with connected(server[0], b"GET / HTTP/1.1\r\n") as one, suppress(ConnectionError):
        for _ in range(2000):  # the kernel may take them all before the server looks
            one.sendall(b"x: " + b"y" * 1000 + b"\r\n")
        assert everything(one).startswith(b"HTTP/1.1 4")


def test_hanging_database_leaves_the_process_healthy_and_not_ready(server, call, database):
    assert call.get("/readyz").status_code == 200

    async def backends():
        connection = await asyncpg.connect(make_url(database).set(drivername="postgresql").render_as_string(False))
        try:
            return [row["pid"] for row in await connection.fetch(BACKENDS)]
        finally:
            await connection.close()

    stopped = asyncio.run(backends())
    try:
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        begun = time.perf_counter()
        assert call.get("/healthz").status_code == 200
        assert time.perf_counter() - begun < 1
        answer = call.get("/readyz")
        assert (answer.status_code, answer.json()["detail"]) == (503, "The database does not answer.")
        assert "trialbook_database_up 0" in call.get("/metrics").text
        assert time.perf_counter() - begun < 6
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    eventually(lambda: call.get("/readyz").status_code == 200, "the server is ready again")


def test_log_is_json_line_by_line_and_holds_no_token(server, call):
    call.post("/api/v1/studies", json=spec("logged", budget={"n_trials": 1})).raise_for_status()
    lines = eventually(lambda: [one for one in server[1].read_text().splitlines() if "logged" in one], "it is logged")
    assert json.loads(lines[0])["event"] == "study-created"
    whole = server[1].read_text()
    assert all(json.loads(line)["event"] for line in whole.splitlines())
    assert TOKEN not in whole
