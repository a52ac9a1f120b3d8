"""Where requests come from: names that a server answers to, what a trusted proxy may say, headers on every answer."""

import httpx
import pytest
from pydantic import ValidationError

from service import auth
from service.headers import ALWAYS
from service.origin import front, neighbourhood, parse_hosts
from service.routes import doors
from service.settings import Settings
from tests.service.calls import submit

pytestmark = pytest.mark.anyio
PROXIES = "10.0.0.0/8, ::1"
TLS = {"x-forwarded-proto": "https", "x-forwarded-for": "203.0.113.9"}
BROWSER = {"authorization": "", "sec-fetch-site": "same-origin"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def sent(peer: str, *forwarded: str, proto: str = "https") -> dict:
    """A request's scope from an address, with what each proxy on its way has added."""
    headers = [(b"x-forwarded-for", one.encode()) for one in forwarded] + [(b"x-forwarded-proto", proto.encode())]
    return {"client": (peer, 1234), "scheme": "http", "headers": headers}


@pytest.mark.parametrize(
    ("scope", "client", "scheme"),
    [
        (sent("203.0.113.9", "192.0.2.1"), "203.0.113.9", "http"),  # a stranger's word counts for nothing
        (sent("10.0.0.1", "192.0.2.1"), "192.0.2.1", "https"),
        (sent("10.0.0.1", "6.6.6.6, 192.0.2.1"), "192.0.2.1", "https"),  # what came before is the client's own claim
        (sent("10.0.0.1", "6.6.6.6", "192.0.2.1, 10.0.0.7"), "192.0.2.1", "https"),
        (sent("10.0.0.1", "10.0.0.2, 10.0.0.7"), "10.0.0.2", "https"),
        (sent("10.0.0.1", "192.0.2.1:4711"), "192.0.2.1", "https"),
        (sent("::1", "[2001:db8::1]:4711"), "2001:db8::1", "https"),
        (sent("::ffff:10.0.0.1", "192.0.2.1"), "192.0.2.1", "https"),
        (sent("10.0.0.1", "192.0.2.1, unknown"), "10.0.0.1", "https"),
        (sent("10.0.0.1"), "10.0.0.1", "https"),
        (sent("10.0.0.1", "192.0.2.1", proto="gopher"), "192.0.2.1", "http"),
        (sent("10.0.0.1", "192.0.2.1", proto="https, http"), "192.0.2.1", "http"),
    ],
)
def test_only_a_trusted_proxy_tells_client_and_scheme(scope, client, scheme):
    seen, spoken = front("0.0.0.0", None, PROXIES).seen_through(scope)
    assert (seen[0], spoken) == (client, scheme)


@pytest.mark.parametrize(
    ("host", "allowed", "name", "answered"),
    [
        ("127.0.0.1", None, "localhost:8000", True),
        ("127.0.0.1", None, "LOCALHOST", True),
        ("127.0.0.1", None, "[::1]:8000", True),
        ("127.0.0.1", None, "trialbook.example.org", False),
        ("127.0.0.1", None, "localhost.evil.example", False),
        ("127.0.0.1", None, "", False),
        ("127.0.0.1", "trialbook.example.org", "Trialbook.example.org:443", True),
        ("0.0.0.0", "trialbook.example.org", "evil.example", False),
        ("0.0.0.0", "trialbook.example.org", "127.0.0.1:8000", True),
        ("0.0.0.0", "trialbook.example.org", "a.trialbook.example.org", False),
        ("10.0.0.5", "trialbook.example.org", "10.0.0.5:8000", True),
        ("0.0.0.0", None, "anything", True),
    ],
)
def test_a_server_answers_to_names_of_its_own(host, allowed, name, answered):
    assert front(host, allowed, None).is_host({"headers": [(b"host", name.encode())]}) == answered


def test_two_names_are_none():
    twice = {"headers": [(b"host", b"localhost"), (b"host", b"evil.example")]}
    assert not front("127.0.0.1", None, None).is_host(twice)


@pytest.mark.parametrize("text", ["https://a", "a:80", "a/b", "*", "u@a"])
def test_what_is_no_name_is_refused_at_the_start(text):
    with pytest.raises(ValueError, match="names without scheme"):
        parse_hosts(text)
    with pytest.raises(ValidationError):
        Settings(allowed_hosts=text)
    with pytest.raises(ValidationError):
        Settings(trusted_proxies=f"10.0.0.1, {text}")


def test_an_ipv6_customer_is_one_client():
    assert neighbourhood("2001:db8:1:2::3") == neighbourhood("2001:db8:1:2:ffff::9") != neighbourhood("2001:db8:1:3::3")
    assert neighbourhood("192.0.2.1") != neighbourhood("192.0.2.2")


async def test_a_page_of_elsewhere_that_resolves_to_us_is_refused_before_anything_is_read(serve):
    async with serve(host="0.0.0.0", allowed_hosts="trialbook.example.org") as client:
        for path in ("/", "/api/v1/studies", "/healthz", "/static/app.css", "/nothing"):
            answer = await client.get(path, headers={"host": "evil.example"})
            assert (answer.status_code, answer.json()["code"]) == (400, "invalid-host"), path
        named = await client.get("/api/v1/studies", headers={"host": "trialbook.example.org:8443"})
    assert named.status_code == 200


async def test_behind_tls_the_cookie_is_secure_and_bound_to_this_very_host(serve):
    async with serve(trusted_proxies="127.0.0.1") as client:
        answer = await client.post("/session", json={"token": "first"}, headers={**BROWSER, **TLS})
        cookie = answer.headers["set-cookie"]
        seen = await client.get("/api/v1/studies", headers={**BROWSER, **TLS, "cookie": cookie.partition(";")[0]})
        planted = cookie.partition(";")[0].replace("__Host-", "")  # as a neighbouring host may set it, without TLS
        refused = await client.get("/api/v1/studies", headers={**BROWSER, **TLS, "cookie": planted})
    assert cookie.startswith(f"__Host-{auth.COOKIE}=")
    assert {"HttpOnly", "SameSite=lax", "Path=/", "Secure"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    assert (seen.status_code, refused.status_code) == (200, 401)


async def test_a_stranger_s_word_makes_no_secure_cookie_and_no_promise_of_tls(serve):
    async with serve() as client:
        answer = await client.post("/session", json={"token": "first"}, headers={**BROWSER, **TLS})
    assert "Secure" not in answer.headers["set-cookie"]
    assert "strict-transport-security" not in answer.headers


async def test_every_answer_carries_the_headers_that_bind_a_browser(serve):
    """All routes with every method of theirs, as whoever may and as nobody; errors and files too."""
    async with serve() as client:
        await submit(client)
        paths = {door.path.replace("{number}", "0") for door in doors(client.app)}
        paths = {path.replace("{study}", "study").replace("{name}", "study") for path in paths} - {"/static"}
        others = {"/nowhere", "/static/app.css", "/static/nothing.js", "/api/v1/studies?limit=x", "/studies/%00"}
        for path in sorted({*paths, *others} - {"/api/v1/studies/{study}/events"}):
            for headers in ({}, {"authorization": "", "accept": "text/html"}):
                if "/events" not in path or headers:
                    assert_bound(await client.get(path, headers=headers), path)
            assert_bound(await client.request("BREW", path), path)
        assert_bound(await client.post("/api/v1/studies", content=b"{"), "a malformed body")


def assert_bound(answer: httpx.Response, path: str) -> None:
    held = {name: value for name, value in answer.headers.items() if name in ALWAYS}
    assert held == ALWAYS, path
    assert "unsafe" not in held["content-security-policy"]
    kept = answer.headers["cache-control"]
    assert kept == ("no-cache" if path.startswith("/static/") else "no-store"), path
    assert not [name for name in answer.headers if name.startswith("access-control-")], path


async def test_tls_is_promised_where_a_trusted_proxy_speaks_it(serve):
    async with serve(trusted_proxies="127.0.0.1") as client:
        answer = await client.get("/login", headers=TLS)
        plain = await client.get("/login")
    assert answer.headers["strict-transport-security"].startswith("max-age=")
    assert "strict-transport-security" not in plain.headers


async def test_no_other_site_is_told_that_it_may_read(serve):
    asks = {"origin": "https://evil.example", "access-control-request-method": "GET"}
    async with serve() as client:
        for method in ("OPTIONS", "GET"):
            answer = await client.request(method, "/api/v1/studies", headers=asks)
            assert not [name for name in answer.headers if name.startswith("access-control-")]
            assert answer.status_code == (405 if method == "OPTIONS" else 200)
