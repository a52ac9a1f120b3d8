"""Signing in and out: who gets a session, what its cookie may do, where a login leads, and how often one may guess."""

import httpx
import pytest
from fastapi.routing import iter_route_contexts
from sqlalchemy import text

from service import auth
from service.api.bodies import Ctx
from service.app import PAGES
from service.dashboard.session_pages import local_path
from service.guesses import ALLOWED, WINDOW
from service.store import rates, tokens
from tests.service.calls import submit

pytestmark = pytest.mark.anyio
BROWSER = {"authorization": "", "accept": "text/html,application/xhtml+xml", "sec-fetch-site": "same-origin"}
OPEN = {"/login", "/session"}  # of the pages, these alone ask nobody who they are


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def sign_in(client: httpx.AsyncClient, **login: str) -> httpx.Response:
    return await client.post("/session", json=login, headers=BROWSER)


async def code_of(client: httpx.AsyncClient) -> str:
    """A new one-time code."""
    link = await auth.login_link(client.app.state.context, "first")
    return link.partition("#")[2]


async def token_of(client: httpx.AsyncClient, role: str) -> str:
    return (await client.post("/api/v1/tokens", json={"role": role})).json()["token"]


async def test_a_one_time_code_opens_a_session_once(serve):
    async with serve() as client:
        code = await code_of(client)
        first = await sign_in(client, code=code)
        seen = await client.get("/", headers=BROWSER)
        client.cookies.clear()
        second = await sign_in(client, code=code)
    assert (first.status_code, seen.status_code, second.status_code) == (204, 200, 401)
    assert "used before or is too old" in second.json()["detail"]


async def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites(serve):
    async with serve() as client:
        plain = (await sign_in(client, token="first")).headers["set-cookie"]
        tls = {**BROWSER, "origin": "https://localhost"}
        secure = (await client.post("/session", json={"token": "first"}, headers=tls)).headers["set-cookie"]
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(plain.split("; "))
    assert "Secure" not in plain
    assert "Secure" in secure


async def test_a_viewer_gets_in_and_a_worker_does_not(serve):
    async with serve() as client:
        viewer = await sign_in(client, token=await token_of(client, "viewer"))
        worker = await sign_in(client, token=await token_of(client, "worker"))
    assert (viewer.status_code, worker.status_code, worker.json()["code"]) == (204, 403, "forbidden")


async def test_signing_out_ends_the_session_on_the_server(serve):
    async with serve() as client:
        await sign_in(client, token="first")
        cookie = client.cookies[auth.COOKIE]
        out = await client.delete("/session", headers=BROWSER)
        kept = await client.get("/", headers={**BROWSER, "cookie": f"{auth.COOKIE}={cookie}"})
    assert out.status_code == 204
    assert auth.COOKIE not in client.cookies
    assert kept.headers["location"] == "/login?next=%2F"


async def test_a_new_login_ends_the_old_session(serve):
    async with serve() as client:
        await sign_in(client, token="first")
        old = client.cookies[auth.COOKIE]
        await sign_in(client, token="first")
        client.cookies.clear()
        seen = await client.get("/", headers={**BROWSER, "cookie": f"{auth.COOKIE}={old}"})
    assert seen.status_code == 303


