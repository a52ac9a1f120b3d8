"""The page of data sets: what is there, who may upload and delete, and what deleting takes away."""

import pytest

from service.dashboard.datasets_page import shown_size
from tests.dashboard.test_study_page import ESCAPED, HTML, as_role

pytestmark = pytest.mark.anyio
TABLE = "height,weight,kind\n1.5,60,a\n1.7,80,b\n"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def upload(client, name: str = "people", table: str = TABLE, target: str = "kind") -> dict:
    query = {"target": target}
    answer = await client.put(
        f"/api/v1/datasets/{name}", params=query, content=table, headers={"content-type": "text/csv"}
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_page_shows_uploaded_and_built_in_sets(serve):
    async with serve() as client:
        made = await upload(client)
        page = (await client.get("/datasets")).text
    assert "people" in page
    assert made["sha256"] in page
    assert 'href="/api/v1/datasets/people"' in page
    uploaded, builtin = page.split('id="builtin"')
    assert "digits" in builtin
    assert "people" not in builtin
    assert 'data-name="people"' in uploaded


async def test_who_has_no_set_yet_is_told_how_to_bring_one(serve):
    async with serve() as client:
        page = (await client.get("/datasets")).text
        viewer = await as_role(client, "viewer", "admin")
        others = (await client.get("/datasets", headers=viewer)).text
    assert "trialbook data put" in page
    assert "None yet." in others


async def test_deleting_names_what_is_lost(serve):
    async with serve() as client:
        await upload(client)
        page = (await client.get("/datasets")).text
    assert page.count('name="delete"') == 1
    assert f"people, 2 rows, {len(TABLE)} B, can then neither be downloaded nor named" in page


async def test_a_viewer_sees_no_upload_and_no_delete(serve):
    async with serve() as client:
        await upload(client)
        viewer = await as_role(client, "viewer", "admin")
        page = (await client.get("/datasets", headers=viewer)).text
    assert "people" in page
    assert 'id="upload"' not in page
    assert 'name="delete"' not in page


async def test_a_submitter_deletes_no_set_of_somebody_else(serve):
    async with serve() as client:
        await upload(client)
        submitter = await as_role(client, "submitter", "stranger")
        page = (await client.get("/datasets", headers=submitter)).text
    assert 'id="upload"' in page
    assert 'name="delete"' not in page


async def test_a_worker_sees_no_page_of_data_sets(serve):
    async with serve() as client:
        worker = await as_role(client, "worker", "admin")
        assert (await client.get("/datasets", headers=worker)).status_code == 403


async def test_html_in_a_column_is_text(serve):
    async with serve() as client:
        await upload(client, table=f"{HTML},x\n1,2\n2,3\n", target=HTML)
        page = (await client.get("/datasets")).text
    assert ESCAPED in page
    assert HTML not in page


async def test_page_keeps_to_the_policy_of_the_application(serve):
    async with serve() as client:
        await upload(client)
        page = (await client.get("/datasets")).text
    assert "style=" not in page
    assert "<script>" not in page


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (None, "–"),
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (123456, "123 kB"),
        (999_999, "1 MB"),
        (2**31, "2.15 GB"),
    ],
)
async def test_sizes_are_told_in_the_largest_unit_that_fits(size, text):
    assert shown_size(size) == text


async def test_a_study_on_an_uploaded_set_begins_with_a_trainer_that_learns_from_it(serve):
    async with serve() as client:
        await upload(client)
        page = (await client.get("/datasets")).text
        assert 'href="/studies/new?data=people"' in page
        text = (await client.get("/studies/new?data=people")).text
    assert "data: people" in text
