"""The server as a process: how it starts, stops, and comes back after a kill -9."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from service.serving import CLOSING_SECONDS, STOP_SECONDS, reachable
from tests.end_to_end.machines import eventually
from tests.service.calls import everything, spec

pytestmark = pytest.mark.slow

Start = Callable[[], tuple[subprocess.Popen[str], dict[str, str]]]


@pytest.fixture
def start(data_dir: Path) -> Iterator[Start]:
    """Starts the server on an embedded database in this test's folder; ends what still runs."""
    running: list[subprocess.Popen[str]] = []

    def begin() -> tuple[subprocess.Popen[str], dict[str, str]]:
        command = [sys.executable, "-m", "service", "serve", "--port", "0", "--data", str(data_dir)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        running.append(process)
        assert process.stdout is not None
        return process, json.loads(process.stdout.readline())

    yield begin
    for process in running:
        process.terminate()
        process.wait(20)


def call(ready: dict[str, str]) -> httpx.Client:
    headers = {"authorization": f"Bearer {ready['token']}"}
    return httpx.Client(base_url=f"{ready['url']}/api/v1", headers=headers)


def of_folder(folder: Path) -> list[str]:
    """The processes that name this folder."""
    found = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    return [command for command in found if str(folder) in command]


def test_sigterm_ends_with_0_and_leaves_no_process(start, data_dir):
    process, _ = start()
    process.terminate()
    assert process.wait(20) == 0
    assert of_folder(data_dir) == []


def socket_of(ready: dict[str, str], *parts: bytes) -> socket.socket:
    """A connection on which this was sent."""
    host, port = ready["url"].removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=20)
    for part in parts:
        connection.sendall(part)
    return connection


def request(ready: dict[str, str], method: str, path: str, *headers: str) -> bytes:
    """The head of a request."""
    lines = ["host: localhost", f"authorization: Bearer {ready['token']}", *headers]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode()


UPLOAD = b"x,y\n1.0,2.0\n"


def received(connection: socket.socket, end: bytes) -> bytes:
    """What comes, until it ends so: an answer may come in parts."""
    found = b""
    while not found.endswith(end):
        part = connection.recv(65536)
        assert part, found
        found += part
    return found


def half_an_upload(ready: dict[str, str]) -> socket.socket:
    """An upload whose second half is still to come."""
    length = f"content-length: {len(UPLOAD)}"
    head = request(ready, "PUT", "/api/v1/datasets/half?target=y", "content-type: text/csv", length)
    return socket_of(ready, head, UPLOAD[:4])


def under_way(ready: dict[str, str], kind: str, n: int) -> None:
    """Wait until so many requests of this kind are under way."""
    sample = f'trialbook_under_way{{kind="{kind}"}} {n}.0'
    eventually(lambda: sample in httpx.get(f"{ready['url']}/metrics").text, f"{n} {kind} are under way")


def test_sigterm_lets_end_what_is_under_way(start):
    process, ready = start()
    assert call(ready).post("/studies", json=spec()).status_code == 201
    body = b'{"request_id": "r", "worker": "w", "trainers": ["digits"], "wait_seconds": 60}'
    asked = request(ready, "POST", "/api/v1/leases", "content-type: application/json", f"content-length: {len(body)}")
    poll = socket_of(ready, asked, body)
    stream = socket_of(ready, request(ready, "GET", "/api/v1/studies/study/events"))
    upload = half_an_upload(ready)
    under_way(ready, "requests", 3)
    with httpx.Client(base_url=ready["url"]) as client:
        process.terminate()
        begun = time.monotonic()
        answer = eventually(lambda: (got := client.get("/readyz")).status_code == 503 and got, "it is not ready")
        assert answer.json()["detail"] == "The server is stopping."
        assert b'"leases":[]' in received(poll, b"}")
        assert everything(stream).endswith(b"0\r\n\r\n")  # the end of a chunked body: it was not cut off
        late = begun + CLOSING_SECONDS + 1  # it is not only that stopping takes a while
        eventually(lambda: client.get("/readyz").status_code == 503 and time.monotonic() > late, "it still answers")
        upload.sendall(UPLOAD[4:])
        assert upload.recv(65536).startswith((b"HTTP/1.1 200", b"HTTP/1.1 201", b"HTTP/1.1 422"))
    assert process.wait(20) == 0
    assert time.monotonic() - begun < 10
    for connection in (poll, stream, upload):
        connection.close()


def test_second_signal_waits_for_nobody_and_leaves_no_process(start, data_dir):
    process, ready = start()
    with half_an_upload(ready):
        under_way(ready, "requests", 1)
        process.terminate()
        eventually(lambda: httpx.get(f"{ready['url']}/readyz").status_code == 503, "it is stopping")
        begun = time.monotonic()
        process.terminate()
        assert process.wait(20) == 0
        assert time.monotonic() - begun < STOP_SECONDS
    assert of_folder(data_dir) == []


def test_what_was_answered_is_there_after_kill_9(start):
    process, ready = start()
    assert call(ready).post("/studies", json=spec()).status_code == 201
    process.kill()
    process.wait()
    _, again = start()
    assert again["token"] == ready["token"]
    assert call(again).get("/studies/study").json()["state"] == "running"


def test_authentication_can_only_be_left_out_on_loopback(data_dir):
    command = [sys.executable, "-m", "service", "serve", "--no-auth", "--host", "0.0.0.0", "--data", str(data_dir)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert "without authentication" in ended.stderr


def test_importing_the_api_loads_neither_torch_nor_optuna():
    code = "import sys, service.app; print({'torch', 'optuna', 'sklearn', 'skopt'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("::1", "http://[::1]:80"),
    ],
)
def test_said_address_is_one_that_answers_here(host, url):
    assert reachable(host, 80) == url
