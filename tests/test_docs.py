"""docs/: what they name is there, with the defaults they say; their studies are studies."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from service.settings import Settings
from tools.docs import PARTS, page_with
from trialbook import space, spec
from trialbook.spec import StudySpec

ROOT = Path(__file__).parent.parent
PAGES = sorted([*(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md")])
ROW = re.compile(r"^\| `(\w+)` \| (.*?) \|", re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#]+)")
MODELS: dict[str, type[BaseModel]] = {
    "The study": StudySpec,
    "`objective`": spec.Objective,
    "`type: float`": space.Float,
    "`type: int`": space.Int,
    "`type: categorical`": space.Categorical,
    "`name: grid`": spec.GridSampler,
    "`name: random`": spec.RandomSampler,
    "`name: sobol`": spec.SobolSampler,
    "`name: gp`": spec.GPSampler,
    "`name: gp_skopt`": spec.SkoptSampler,
    "`name: tpe`": spec.TPESampler,
    "`name: cmaes`": spec.CMAESSampler,
    "`name: none`": spec.NoPruner,
    "`name: median`": spec.MedianPruner,
    "`name: percentile`": spec.PercentilePruner,
    "`name: threshold`": spec.ThresholdPruner,
    "`name: asha`": spec.ASHAPruner,
    "`name: hyperband`": spec.HyperbandPruner,
    "`early_stopping`": spec.EarlyStopping,
    "`budget`": spec.Budget,
    "`trial`": spec.TrialPolicy,
    "`artifacts`": spec.Keeping,
}
SMALL = {
    "name": "small",
    "objective": {"trainer": "external"},
    "space": {"x": {"type": "float", "low": 0.0, "high": 1.0}},
}


def sections(page: str) -> dict[str, str]:
    """The text below each heading, up to the next one of any level."""
    parts = re.split(r"^#+ (.*)$", (ROOT / "docs" / page).read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def written_defaults(section: str) -> dict[str, Any]:
    """The keys of a section's table with the values of their defaults; `required` stands for itself."""
    return {
        name: yaml.safe_load(default.strip("`")) if default != "required" else default
        for name, default in ROW.findall(section)
    }


def real_defaults(model: type[BaseModel]) -> dict[str, Any]:
    """The keys of a model with their defaults, as JSON; of nested values only what makes the default."""
    return {
        name: "required"
        if field.is_required()
        else field.default.model_dump(include={"name"})
        if isinstance(field.default, BaseModel)
        else field.default
        for name, field in model.model_fields.items()
    }


def studies() -> Iterator[Any]:
    """Each block of YAML in the docs that is a study or a part of one, by page and line."""
    for page in PAGES:
        text = page.read_text()
        for block in re.finditer(r"```yaml\n(.*?)```", text, re.DOTALL):
            found = yaml.safe_load(block[1])
            if isinstance(found, dict) and set(found) <= set(StudySpec.model_fields):
                yield pytest.param(found, id=f"{page.name}:{text[: block.start()].count(chr(10)) + 1}")


@pytest.mark.parametrize("heading", MODELS)
def test_study_spec_tells_each_key_and_its_default(heading: str) -> None:
    assert written_defaults(sections("study-spec.md")[heading]) == real_defaults(MODELS[heading])


def test_study_spec_leaves_out_no_part() -> None:
    values = {found for module in (spec, space) for found in vars(module).values() if isinstance(found, type)}
    described = {one for one in values if issubclass(one, spec.Value) and not one.__name__.startswith("_")}
    assert described - {spec.Value, *MODELS.values()} == set()


@pytest.mark.parametrize("found", list(studies()))
def test_study_in_the_docs_is_one(found: dict[str, Any]) -> None:
    StudySpec.model_validate({**SMALL, **found})


def test_deployment_tells_each_setting_of_the_server_and_its_default() -> None:
    settings = dict(re.findall(r"^\| `TRIALBOOK_(\w+)` \| (.*?) \|", sections("deployment.md")["The server"], re.M))
    assert {name.lower() for name in settings} == set(Settings.model_fields)
    plain = {name: field.default for name, field in Settings.model_fields.items() if field.default is not None}
    del plain["data"]  # which depends on the account
    assert {name: yaml.safe_load(settings[name.upper()].strip("`")) for name in plain} == plain


def test_deployment_tells_what_clients_and_workers_read() -> None:
    sources = [file.read_text() for package in ("trialbook", "workers") for file in (ROOT / package).rglob("*.py")]
    literals = {node.value for text in sources for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)}
    read = {text for text in literals if isinstance(text, str) and re.fullmatch(r"TRIALBOOK_[A-Z_]+", text)}
    page = (ROOT / "docs/deployment.md").read_text()
    assert {name for name in read if f"`{name}`" not in page} == set()


@pytest.mark.parametrize("part", PARTS)
def test_what_the_docs_take_from_the_code_is_what_the_code_says(part: str) -> None:
    file, text = PARTS[part]
    written = (ROOT / "docs" / file).read_text()
    assert page_with(written, part, text()) == written, "make docs"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    assert [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()] == []
