"""Every route as it stands in the live table, asked by everybody, from everywhere, with every method."""

import itertools
from typing import Any

import httpx
import pytest
from fastapi import APIRouter

from service.api.express import CALLS
from service.auth import COOKIE
from service.routes import OPEN, UnguardedRoute, doors
from tests.service.calls import lease, spec, submit

pytestmark = pytest.mark.anyio
HOME = "http://localhost"
FOREIGN = "https://evil.example"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FROB")
SAFE = ("GET", "HEAD", "OPTIONS")
EVERYBODY = ("viewer", "submitter", "worker", "admin")
READERS = ("viewer", "submitter", "admin")
SUBMITTERS = ("submitter", "admin")
WORKERS = ("worker", "submitter", "admin")
ADMINS = ("admin",)
API = "/api/v1"
TABLE = {  # who may use what; a route that is not in it fails the test
    ("POST", f"{API}/studies"): SUBMITTERS,
    ("POST", f"{API}/studies/validate"): READERS,
    ("GET", f"{API}/studies"): READERS,
    ("GET", f"{API}/studies/{{study}}"): READERS,
    ("PATCH", f"{API}/studies/{{study}}"): SUBMITTERS,
    ("DELETE", f"{API}/studies/{{study}}"): SUBMITTERS,
    ("POST", f"{API}/studies/{{study}}/pause"): SUBMITTERS,
    ("POST", f"{API}/studies/{{study}}/resume"): SUBMITTERS,
    ("POST", f"{API}/studies/{{study}}/cancel"): SUBMITTERS,
    ("GET", f"{API}/studies/{{study}}/events"): READERS,
    ("GET", f"{API}/studies/{{study}}/log"): READERS,
    ("GET", f"{API}/studies/{{study}}/trials"): READERS,
    ("POST", f"{API}/studies/{{study}}/trials"): SUBMITTERS,
    ("GET", f"{API}/studies/{{study}}/trials/{{number}}"): READERS,
    ("POST", f"{API}/studies/{{study}}/trials/{{number}}/cancel"): SUBMITTERS,
    ("GET", f"{API}/studies/{{study}}/trials/{{number}}/artifacts"): READERS,
    ("GET", f"{API}/studies/{{study}}/trials/{{number}}/artifacts/{{name:path}}"): EVERYBODY,
    ("GET", f"{API}/studies/{{study}}/curves"): READERS,
    ("GET", f"{API}/studies/{{study}}/analysis/{{kind}}"): READERS,
    ("GET", f"{API}/studies/{{study}}/export"): READERS,
    ("POST", f"{API}/leases"): WORKERS,
    ("POST", f"{API}/leases/{{lease}}/reports"): WORKERS,
    ("POST", f"{API}/leases/{{lease}}/renew"): WORKERS,
    ("POST", f"{API}/leases/{{lease}}/release"): WORKERS,
    ("POST", f"{API}/leases/{{lease}}/finish"): WORKERS,
    ("PUT", f"{API}/leases/{{lease}}/artifacts/{{name:path}}"): WORKERS,
    ("POST", f"{API}/evaluations/{{evaluation}}/finish"): WORKERS,
    ("GET", f"{API}/trainers"): EVERYBODY,
    ("GET", f"{API}/workers"): READERS,
    ("GET", f"{API}/datasets"): EVERYBODY,
    ("PUT", f"{API}/datasets/{{name}}"): SUBMITTERS,
    ("GET", f"{API}/datasets/{{name}}"): EVERYBODY,
    ("GET", f"{API}/datasets/{{name}}/rows"): EVERYBODY,
    ("DELETE", f"{API}/datasets/{{name}}"): SUBMITTERS,
    ("GET", f"{API}/tokens"): ADMINS,
    ("POST", f"{API}/tokens"): ADMINS,
    ("DELETE", f"{API}/tokens/{{id}}"): ADMINS,
    ("GET", "/"): READERS,
    ("GET", "/studies/new"): SUBMITTERS,
    ("POST", "/studies/new/draft"): SUBMITTERS,
    ("GET", "/studies/{name}"): READERS,
    ("GET", "/studies/{name}/trials/{number}"): READERS,
    ("POST", "/studies/{name}/notes/preview"): SUBMITTERS,
    ("GET", "/compare"): READERS,
    ("GET", "/workers"): READERS,
    ("GET", "/datasets"): READERS,
    ("GET", "/tokens"): ADMINS,
}
OPEN_TO_ALL = {("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/metrics"), ("GET", "/login"), ("*", "/static")} | {
    *((method, f"{API}/openapi.json") for method in ("GET", "HEAD")),
    *((method, "/session") for method in ("POST", "DELETE")),
}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def filled(path: str, study: str = "missing") -> str:
    """A route's address; what it names is not there, so that nobody's request does anything."""
    named = {"{study}": study, "{number}": "0", "{name:path}": "a", "{name}": study, "{kind}": "history"}
    for parameter, value in named.items():
        path = path.replace(parameter, value)
    return path.replace("{", "").replace("}", "")


