"""The wheel: it holds all that the checkout does, and works where there is no checkout."""

import json
import os
import re
import shutil
import site
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from trialbook import Client

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parent.parent
PACKAGES = ("trialbook", "service", "workers", "models", "migrations")
COMMANDS = ("trialbook", "trialbook-server", "trialbook-worker")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the packages, so that no earlier build's leftovers get in."""
    folder = tmp_path_factory.mktemp("wheel")
    for package in filter(Path.exists, (ROOT / package for package in PACKAGES)):
        shutil.copytree(package, folder / "source" / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    for file in filter(Path.exists, (ROOT / name for name in ("pyproject.toml", "README.md", "LICENSE"))):
        shutil.copy(file, folder / "source")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, folder / "source"]
    subprocess.run(command, check=True, capture_output=True)
    return next(folder.glob("trialbook-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of a fresh environment with the wheel in it, and this environment's packages beside it."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    pip = [sys.executable, "-m", "pip", "--python", folder / "bin/python", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", "--no-index", "--no-deps", wheel], check=True)
    # A line of a .pth file names a folder, whose own .pth files don't count: so the checkout stays out of sight.
    others = "\n".join(site.getsitepackages())
    next(folder.glob("lib/*/site-packages")).joinpath("others.pth").write_text(others)
    return folder / "bin"


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    """This process's environment without what would lead back to the checkout."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("TRIALBOOK_", "PYTHONPATH"))}


@pytest.fixture(scope="module")
def ready(installed: Path, environment: dict[str, str]) -> Iterator[dict[str, str]]:
    """What the installed server says when it serves, started in a repository with packages named like ours."""
    folder = Path(tempfile.mkdtemp(prefix="trialbook-test-"))
    for name in ("service", "models"):
        (folder / "repository" / name).mkdir(parents=True)
        (folder / "repository" / name / "__init__.py").write_text("raise ImportError('not Trialbook')")
    command = [installed / "trialbook-server", "serve", "--port", "0", "--data", folder / "data"]
    process = subprocess.Popen(command, cwd=folder / "repository", env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield json.loads(process.stdout.readline())
    process.terminate()
    process.wait(30)
    shutil.rmtree(folder, ignore_errors=True)


def test_holds_every_file_of_its_packages(wheel: Path) -> None:
    suffixes = {".py", ".mako", ".html", ".js", ".css", ".svg", ".typed"}
    files = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.*")
        if path.suffix in suffixes
    }
    assert files - set(zipfile.ZipFile(wheel).namelist()) == set()


@pytest.mark.parametrize(
    "name", ["trialbook/py.typed", "migrations/script.py.mako", "service/dashboard/static/vendor/echarts.min.js"]
)
def test_holds_what_is_no_code(wheel: Path, name: str) -> None:
    assert name in zipfile.ZipFile(wheel).namelist()


def test_holds_our_packages_and_the_licences_alone(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    folders = {name.split("/")[0] for name in names}
    assert {folder for folder in folders if not folder.endswith(".dist-info")} <= set(PACKAGES)
    assert [name for name in names if name.endswith("/licenses/LICENSE")] != []
    assert "service/dashboard/static/vendor/echarts.LICENSE" in names


@pytest.mark.parametrize("package", PACKAGES)
def test_is_what_the_environment_imports(installed: Path, package: str, tmp_path: Path) -> None:
    command = [installed / "python", "-c", f"import {package}; print({package}.__file__)"]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert found.startswith(str(installed.parent))


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself(
    installed: Path, environment: dict[str, str], command: str, tmp_path: Path
) -> None:
    told = subprocess.run(
        [installed / command, "--help"], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert told.returncode == 0, told.stderr
    assert "Usage" in told.stdout


def test_serves_a_study_with_its_page_scripts_and_charts(ready: dict[str, str]) -> None:
    submit(ready, "seen")
    headers = {"authorization": f"Bearer {ready['token']}"}
    with httpx.Client(base_url=ready["url"], headers=headers) as browser:
        page = browser.get("/studies/seen")
        assert page.status_code == 200 and "seen" in page.text
        named = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text))
        assert any("echarts" in path for path in named) and any(path.endswith(".css") for path in named)
        assert {path: browser.get(path).status_code for path in named} == dict.fromkeys(named, 200)


def test_trains_a_study(ready: dict[str, str], installed: Path, environment: dict[str, str], tmp_path: Path) -> None:
    client = submit(ready, "trained")
    server = ["--url", ready["url"], "--token", ready["token"]]
    command = [installed / "trialbook-worker", *server, "--study", "trained", "--drain", "--cache", tmp_path]
    worker = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert worker.returncode == 0, worker.stderr
    assert client.get_study("trained").counts["complete"] == 2


def test_suggests_by_a_model(ready: dict[str, str]) -> None:
    sampler = {"name": "gp", "n_startup_trials": 1}
    client = submit(ready, "modelled", objective={"trainer": "external"}, sampler=sampler)
    for _ in range(2):
        trial = client.study("modelled").ask_one(wait_seconds=60)
        assert trial is not None
        trial.finish(trial.params["learning_rate"])
    assert client.get_trial("modelled", 1).explanation["mode"] == "model"


def submit(ready: dict[str, str], name: str, **changes: Any) -> Client:
    """A client of that server, with a study of two short trials submitted."""
    client = Client(ready["url"], ready["token"])
    study = {
        "name": name,
        "objective": {"trainer": "logistic", "data": "iris", "metric": "val_loss", "fixed": {"epochs": 2}},
        "space": {"learning_rate": {"type": "float", "low": 0.01, "high": 0.1}},
        "budget": {"n_trials": 2},
    }
    client.create_study({**study, **changes})
    return client
