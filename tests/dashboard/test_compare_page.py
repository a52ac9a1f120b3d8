"""The comparison of studies: what is beside what, and what a reader must know before believing the picture."""

import pytest

from tests.dashboard.test_study_page import ESCAPED, HTML, as_role
from tests.service.calls import finish, lease, submit

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def compared(client, *names: str, **headers) -> str:
    answer = await client.get("/compare", params={"study": list(names)}, **headers)
    assert answer.status_code == 200
    return answer.text


async def test_studies_stand_beside_each_other_with_their_best(serve):
    async with serve() as client:
        for name, value in (("one", 0.25), ("two", 0.75)):
            await submit(client, name=name)
            await finish(client, await lease(client, name), value=value)
        page = await compared(client, "two", "one")
    assert page.index('href="/studies/two"') < page.index('href="/studies/one"')
    assert ">0.25</a>" in page
    assert ">0.75</a>" in page
    assert 'href="/compare?study=two"' in page  # without the other one
    assert 'class="note"' not in page


async def test_without_studies_one_chooses_some(serve):
    async with serve() as client:
        assert "no study to compare" in await compared(client)
        await submit(client, name="one")
        page = await compared(client)
    assert '<input type="checkbox" name="study" value="one">' in page


async def test_what_makes_a_comparison_doubtful_is_said(serve):
    async with serve() as client:
        await submit(client, name="one")
        await submit(
            client, name="up", objective={"trainer": "external", "metric": "accuracy", "direction": "maximize"}
        )
        page = await compared(client, "one", "up", "gone")
    assert "different objectives" in page
    assert "There is no study gone" in page


async def test_only_six_are_shown_and_the_others_counted(serve):
    names = [f"s{i}" for i in range(8)]
    async with serve() as client:
        for name in names:
            await submit(client, name=name)
        page = await compared(client, *names)
    assert "2 others left out" in page
    assert 'href="/studies/s5"' in page
    assert 'href="/studies/s6"' not in page


async def test_somebody_elses_study_looks_like_a_missing_one(serve):
    async with serve() as client:
        await submit(client, name="secret")
        headers = await as_role(client, "viewer", "ann")
        theirs, missing = [await compared(client, name, headers=headers) for name in ("secret", "nothing")]
    assert theirs.replace("secret", "nothing") == missing


async def test_what_users_wrote_is_text(serve):
    async with serve() as client:
        await submit(client, name="one", title=HTML)
        page = await compared(client, "one")
        assert HTML not in page
        assert ESCAPED in page
        assert HTML not in await compared(client, HTML)