_addresses = itertools.count(1)


def from_elsewhere(client) -> httpx.AsyncClient:
    """A client of the same application at an address of its own."""
    number = next(_addresses)
    transport = httpx.ASGITransport(client.app, client=(f"10.0.{number // 250}.{number % 250}", 1))
    return httpx.AsyncClient(transport=transport, base_url=HOME)


async def tokens(client) -> dict[str, dict[str, str]]:
    """The header of each role, and of tokens that are none any more."""
    made = {
        role: (await client.post(f"{API}/tokens", json={"role": role, "owner": "ann"})).json() for role in EVERYBODY
    }
    revoked = (await client.post(f"{API}/tokens", json={"role": "admin"})).json()
    await client.delete(f"{API}/tokens/{revoked['id']}")
    expired = (await client.post(f"{API}/tokens", json={"role": "admin", "expires_in": 1e-6})).json()
    bad = {"revoked": revoked["token"], "expired": expired["token"], "unknown": made["admin"]["token"][:-4] + "AAAA"}
    said = {name: f"Bearer {token}" for name, token in {**{r: m["token"] for r, m in made.items()}, **bad}.items()}
    said |= {"none": "", "basic": "Basic YWRtaW46YWRtaW4=", "two words": f"Bearer {made['admin']['token']} x"}
    return {name: {"authorization": value} for name, value in said.items()}


async def test_the_table_of_routes_is_this_one(serve):
    async with serve() as client:
        found = {(door.method, door.path): door.roles for door in doors(client.app)}
    assert {one: {*roles, "admin"} for one, roles in found.items() if roles is not None} == {
        one: set(roles) for one, roles in TABLE.items()
    }
    assert {one for one, roles in found.items() if roles is None} == OPEN_TO_ALL == OPEN
    assert {("POST", call.path) for call in CALLS.values()} <= set(found)


async def test_every_route_lets_in_its_roles_and_nobody_else(serve):
    wrong = []
    async with serve() as client:
        for who, headers in (await tokens(client)).items():
            for (method, path), roles in TABLE.items():
                async with from_elsewhere(client) as elsewhere:  # where nobody has tried too many wrong tokens yet
                    answer = await elsewhere.request(method, filled(path), headers=headers)
                expected = None if who in roles else 403 if who in EVERYBODY else 401
                let_in = answer.status_code not in (401, 403) and answer.status_code < 429
                if (answer.status_code != expected) if expected else not let_in:
                    wrong.append((who, method, path, answer.status_code))
    assert wrong == []


async def test_every_other_method_is_405_with_allow_for_everybody(serve):
    wrong = []
    async with serve() as client:
        known = [door for door in doors(client.app) if door.method != "*"]
        for path in {door.path for door in known}:
            address = filled(path)
            takes = {door.method for door in known if door.pattern.fullmatch(address)}
            for method in set(METHODS) - takes:
                for headers in ({}, {"authorization": ""}):
                    answer = await client.request(method, address, headers=headers)
                    if answer.status_code != 405 or answer.headers.get("allow") != ", ".join(sorted(takes)):
                        wrong.append((method, path, answer.status_code, answer.headers.get("allow")))
    assert wrong == []


async def test_another_spelling_of_an_address_lets_nobody_in(serve):
    wrong = []
    async with serve() as client:
        for method, path in TABLE:
            address = filled(path)
            for spelling in (
                address + "/",
                "/" + address,
                address.replace("/", "//")[1:],
                address.upper(),
                address + ";x",
                "/healthz/.." + address,
                "/static/.." + address,
                "/static/%2e%2e" + address,
                "/login/%2e%2e" + address,
                address.replace("/", "%2F", 1) if address != "/" else "/%2F",
                address.replace("a", "%61"),
                address + "%00",
                address + "/.",
                address + "?x=/healthz",
                address + "%3F/static",
            ):
                if not spelling.startswith("/"):
                    continue
                answer = await client.request(method, f"{HOME}{spelling}", headers={"authorization": ""})
                if answer.status_code not in (401, 404, 405) and not (spelling == "/" and answer.status_code == 303):
                    wrong.append((method, spelling, answer.status_code))
    assert wrong == []


