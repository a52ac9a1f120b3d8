"""examples/: what stands there is accepted by the server and does what it says."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.servers import server_process
from trialbook import Client
from trialbook.spec import StudySpec

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
STUDIES = sorted(EXAMPLES.glob("*.yaml"))
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What a user would export: the address and the token of a server that runs."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TRIALBOOK_")}
    cache = tmp_path_factory.mktemp("cache")
    with server_process() as said:
        yield {
            **inherited,
            "TRIALBOOK_URL": said["url"],
            "TRIALBOOK_TOKEN": said["token"],
            "XDG_CACHE_HOME": str(cache),
        }


@pytest.fixture
def client(environment: dict[str, str]) -> Iterator[Client]:
    """A client of that server, which has no study before and after."""
    with Client(environment["TRIALBOOK_URL"], environment["TRIALBOOK_TOKEN"]) as made:
        yield made
        for study in list(made.list_studies()):
            made.delete_study(study.name)


@pytest.fixture
def houses(client: Client) -> None:
    """The example's table, uploaded as its study's comment says."""
    comment = (EXAMPLES / "houses.yaml").read_text()
    said = re.search(r"trialbook data put examples/(\S+) --target (\S+) --task (\S+)", comment)
    assert said is not None
    client.put_dataset("houses", EXAMPLES / said[1], target=said[2], task=said[3])


@pytest.mark.parametrize("file", STUDIES, ids=lambda file: file.name)
def test_study_is_well_formed_and_differs_in_name(file: Path) -> None:
    spec = StudySpec.model_validate(yaml.safe_load(file.read_text()))
    others = [yaml.safe_load(other.read_text())["name"] for other in STUDIES if other != file]
    assert spec.name not in others


@pytest.mark.slow
@pytest.mark.parametrize("file", STUDIES, ids=lambda file: file.name)
def test_server_accepts_the_study(file: Path, client: Client, houses: None) -> None:
    assert client.validate_study(file.read_text())["valid"] is True


@pytest.mark.slow
@pytest.mark.parametrize("name", ["own", "houses"])
def test_worker_trains_the_study(name: str, client: Client, houses: None, environment: dict[str, str]) -> None:
    """In the examples' folder, with the trainer that the study names; a part of the budget is enough."""
    spec = {**yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text()), "budget": {"n_trials": 3}}
    client.create_study(spec)
    command = [BIN / "trialbook-worker", "--study", spec["name"], "--trainer", spec["objective"]["trainer"], "--drain"]
    worker = subprocess.run(command, cwd=EXAMPLES, env=environment, capture_output=True, text=True, timeout=200)
    assert worker.returncode == 0, worker.stderr
    trials = list(client.list_trials(spec["name"]))
    assert [trial.state for trial in trials] == ["complete"] * 3
    reports = client.get_trial(spec["name"], 0).reports
    assert {"train_loss", "val_loss"} <= set(reports[0].metrics)


@pytest.mark.slow
def test_asking_and_telling_finds_the_valley(client: Client, environment: dict[str, str]) -> None:
    command = [sys.executable, EXAMPLES / "ask_and_tell.py"]
    asked = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200)
    assert asked.returncode == 0, asked.stderr
    assert client.get_study("valley").counts["complete"] == 25
    assert "value=" in asked.stdout


@pytest.mark.slow
@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("jq")), reason="the tour uses curl and jq")
def test_tour_of_the_api_runs_as_it_stands(client: Client, environment: dict[str, str]) -> None:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "docs/http.md").read_text(), re.DOTALL)
    script = "set -eu\n" + "".join(blocks)
    tour = subprocess.run(["/bin/sh", "-c", script], cwd=EXAMPLES, env=environment, capture_output=True, text=True)
    assert (tour.returncode, tour.stderr) == (0, ""), tour.stdout
    assert tour.stdout.count('"decision":"continue"') == 1
    assert client.get_study("cancer-grid").tags == {"team": "health"}
    assert {study.name for study in client.list_studies()} == {"cancer-grid", "digits-mlp", "houses"}
