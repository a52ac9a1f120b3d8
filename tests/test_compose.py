"""docker-compose.yml: each service starts with the very command and environment that the file gives it.

Only the machine differs: an embedded PostgreSQL in place of the image's, free ports, a temporary folder for /data.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import yaml
from sqlalchemy.engine import make_url

from trialbook import Client

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docker-compose.yml").read_text()
GIVEN = {"TRIALBOOK_TOKEN": "tb_" + "5ecret" * 10, "TRIALBOOK_DATABASE_PASSWORD": "abc123"}
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


def services(given: Mapping[str, str] = GIVEN) -> dict[str, dict[str, Any]]:
    """The services, with merges and variables resolved."""
    return yaml.safe_load(interpolate(TEXT, given))["services"]


def run(service: dict[str, Any], *flags: str, **changes: str) -> subprocess.Popen[str]:
    """The service's command in its environment, apart from these changes and further flags."""
    program, *arguments = service["command"]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TRIALBOOK_")}
    environment = {**inherited, **{name: str(value) for name, value in service["environment"].items()}, **changes}
    command = [str(BIN / program), *arguments, *flags]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def ready(database_url: str, data_dir: Path) -> Iterator[dict[str, str]]:
    """What the server says when it is ready, reached by the loopback address."""
    service = services()["server"]
    socket_folder = make_url(database_url).query["host"]
    named = urlsplit(service["environment"]["TRIALBOOK_DATABASE_URL"])
    login = named.netloc.removesuffix("@postgres:5432")  # PostgreSQL is on a socket here
    url = named._replace(netloc=f"{login}@", path=f"/{make_url(database_url).database}").geturl()
    process = run(
        service, "--port", "0", TRIALBOOK_DATABASE_URL=f"{url}?host={socket_folder}", TRIALBOOK_DATA=str(data_dir)
    )
    assert process.stdout is not None
    if not (line := process.stdout.readline()):
        pytest.fail(process.communicate()[1])
    yield json.loads(line)
    process.terminate()
    process.communicate(timeout=30)


@pytest.mark.slow
def test_a_study_runs_through_server_and_worker(ready: dict[str, str], data_dir: Path) -> None:
    client = Client(ready["url"], GIVEN["TRIALBOOK_TOKEN"])
    fixed = {"epochs": 2}
    client.create_study(
        {
            "name": "tiny",
            "objective": {"trainer": "logistic", "data": "iris", "metric": "val_loss", "fixed": fixed},
            "space": {"learning_rate": {"type": "float", "low": 0.01, "high": 0.1}},
            "budget": {"n_trials": 2},
        }
    )
    folders = {"TMPDIR": str(data_dir), "XDG_CACHE_HOME": str(data_dir)}
    worker = run(services()["worker"], "--drain", TRIALBOOK_URL=ready["url"], **folders)
    _, told = worker.communicate(timeout=120)
    assert worker.returncode == 0, told
    assert client.get_study("tiny").counts["complete"] == 2


@pytest.mark.slow
def test_the_server_answers_by_its_service_s_name_and_asks_for_the_token(ready: dict[str, str]) -> None:
    assert ready["token"] == GIVEN["TRIALBOOK_TOKEN"]
    host = {"host": "server:8000"}  # as workers call it
    assert httpx.get(f"{ready['url']}/api/v1/studies", headers=host).status_code == 401
    bearer = {**host, "authorization": f"Bearer {ready['token']}"}
    assert httpx.get(f"{ready['url']}/api/v1/studies", headers=bearer).status_code == 200


@pytest.mark.slow
def test_the_health_check_finds_the_server_ready(ready: dict[str, str]) -> None:
    kind, program, *arguments = services()["server"]["healthcheck"]["test"]
    assert (kind, program) == ("CMD", "python")
    here = [text.replace("http://127.0.0.1:8000", ready["url"]) for text in arguments]
    nowhere = [text.replace("http://127.0.0.1:8000", "http://127.0.0.1:9") for text in arguments]
    assert subprocess.run([sys.executable, *here]).returncode == 0
    assert subprocess.run([sys.executable, *nowhere], capture_output=True).returncode != 0


@pytest.mark.parametrize("name", GIVEN)
def test_a_missing_secret_is_asked_for(name: str) -> None:
    with pytest.raises(Unset, match=f"{name}: set it in .env"):
        services({other: value for other, value in GIVEN.items() if other != name})


def test_a_worker_gets_a_token_of_its_own_where_there_is_one() -> None:
    assert services()["worker"]["environment"]["TRIALBOOK_TOKEN"] == GIVEN["TRIALBOOK_TOKEN"]
    own = services({**GIVEN, "TRIALBOOK_WORKER_TOKEN": "tb_w"})
    assert own["worker"]["environment"]["TRIALBOOK_TOKEN"] == "tb_w"


@pytest.mark.parametrize("name", ["server", "worker"])
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


def test_the_image_can_copy_what_it_names() -> None:
    """What the Dockerfile copies from the checkout is neither missing nor kept out by .dockerignore."""
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    names = {name.rstrip("/") for line in copied for name in line.split() if name != "."}
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert {name for name in names if not (ROOT / name).exists()} == set()
    assert {name.split("/")[0] for name in names} <= let_in
