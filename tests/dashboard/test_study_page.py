"""The pages of a study and of a trial: who sees them, and that what users wrote is text and nothing else."""

from typing import Any

import httpx
import pytest
import yaml

from service.dashboard import words
from tests.service.calls import finish, lease, report, submit

pytestmark = pytest.mark.anyio
HTML = "<script>alert(1)</script>"
ESCAPED = "&lt;script&gt;alert(1)&lt;/script&gt;"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def as_role(client: httpx.AsyncClient, role: str, owner: str) -> dict[str, str]:
    """The headers of a new token."""
    made = await client.post("/api/v1/tokens", json={"role": role, "owner": owner})
    return {"authorization": f"Bearer {made.json()['token']}"}


async def run_one(client: httpx.AsyncClient, **result: Any) -> dict[str, Any]:
    one = await lease(client)
    assert one is not None
    await report(client, one, 3.0, 2.0)
    await finish(client, one, **result)
    return one


async def test_study_page_says_state_progress_and_best(serve):
    async with serve() as client:
        await submit(client)
        one = await run_one(client, value=0.12345678)
        page = (await client.get("/studies/study")).text
    assert "● running" in page
    assert "0.1235" in page
    assert 'title="0.12345678"' in page
    assert f"/studies/study/trials/{one['number']}" in page
    assert '<progress class="meter" max="3" value="1"' in page


async def test_the_key_names_paused_trials_where_the_pruner_pauses(serve):
    async with serve() as client:
        await submit(client)
        await submit(client, name="pausing", pruner={"name": "asha", "promote": True})
        pages = [(await client.get(f"/studies/{name}")).text for name in ("study", "pausing")]
    assert ['<span class="tally tally-paused">‖ paused' in page for page in pages] == [False, True]


async def test_study_page_says_how_much_of_each_limit_is_used(serve):
    async with serve() as client:
        await submit(client, budget={"max_epochs": 1000, "patience": 5})
        await run_one(client, value=0.1)
        await run_one(client, value=0.2)
        page = (await client.get("/studies/study")).text
    assert '<progress class="meter" max="1000" value="4" aria-label="4 of 1,000 epochs">' in page
    assert "1 of 5 trials without improvement" in page
    assert "no end set" not in page


async def test_study_without_workers_names_the_command_that_starts_one(serve):
    async with serve() as client:
        await submit(client)
        external = (await client.get("/studies/study")).text
        await submit(
            client,
            name="book",
            objective={"trainer": "mlp", "data": "digits", "metric": "val_error"},
            space={"learning_rate": {"type": "float", "low": 0.1, "high": 0.2}},
        )
        book = (await client.get("/studies/book")).text
    assert "Client(&#34;http://localhost&#34;)" in external
    assert "trialbook-worker --url http://localhost" in book


async def test_trial_page_tells_the_error_and_the_attempts(serve):
    async with serve() as client:
        await submit(client, trial={"max_attempts": 1})
        await run_one(client, state="failed", error="Traceback:\n  ValueError: no")
        page = (await client.get("/studies/study/trials/0")).text
    assert "ValueError: no</pre>" in page
    assert "✕ failed" in page
    assert "<td>w</td><td>failed</td>" in page


@pytest.mark.parametrize("path", ["/studies/study", "/studies/study/trials/0"])
async def test_somebody_elses_study_is_not_found(serve, path):
    async with serve() as client:
        await submit(client)
        await run_one(client, value=1.0)
        stranger = await as_role(client, "submitter", "stranger")
        theirs = await client.get(path, headers=stranger)
        missing = await client.get(path.replace("/study", "/nothing", 1), headers=stranger)
    assert (theirs.status_code, missing.status_code) == (404, 404)


async def test_a_trial_that_is_not_there_is_not_found(serve):
    async with serve() as client:
        await submit(client)
        assert (await client.get("/studies/study/trials/7")).status_code == 404


async def test_a_worker_sees_no_pages(serve):
    async with serve() as client:
        await submit(client)
        worker = await as_role(client, "worker", "admin")
        assert (await client.get("/studies/study", headers=worker)).status_code == 403


async def test_a_viewer_sees_the_study_without_its_buttons(serve):
    async with serve() as client:
        await submit(client)
        viewer = await as_role(client, "viewer", "admin")
        seen = await client.get("/studies/study", headers=viewer)
        owned = await client.get("/studies/study")
    assert seen.status_code == 200
    assert 'name="pause"' not in seen.text
    assert 'name="pause"' in owned.text


async def test_nobody_unknown_sees_a_page(serve):
    async with serve() as client:
        await submit(client)
        answer = await client.get("/studies/study", headers={"authorization": ""})
    assert answer.status_code in (302, 303, 307, 401)
    assert "● running" not in answer.text


async def test_html_in_a_study_is_text(serve):
    space = {HTML: {"type": "categorical", "choices": [HTML]}}
    objective = {"trainer": "external", "metric": HTML, "direction": "minimize"}
    async with serve() as client:
        await submit(client, title=HTML, space=space, objective=objective, trial={"max_attempts": 1})
        await run_one(client, value=1.0)
        await run_one(client, state="failed", error=HTML, attributes={HTML: HTML})
        study = (await client.get("/studies/study")).text
        trial = (await client.get("/studies/study/trials/1")).text
    for page in (study, trial):
        assert ESCAPED in page
        assert HTML not in page


async def test_pages_keep_to_the_policy_of_the_application(serve):
    async with serve() as client:
        await submit(client)
        await run_one(client, value=1.0)
        for path in ("/studies/study", "/studies/study/trials/0"):
            answer = await client.get(path)
            assert "default-src 'self'" in answer.headers["content-security-policy"]
            assert "style=" not in answer.text
            assert "<script>" not in answer.text


async def test_analysis_still_answers_over_http(serve):
    async with serve() as client:
        await submit(client)
        await run_one(client, value=0.5)
        history = (await client.get("/api/v1/studies/study/analysis/history")).json()
        unknown = await client.get("/api/v1/studies/study/analysis/nothing")
    assert history["items"] == [{"number": 0, "state": "complete", "value": 0.5, "best": 0.5}]
    assert unknown.status_code == 404


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.12345, "0.1235"), (3.0, "3"), (123456.7, "123500"), (1e-7, "1e-7"), (2.5e9, "2.5e+9"), (float("nan"), "nan")],
)
async def test_numbers_have_four_significant_digits(value, text):
    assert words.shown(value) == text


async def test_a_trainers_name_is_no_shell_command(serve):
    async with serve() as client:
        await submit(client, objective={"trainer": "a:b; rm -rf ~", "metric": "loss"})
        study = (await client.get("/studies/study")).text
    assert "--trainer &#39;a:b; rm -rf ~&#39;" in study


async def test_parameters_copied_as_yaml_come_back_the_same():
    params = {"rate": 1e-4, "small": 1e-7, "large": 1e22, "yes": "no", "a: b": None, "on": True, "text": "a: #b"}
    assert yaml.safe_load(words.dump(params)) == params
