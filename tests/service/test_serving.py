"""The server as a process: how it starts, stops, and comes back after a kill -9."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from service.serving import reachable
from tests.service.calls import spec

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
