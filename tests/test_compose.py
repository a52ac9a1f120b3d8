"""docker-compose.yml: each service starts with the very command and environment that the file gives it.

Only the machine differs: an embedded PostgreSQL in place of the image's, free ports, a temporary folder for /data.
"""

import itertools
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import yaml
from sqlalchemy.engine import make_url

from tests.end_to_end.machines import PATIENCE, eventually
from tests.promises.stage import study
from trialbook import Client

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docker-compose.yml").read_text()
PROXY = (ROOT / "docker" / "nginx.conf").read_text()
GIVEN = {"token": "tb_" + "5ecret" * 10, "database_password": "abc123"}
BIN = Path(sys.executable).parent
# Innermost first: a default may hold another variable.
VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^${}]*))?\}")


class Unset(Exception):
    """A variable that the file requires; the message is the file's own."""


def interpolate(text: str, given: Mapping[str, str]) -> str:
    """What compose makes of `${NAME}`, `${NAME:-default}` and `${NAME:?message}`."""

    def value(match: re.Match[str]) -> str:
        name, kind, rest = match.groups()
        if kind == "?" and not given.get(name):
            raise Unset(f"{name}: {rest}")
        return given.get(name) or (rest if kind == "-" else "")

    while (replaced := VARIABLE.sub(value, text)) != text:
        text = replaced
    return text


def composed(given: Mapping[str, str] = {}) -> dict[str, Any]:
    """The whole file, with merges and variables resolved."""
    return yaml.safe_load(interpolate(TEXT, given))


def services(given: Mapping[str, str] = {}) -> dict[str, dict[str, Any]]:
    """The services."""
    return composed(given)["services"]


class Machine:
    """Runs services without Docker: a folder stands for the mounted secrets, another one for /data."""

    def __init__(self, database_url: str, folder: Path) -> None:
        self.data, self._secrets = folder / "data", folder / "secrets"
        for made in (self.data, self._secrets):
            made.mkdir()
        url = make_url(database_url)
        written = f"postgresql://trialbook:{GIVEN['database_password']}@/{url.database}?host={url.query['host']}"
        for name, text in {**GIVEN, "database_url": written}.items():
            (self._secrets / name).write_text(text)
        (self._secrets / "worker_token").write_text(GIVEN["token"])

    def run(self, name: str, *flags: str, **changes: str) -> subprocess.Popen[str]:
        """A service's command in its environment, apart from these changes and further flags."""
        service = services()[name]
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("TRIALBOOK_")}
        given = {key: self._here(service, str(value)) for key, value in service["environment"].items()}
        program, *arguments = service["command"]
        command = [str(BIN / program), *arguments, *flags]
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, env={**inherited, **given, **changes}, text=True, **streams)

    def _here(self, service: dict[str, Any], value: str) -> str:
        """A value as it is on this machine: of secrets only those that the service mounts are there."""
        name = value.removeprefix("/run/secrets/")
        if name != value:
            return str(self._secrets / name if name in service["secrets"] else self._secrets / "not-mounted")
        return str(self.data) if value == "/data" else value


@pytest.fixture
def machine(database_url: str, data_dir: Path) -> Machine:
    """A machine whose schema the job `migrate` has brought up to date."""
    made = Machine(database_url, data_dir)
    job = made.run("migrate")
    _, told = job.communicate(timeout=PATIENCE)
    assert job.returncode == 0, told
    return made


@contextmanager
def served(machine: Machine) -> Iterator[dict[str, str]]:
    """What a server says when it is ready, reached by the loopback address."""
    process = machine.run("server", "--port", "0")
    assert process.stdout is not None
    if not (line := process.stdout.readline()):
        pytest.fail(process.communicate()[1])
    try:
        yield json.loads(line)
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)


@pytest.fixture
def ready(machine: Machine) -> Iterator[list[dict[str, str]]]:
    """What each replica says when it is ready."""
    assert services()["server"]["deploy"]["replicas"] == 2
    with served(machine) as one, served(machine) as other:
        yield [one, other]


@pytest.fixture
def proxy(ready: list[dict[str, str]], data_dir: Path) -> Iterator[str]:
    """The proxy's address, with the replicas in the place of Docker's name server."""
    if (nginx := shutil.which("nginx")) is None:
        pytest.skip("there is no nginx here")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    servers = "".join(f"server {urlsplit(one['url']).netloc};" for one in ready)
    text = PROXY.replace("listen 8080", f"listen 127.0.0.1:{port}")
    text = text.replace("resolver 127.0.0.11 valid=5s;", f"upstream servers {{ {servers} }}")
    text = text.replace("set $servers server:8000;", "set $servers servers;").replace(" /tmp/", f" {data_dir}/")
    (data_dir / "nginx.conf").write_text(text)
    process = subprocess.Popen([nginx, "-c", str(data_dir / "nginx.conf"), "-g", "daemon off;"])
    url = f"http://127.0.0.1:{port}"
    eventually(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0, "the proxy listens")
    yield url
    process.terminate()
    process.wait(30)


