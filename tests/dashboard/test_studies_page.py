"""The list of studies: what it says of each, whose it shows, how it is filtered and paged."""

import re
from typing import Any

import httpx
import pytest

from service.dashboard.sparklines import sparkline
from tests.service.calls import finish, lease, submit

pytestmark = pytest.mark.anyio
HTML = "<script>alert(1)</script>"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def as_role(client: httpx.AsyncClient, role: str, owner: str) -> dict[str, str]:
    """The headers of a new token."""
    made = await client.post("/api/v1/tokens", json={"role": role, "owner": owner})
    return {"authorization": f"Bearer {made.json()['token']}"}


def names(page: httpx.Response) -> list[str]:
    """The studies on a page, from above."""
    assert page.status_code == 200, page.text
    return re.findall(r'<tr id="study-(.*?)">', page.text)


async def listed(client: httpx.AsyncClient, path: str = "/", **headers: Any) -> list[str]:
    return names(await client.get(path, **headers))


async def test_a_study_says_how_far_and_how_good_it_is(serve):
    async with serve() as client:
        await submit(client, title="A title", tags={"team": "vision"})
        one = await lease(client)
        await finish(client, one, value=0.12345678)
        page = (await client.get("/")).text
    assert '<a class="name" href="/studies/study">A title</a>' in page
    assert "● running" in page
    assert 'max="3" value="1"' in page
    assert '<span class="num">1</span> of <span class="num">3</span>' in page
    assert 'href="/studies/study/trials/0" title="0.12345678, trial 0">0.1235</a>' in page
    assert "↓ loss" in page
    assert "team: vision" in page


async def test_the_newest_study_comes_first_and_a_cursor_leads_on(serve):
    async with serve() as client:
        for n in range(5):
            await submit(client, name=f"s{n}")
        first = await client.get("/?limit=2")
        more = re.search(r'href="(/\?cursor=[^"]+)">More', first.text)
        assert more is not None
        assert names(first) == ["s4", "s3"]
        assert await listed(client, more[1]) == ["s2", "s1", "s0"]


async def test_text_and_state_filter_the_list_and_stay_in_its_addresses(serve):
    async with serve() as client:
        await submit(client, name="digits-mlp", title="Handwriting")
        await submit(client, name="wine-svm", tags={"team": "Cellar"})
        await client.post("/api/v1/studies/wine-svm/pause")
        for text, found in {"HANDW": ["digits-mlp"], "cellar": ["wine-svm"], "100%": [], "external": 2, " ": 2}.items():
            seen = await listed(client, f"/?q={text.replace('%', '%25')}")
            assert seen == found or len(seen) == found
        page = await client.get("/?q=svm&state=paused")
        assert names(page) == ["wine-svm"]
        assert await listed(client, "/?state=running") == ["digits-mlp"]
        assert 'href="/?q=svm&amp;state=running"' in page.text
        assert "No study is like that" in (await client.get("/?state=cancelled")).text
        api = await client.get("/api/v1/studies?q=svm")
        assert [one["name"] for one in api.json()["items"]] == ["wine-svm"]


async def test_everybody_sees_their_own_studies_and_an_admin_all_with_owners(serve):
    async with serve() as client:
        await submit(client, name="mine")
        bob = await as_role(client, "submitter", "bob")
        await client.post("/api/v1/studies", json={**(await _spec(client)), "name": "bobs"}, headers=bob)
        seen = await client.get("/", headers=bob)
        everything = await client.get("/")
    assert names(seen) == ["bobs"]
    assert names(everything) == ["bobs", "mine"]
    assert ">owner</th>" in everything.text
    assert ">owner</th>" not in seen.text


async def _spec(client: httpx.AsyncClient) -> dict[str, Any]:
    spec: dict[str, Any] = (await client.get("/api/v1/studies/mine")).json()["spec"]
    return spec


async def test_an_empty_list_teaches_how_to_submit_a_study(serve):
    async with serve() as client:
        page = (await client.get("/")).text
        viewer = (await client.get("/", headers=await as_role(client, "viewer", "eve"))).text
    assert "export TRIALBOOK_URL=http://localhost\nexport TRIALBOOK_TOKEN=" in page
    assert "trialbook submit study.yaml" in page
    assert 'href="/studies/new"' in page
    assert "trialbook submit" not in viewer
    assert "/studies/new" not in viewer


async def test_what_users_wrote_is_text(serve):
    objective = {"trainer": "external", "metric": HTML, "direction": "maximize"}
    async with serve() as client:
        await submit(client, title=HTML, tags={HTML: HTML}, objective=objective)
        page = await client.get("/", params={"q": HTML})
        full = await client.get("/")
    assert HTML not in page.text + full.text
    assert "↑ &lt;script&gt;alert(1)&lt;/script&gt;" in full.text
    assert "style=" not in full.text
    assert "<script>" not in full.text


async def test_the_frame_marks_where_one_is_and_says_who(serve):
    async with serve() as client:
        await submit(client)
        listed, study = (await client.get("/")).text, (await client.get("/studies/study")).text
        viewer = (await client.get("/", headers=await as_role(client, "viewer", "eve"))).text
    assert '<a href="/" aria-current="page">Studies</a>' in listed
    assert '<a href="/" aria-current="true">Studies</a>' in study
    assert '<strong>eve</strong><br><span class="muted">viewer</span>' in viewer


async def test_a_query_that_is_none_is_refused(serve):
    async with serve() as client:
        await submit(client)
        assert (await client.get("/?limit=0")).status_code == 422
        assert (await client.get(f"/?q={'x' * 201}")).status_code == 422
        assert (await client.get("/?q=%00")).status_code == 422


async def test_a_line_shows_where_the_best_value_went_and_changes_with_it(serve):
    async with serve() as client:
        await submit(client, budget={"n_trials": 5})
        for value in (4.0, 5.0):
            await finish(client, await lease(client), value=value)
        before = (await client.get("/")).text
        await finish(client, await lease(client), value=2.0)
        after = (await client.get("/")).text
    assert 'points="1.0,10.0 79.0,10.0"' in before
    assert 'points="1.0,2.0 79.0,2.0 79.0,18.0 79.0,18.0"' in after


@pytest.mark.parametrize("steps", [[(0, 1.0), (3, -1.7e308), (9, -1.79e308)], [(0, 5e-324), (1, 0.0)], [(0, 1.0)]])
def test_a_line_stays_in_its_box(steps):
    places = [tuple(map(float, place.split(","))) for place in sparkline(steps, 10).split()]
    assert all(0 <= x <= 80 and 0 <= y <= 20 for x, y in places)


def test_a_study_without_values_has_no_line():
    assert sparkline([], 10) == ""
