"""The page of tokens is the admins', and holds no secret."""

import pytest

from service import auth

pytestmark = pytest.mark.anyio
BROWSER = {"accept": "text/html", "sec-fetch-site": "same-origin"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def make(client, **asked) -> dict:
    return (await client.post("/api/v1/tokens", json=asked)).json()


async def test_an_admin_sees_all_tokens_and_no_secret(serve):
    async with serve() as client:
        made = await make(client, role="worker", owner="<b>lab</b>", name="for <i>GPUs</i>", expires_in=86400.0)
        gone = await make(client, role="viewer", owner="ann")
        await client.delete(f"/api/v1/tokens/{gone['id']}")
        page = await client.get("/tokens", headers=BROWSER)
    assert page.status_code == 200
    for one in (made, gone):
        assert one["id"] in page.text
        assert one["token"].split("_", 2)[2] not in page.text
    assert "for &lt;i&gt;GPUs&lt;/i&gt;" in page.text and "<i>" not in page.text
    assert "valid for 24.0 h" in page.text or "valid for 1 d" in page.text
    assert page.text.index(made["id"]) < page.text.index(gone["id"])  # those that are valid first
    assert page.text.count('name="revoke"') == 2  # the first one's and the worker's


async def test_only_admins_find_their_way_to_it(serve):
    async with serve() as client:
        viewer = await make(client, role="viewer")
        await client.post("/session", json={"token": viewer["token"]}, headers={**BROWSER, "authorization": ""})
        session = {**BROWSER, "authorization": ""}
        refused, home = await client.get("/tokens", headers=session), await client.get("/", headers=session)
        client.cookies.clear()
        await client.post("/session", json={"token": "first"}, headers=session)
        admins = await client.get("/", headers=session)
    assert refused.status_code == 403
    assert 'href="/tokens"' not in home.text
    assert 'href="/tokens"' in admins.text
    assert auth.COOKIE in client.cookies
