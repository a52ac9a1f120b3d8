"""The page of a new study: what it begins with can be submitted, and mistakes in what is typed have their lines."""

import html
import re

import httpx
import pytest

from models.catalog import TRAINERS
from service.dashboard.new_study_page import starting
from service.yaml_body import Located
from tests.dashboard.test_study_page import HTML, as_role
from tests.service.calls import spec, submit
from trialbook.spec import StudySpec
from trialbook.starting import names_like
from trialbook.yaml_text import dump, text_of

pytestmark = pytest.mark.anyio
YAML = {"content-type": "application/yaml"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def text_on(client: httpx.AsyncClient, query: str = "") -> str:
    """The text in the editor of /studies/new."""
    page = await client.get(f"/studies/new{query}")
    assert page.status_code == 200, page.text
    found = re.search(r"<textarea[^>]*>\n(.*)</textarea>", page.text, re.DOTALL)
    assert found is not None
    return html.unescape(found[1])


async def errors_in(client: httpx.AsyncClient, text: str) -> list[tuple[str, int]]:
    answer = await client.post("/api/v1/studies/validate", content=text, headers=YAML)
    assert answer.status_code in (400, 422), answer.text
    return [(one["pointer"], one.get("line")) for one in answer.json()["errors"]]


@pytest.mark.parametrize("trainer", [*TRAINERS, "external"])
async def test_what_each_trainer_begins_with_can_be_submitted(serve, trainer):
    async with serve() as client:
        text = await text_on(client, f"?trainer={trainer}")
        answer = await client.post("/api/v1/studies", content=text, headers=YAML)
    assert answer.status_code == 201, answer.text
    assert answer.json()["spec"]["objective"]["trainer"] == trainer


async def test_other_data_brings_a_metric_that_is_reported_for_it(serve):
    async with serve() as client:
        text = await text_on(client, "?trainer=mlp&data=diabetes")
        answer = await client.post("/api/v1/studies/validate", content=text, headers=YAML)
    assert answer.json()["spec"]["objective"]["metric"] == "val_mse"


async def test_a_clone_has_the_same_spec_under_a_free_name(serve):
    async with serve() as client:
        made = await submit(
            client, notes="a\nb: #c", tags={"yes": "no", HTML: "1e5"}, sampler={"name": "sobol", "seed": 3}
        )
        text = await text_on(client, "?from=study")
        answer = await client.post("/api/v1/studies", content=text, headers=YAML)
    assert answer.status_code == 201, answer.text
    assert answer.json()["spec"] == made["spec"] | {"name": "study-2"}


async def test_a_clone_of_somebody_elses_study_is_not_found(serve):
    async with serve() as client:
        await submit(client)
        stranger = await as_role(client, "submitter", "stranger")
        assert (await client.get("/studies/new?from=study", headers=stranger)).status_code == 404


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("worker", 403), ("submitter", 200)])
async def test_who_may_not_submit_sees_no_editor(serve, role, status):
    async with serve() as client:
        headers = await as_role(client, role, "admin")
        assert (await client.get("/studies/new", headers=headers)).status_code == status


async def test_mistakes_that_need_the_servers_knowledge_have_lines_too(serve):
    text = text_of(starting("mlp", None))
    lines = text.splitlines()
    wrong = text.replace("data: digits", "data: nothing").replace("epochs: 40", "epocs: 40")
    async with serve() as client:
        found = await errors_in(client, wrong)
    assert ("/objective/data", lines.index("  data: digits") + 1) in found
    assert ("/objective/fixed/epocs", next(i for i, line in enumerate(lines, 1) if "epochs" in line)) in found


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("name: a\nspace: [\n", 3),
        ("name: a\nname: b\n", 2),
        ("name: a\nobjective: {trainer: external}\nspace:\n  x: {type: float, low: 2.0, high: 1.0}\n", 4),
        ("name: a\npriority: 99999999999999999999999999\n", 2),
        ('name: a\ntitle: "\\u0000"\n', 2),
    ],
)
async def test_every_kind_of_mistake_has_its_line(serve, text, line):
    async with serve() as client:
        assert line in [at for _, at in await errors_in(client, text)]


async def test_html_in_a_study_is_text_in_the_editor(serve):
    async with serve() as client:
        await submit(client, title="</textarea>" + HTML)
        page = (await client.get("/studies/new?from=study")).text
    assert HTML not in page
    assert page.count("</textarea>") == 1


async def test_page_keeps_to_the_policy_of_the_application(serve):
    async with serve() as client:
        page = (await client.get("/studies/new")).text
    assert "style=" not in page
    assert "<script>" not in page


@pytest.mark.parametrize(
    "value",
    [
        "no",
        "1e5",
        "1_000",
        "",
        " a",
        "a: b",
        "#",
        "train:train",
        "ä",
        "null",
        1e-7,
        1e22,
        -0.5,
        3,
        True,
        None,
        "-",
        "0x1",
    ],
)
async def test_scalars_come_back_as_what_they_were(value):
    again = Located(dump({"key": {"inner": [value], str(value): value}})).value
    assert again == {"key": {"inner": [value], str(value): value}}
    assert type(again["key"]["inner"][0]) is type(value)


async def test_a_study_as_text_is_the_same_study():
    whole = StudySpec.model_validate(
        spec(
            space={
                "x": {"type": "float", "low": 0.0, "high": 1.0},
                "c": {"type": "categorical", "choices": ["a", 1, None, False], "when": {"k": [1, 2]}},
                "k": {"type": "int", "low": 1, "high": 3},
            },
            sampler={"name": "grid", "counts": {"x": 3}},
            pruner={"name": "threshold", "upper": 2.0},
            trial={"timeout": 5.0},
        )
    )
    assert StudySpec.model_validate(Located(text_of(whole)).value) == whole


async def test_names_count_on_from_where_they_are():
    assert list(names_like("mlp-7"))[:2] == ["mlp-7", "mlp-2"]
    assert max(map(len, names_like("a" * 100))) == 100