async def test_a_foreign_study_is_missing_byte_for_byte_on_every_route(serve):
    wrong = []
    async with serve() as client:
        await submit(client, name="theirs")
        mine = await tokens(client)
        one = await lease(client, study="theirs")
        assert one is not None
        for (method, path), roles in TABLE.items():
            if "{study}" not in path and not path.startswith("/studies/{name}"):
                continue
            for who in set(roles) - {"admin"}:
                theirs, missing = [
                    await told(client, method, filled(path, name), mine[who]) for name in ("theirs", "gone")
                ]
                if theirs != missing or theirs[0] != 404:
                    wrong.append((who, method, path, theirs, missing))
        left = (await client.get(f"{API}/studies/theirs")).json()
    assert wrong == []
    assert (left["state"], left["counts"]["running"]) == ("running", 1)


async def told(client, method: str, path: str, headers: dict[str, str]) -> tuple[int, bytes, dict[str, str]]:
    """Everything of an answer but its request's id."""
    body: Any = {"trials": [{"params": {"x": 0.5}}]} if path.endswith("/trials") else {"notes": "mine"}
    answer = await client.request(method, path, json=body if method in ("POST", "PATCH") else None, headers=headers)
    request = answer.headers.pop("x-request-id")
    return answer.status_code, answer.content.replace(request.encode(), b"ID"), dict(answer.headers)


async def test_a_cookie_does_nothing_unsafe_without_proof_that_our_own_page_asks(serve):
    wrong = []
    proofs = {
        "none": ({}, False),
        "another site": ({"sec-fetch-site": "cross-site"}, False),
        "a neighbour": ({"sec-fetch-site": "same-site"}, False),
        "another origin": ({"origin": FOREIGN}, False),
        "no origin": ({"origin": "null"}, False),
        "two voices": ({"sec-fetch-site": "same-origin", "origin": FOREIGN}, False),
        "ours, another site": ({"sec-fetch-site": "cross-site", "origin": HOME}, False),
        "ours": ({"sec-fetch-site": "same-origin", "origin": HOME}, True),
        "our origin": ({"origin": HOME}, True),
    }
    async with serve() as client:
        admin = (await client.post(f"{API}/tokens", json={"role": "admin"})).json()["token"]
        await client.post("/session", json={"token": admin})
        assert COOKIE in client.cookies
        del client.headers["authorization"]
        for (method, path), _ in [*TABLE.items(), (("DELETE", "/session"), ADMINS)]:
            for proof, (headers, is_ours) in proofs.items():
                if method in SAFE or (is_ours and path == "/session"):
                    continue
                answer = await client.request(method, filled(path), headers=headers)
                refused = answer.status_code == 403 and answer.json()["code"] == "csrf"
                if refused == is_ours:
                    wrong.append((proof, method, path, answer.status_code))
        safe = await client.get(f"{API}/studies", headers={"sec-fetch-site": "cross-site", "origin": FOREIGN})
    assert wrong == []
    assert safe.status_code == 200
    assert "access-control-allow-origin" not in safe.headers


async def test_no_route_answers_to_a_foreign_host(serve):
    async with serve() as client:
        for door in doors(client.app):
            method = "GET" if door.method == "*" else door.method
            answer = await client.request(method, filled(door.path), headers={"host": "evil.example"})
            assert answer.status_code == 400, door


@pytest.mark.parametrize("plant", ["router", "route", "mount", "plain", "websocket"])
async def test_a_route_that_names_no_roles_keeps_the_server_from_starting(serve, plant, monkeypatch):
    from service import app as product
    from tests.service import conftest

    def planted(*arguments, **options):
        made = product.create_app(*arguments, **options)
        router = APIRouter()

        @router.get("/secrets")
        async def secrets() -> dict[str, str]:
            return {"all": "of them"}

        async def bare(scope, receive, send):
            raise AssertionError("nobody gets here")

        if plant == "router":
            made.include_router(router, prefix=API)
        elif plant == "route":
            made.get("/secrets")(secrets)
        elif plant == "mount":
            made.mount("/static/secrets", bare)
        elif plant == "plain":
            made.add_route("/secrets", bare)
        else:
            made.add_api_websocket_route("/secrets", bare)
        return made

    monkeypatch.setattr(conftest, "create_app", planted)
    with pytest.raises(UnguardedRoute, match="secrets"):
        async with serve():
            pass


async def test_a_study_that_was_given_null_is_read_as_before(serve):
    async with serve() as client:
        await submit(client, notes="first")
        changed = await client.patch(f"{API}/studies/study", json={"budget": None, "notes": None, "tags": None})
        assert (changed.status_code, changed.json()["notes"]) == (200, "first")
        assert changed.json()["spec"]["budget"] == (await client.get(f"{API}/studies/study")).json()["spec"]["budget"]
        assert changed.json()["n_trials"] == spec()["budget"]["n_trials"]