@pytest.mark.parametrize("headers", [{"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}])
@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_another_site_signs_nobody_in_or_out(serve, method, headers):
    async with serve() as client:
        await sign_in(client, token="first")
        answer = await client.request(method, "/session", json={"token": "first"}, headers={**BROWSER, **headers})
    assert (answer.status_code, answer.json()["code"]) == (403, "csrf")


@pytest.mark.parametrize("body", [{}, {"token": "a", "code": "b"}, {"token": 1}, {"token": ""}, {"name": "x"}, []])
async def test_a_login_that_is_none_is_refused_without_an_echo(serve, body):
    async with serve() as client:
        answer = await client.post("/session", json=body, headers=BROWSER)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


async def test_after_twenty_wrong_logins_a_right_one_waits_too(serve):
    async with serve() as client:
        wrong = {(await sign_in(client, token=f"tb_{n}_wrong")).status_code for n in range(ALLOWED)}
        answer = await sign_in(client, token="first")
    assert wrong == {401}
    assert (answer.status_code, answer.json()["code"]) == (429, "too-many-requests")
    assert 0 < int(answer.headers["retry-after"]) <= WINDOW


async def test_right_logins_and_those_of_a_minute_ago_do_not_count(serve):
    async with serve() as client:
        db = client.app.state.context.db
        right = {(await sign_in(client, token="first")).status_code for _ in range(ALLOWED + 1)}
        for _ in range(ALLOWED):
            assert await rates.count(db, "a", most=ALLOWED, window=WINDOW) == 0
        waits = await rates.count(db, "a", most=ALLOWED, window=WINDOW)
        elsewhere = await rates.count(db, "b", most=ALLOWED, window=WINDOW)
        await db.run(text("update rates set since = since - interval '61 s'"))
        later = await rates.count(db, "a", most=ALLOWED, window=WINDOW)
    assert right == {204}
    assert WINDOW - 10 < waits <= WINDOW
    assert elsewhere == later == 0


@pytest.mark.parametrize("where", ["/", "/studies/a?state=running&q=x%20y", "/studies/a/trials/3", "/%2fevil.example"])
def test_a_login_leads_on_to_a_page_of_this_server(where):
    assert local_path(where) == where


@pytest.mark.parametrize(
    "where",
    [
        "",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        "/\n/evil.example",
        " //evil.example",
        "evil.example",
        "/a\\..\\b",
        "/a\x00",
        "/login",
    ],
)
def test_a_login_leads_nowhere_else(where):
    assert local_path(where) == "/"


@pytest.mark.parametrize("next", ["//evil.example", "%2F%2Fevil.example", "/%5Cevil.example", "https:evil.example"])
async def test_an_address_of_elsewhere_is_not_on_the_login_page(serve, next):
    async with serve() as client:
        page = await client.get(f"/login?next={next}", headers=BROWSER)
    async with serve(no_auth=True) as client:
        moved = await client.get(f"/login?next={next}", headers=BROWSER)
    assert 'data-next="/"' in page.text
    assert "evil" not in page.text
    assert moved.headers["location"] == "/"


async def test_without_authentication_nobody_signs_in(serve):
    async with serve(no_auth=True) as client:
        login = await client.get("/login?next=/workers", headers=BROWSER)
        page = await client.get("/", headers=BROWSER)
    assert login.headers["location"] == "/workers"
    assert page.status_code == 200
    assert "Sign out" not in page.text


async def test_every_page_but_the_login_asks_who_looks(serve):
    found = (route for page in PAGES for route in iter_route_contexts(page.router.routes))
    routes = [route for route in found if route.path not in OPEN]
    async with serve() as client:
        await submit(client)
        for route in routes:
            path = route.path.replace("{number}", "0").replace("{", "").replace("}", "")
            for method in route.methods:
                stranger = await client.request(method, path, headers={"authorization": ""})
                assert stranger.status_code == 401, (method, path)
    assert {"/", "/studies/{name}", "/studies/{name}/trials/{number}"} <= {route.path for route in routes}


async def test_a_browser_without_a_session_is_sent_to_the_login_and_back(serve):
    async with serve() as client:
        answer = await client.get("/studies/study?state=complete&order=-value", headers=BROWSER)
        program = await client.get("/studies/study", headers={"authorization": ""})
        api = await client.get("/api/v1/studies", headers=BROWSER)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=%2Fstudies%2Fstudy%3Fstate%3Dcomplete%26order%3D-value"
    assert (program.status_code, api.status_code) == (401, 401)
    assert program.headers["content-type"] == api.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("path", "status"), [("/studies/nothing", 404), ("/nowhere", 404), ("/?state=odd", 422), ("/?cursor=forged", 422)]
)
async def test_an_error_is_a_page_for_people_and_a_problem_for_programs(serve, path, status):
    async with serve() as client:
        await sign_in(client, token="first")
        page = await client.get(path, headers=BROWSER)
        program = await client.get(path)
    assert (page.status_code, program.status_code) == (status, status)
    assert page.headers["content-type"].startswith("text/html")
    assert f'<p class="big num">{status}</p>' in page.text
    assert page.headers["x-request-id"] in page.text
    assert program.headers["content-type"] == "application/problem+json"


async def test_a_mistake_of_the_server_is_told_without_what_it_was(serve):
    async with serve() as client:
        transport = httpx.ASGITransport(client.app, raise_app_exceptions=False)

        @client.app.get("/broken", include_in_schema=False)
        async def broken(context: Ctx) -> None:
            raise ZeroDivisionError("a secret")

        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as outside:
            page = await outside.get("/broken", headers=BROWSER)
    assert page.status_code == 500
    assert "Nothing stored was lost" in page.text
    assert "secret" not in page.text


async def test_what_has_expired_goes_with_the_next_login(serve):
    async with serve() as client:
        context = client.app.state.context
        await tokens.add_session(context.db, b"old", "first", -1.0)
        await tokens.add_login_link(context.db, b"old", "first", -1.0)
        await sign_in(client, code=await code_of(client))
        kept = await context.db.run(text("select hash from sessions union all select hash from login_links"), {})
    assert [row["hash"] for row in kept] == [auth.sha256(client.cookies[auth.COOKIE])]


async def test_scripts_and_styles_are_asked_for_again_after_an_upgrade(serve):
    async with serve() as client:
        first = await client.get("/static/app.css")
        again = await client.get("/static/app.css", headers={"if-none-match": first.headers["etag"]})
    assert (first.headers["cache-control"], again.status_code) == ("no-cache", 304)