@pytest.mark.slow
def test_a_study_runs_through_servers_suggester_and_worker(ready: list[dict[str, str]], machine: Machine) -> None:
    client = Client(ready[0]["url"], GIVEN["token"])
    fixed = {"epochs": 2}
    client.create_study(
        {
            "name": "tiny",
            "objective": {"trainer": "logistic", "data": "iris", "metric": "val_loss", "fixed": fixed},
            "space": {"learning_rate": {"type": "float", "low": 0.01, "high": 0.1}},
            "sampler": {"name": "tpe", "n_startup_trials": 1},
            "budget": {"n_trials": 3},
        }
    )
    suggester = machine.run("suggester")
    worker = machine.run("worker", "--drain", TRIALBOOK_URL=ready[1]["url"])
    _, told = worker.communicate(timeout=PATIENCE)
    assert worker.returncode == 0, told
    assert suggester.poll() is None, suggester.communicate()[1]
    suggester.terminate()
    suggester.communicate(timeout=PATIENCE)
    assert client.get_study("tiny").counts["complete"] == 3


@pytest.mark.slow
def test_the_servers_answer_by_the_proxy_s_name_and_ask_for_the_token(ready: list[dict[str, str]]) -> None:
    for one in ready:
        assert one["token"] == GIVEN["token"]
        host = {"host": "proxy:8080"}  # as workers call it
        assert httpx.get(f"{one['url']}/api/v1/studies", headers=host).status_code == 401
        bearer = {**host, "authorization": f"Bearer {one['token']}"}
        assert httpx.get(f"{one['url']}/api/v1/studies", headers=bearer).status_code == 200


@pytest.mark.slow
def test_the_proxy_reaches_both_servers_and_keeps_no_stream_or_long_poll_back(
    proxy: str, ready: list[dict[str, str]]
) -> None:
    through = Client(proxy, GIVEN["token"])
    through.create_study(study("proxied", budget={"n_trials": 1}))
    bearer = {"authorization": f"Bearer {GIVEN['token']}"}
    with httpx.stream("GET", f"{proxy}/api/v1/studies/proxied/events", headers=bearer, timeout=PATIENCE) as stream:
        lines = stream.iter_lines()
        assert "event: hello" in itertools.islice(lines, 2), "told before anything has happened"
        [held] = through.acquire_leases("w", ["external"], study="proxied").leases
        assert "event: trial" in lines
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(through.acquire_leases, "next", ["external"], study="proxied", wait_seconds=60)
        eventually(lambda: any(one.name == "next" for one in through.list_workers()), "the next one asks for work")
        through.release_lease(held.lease)
        assert [lease.attempt for lease in waiting.result(PATIENCE).leases] == [2]
    assert httpx.get(f"{proxy}/metrics").status_code == 404
    assert all(has_answered(one["url"]) for one in ready)


def has_answered(url: str) -> bool:
    """Whether a server has answered a call of the API."""
    return 'route="/api/v1/' in httpx.get(f"{url}/metrics").text


@pytest.mark.slow
def test_the_health_check_finds_the_server_ready(ready: list[dict[str, str]]) -> None:
    kind, program, *arguments = services()["server"]["healthcheck"]["test"]
    assert (kind, program) == ("CMD", "python")
    here = [text.replace("http://127.0.0.1:8000", ready[0]["url"]) for text in arguments]
    nowhere = [text.replace("http://127.0.0.1:8000", "http://127.0.0.1:9") for text in arguments]
    assert subprocess.run([sys.executable, *here]).returncode == 0
    assert subprocess.run([sys.executable, *nowhere], capture_output=True).returncode != 0


def test_no_secret_stands_in_an_environment_and_each_service_mounts_only_its_own() -> None:
    found = services()
    for service in found.values():
        for name, value in service.get("environment", {}).items():
            assert not name.endswith(("TOKEN", "PASSWORD", "URL")) or value == "http://proxy:8080", name
    mounted = {name: set(service.get("secrets", [])) for name, service in found.items()}
    assert mounted == {
        "postgres": {"database_password"},
        "migrate": {"database_url"},
        "server": {"database_url", "token"},
        "suggester": {"database_url"},
        "worker": {"worker_token"},
        "proxy": set(),
    }
    assert set().union(*mounted.values()) == set(composed()["secrets"])


def test_a_worker_gets_a_token_of_its_own_where_there_is_one() -> None:
    assert composed()["secrets"]["worker_token"] == composed()["secrets"]["token"]
    own = composed({"TRIALBOOK_WORKER_TOKEN_FILE": "./secrets/worker"})
    assert own["secrets"]["worker_token"] == {"file": "./secrets/worker"}


@pytest.mark.parametrize("name", ["server", "worker", "migrate", "suggester"])
def test_what_is_ours_has_no_rights_that_it_does_not_need(name: str) -> None:
    service = services()[name]
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "USER trialbook" in (ROOT / "Dockerfile").read_text()


def test_workers_scale_and_cannot_reach_the_database() -> None:
    found = services()
    assert not {"container_name", "ports"} & set(found["worker"])
    assert found["postgres"]["networks"] == ["database"]
    assert "networks" not in found["worker"] and "ports" not in found["postgres"]
    assert [name for name, service in found.items() if "ports" in service] == ["proxy"]


def test_the_image_can_copy_what_it_names() -> None:
    """What the Dockerfile copies from the checkout is neither missing nor kept out by .dockerignore."""
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    names = {name.rstrip("/") for line in copied for name in line.split() if name != "."}
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert {name for name in names if not (ROOT / name).exists()} == set()
    assert {name.split("/")[0] for name in names} <= let_in
