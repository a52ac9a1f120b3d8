"""Tokens: made, listed, revoked; what stands behind them is over as soon as they are; guessers wait."""

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from service import auth
from service.__main__ import app as commands
from service.app import create_app
from service.guesses import ALLOWED
from service.serving import first_token, keep_first_token
from service.settings import Settings
from tests.service.calls import finish, lease, report, submit

pytestmark = pytest.mark.anyio
BROWSER = {"authorization": "", "sec-fetch-site": "same-origin"}
SOON = 5.0  # seconds in which a revoked token opens nothing any more


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def token(client: httpx.AsyncClient, role: str, **asked) -> dict:
    answer = await client.post("/api/v1/tokens", json={"role": role, **asked})
    assert answer.status_code == 200, answer.text
    return answer.json()


def bearer(made: dict) -> dict[str, str]:
    return {"authorization": f"Bearer {made['token']}"}


async def revoke_elsewhere(client: httpx.AsyncClient, made: dict) -> None:
    """Revoke a token as another server does: this one's memory is not told."""
    db = client.app.state.context.db
    await db.run(text("update tokens set revoked_at = clock_timestamp() where id = :id"), {"id": made["id"]})


async def test_a_token_is_shown_once_and_stored_as_a_hash(serve):
    async with serve() as client:
        made = await token(client, "viewer", owner="ann", name="for the wall", expires_in=3600)
        listed = await client.get("/api/v1/tokens")
        stored = await client.app.state.context.db.run(text("select t::text as row from tokens t"))
    secret = made["token"].split("_", 2)[2]
    assert len(secret) >= 43  # 32 random bytes
    mine = next(one for one in listed.json()["items"] if one["id"] == made["id"])
    assert (mine["role"], mine["owner"], mine["name"], mine["last_used_at"]) == ("viewer", "ann", "for the wall", None)
    assert mine["expires_at"] is not None
    assert secret not in listed.text
    assert not [row["row"] for row in stored if secret in row["row"]]


async def test_only_admins_see_and_make_tokens(serve):
    async with serve() as client:
        for role in ("viewer", "submitter", "worker"):
            mine = bearer(await token(client, role))
            calls = [("GET", "/api/v1/tokens", None), ("POST", "/api/v1/tokens", {"role": "admin"})]
            for method, path, body in [*calls, ("DELETE", "/api/v1/tokens/first", None)]:
                answer = await client.request(method, path, json=body, headers=mine)
                assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), (role, method)
        assert (await client.get("/api/v1/tokens")).status_code == 200


async def test_use_is_noted_and_an_expired_token_opens_nothing(serve):
    async with serve() as client:
        made = await token(client, "viewer", expires_in=3600)
        assert (await client.get("/api/v1/studies", headers=bearer(made))).status_code == 200
        await client.post("/session", json={"token": made["token"]}, headers=BROWSER)
        assert (await client.get("/api/v1/studies", headers=BROWSER)).status_code == 200
        used = next(one for one in (await client.get("/api/v1/tokens")).json()["items"] if one["id"] == made["id"])
        context = client.app.state.context
        await context.db.run(text("update tokens set expires_at = now() where id = :id"), {"id": made["id"]})
        context.checked.clear()
        by_token = await client.get("/api/v1/studies", headers=bearer(made))
        by_session = await client.get("/api/v1/studies", headers=BROWSER)
    assert used["last_used_at"] is not None
    assert (by_token.status_code, by_session.status_code) == (401, 401)


async def test_revoking_ends_the_token_its_sessions_and_its_links_and_only_those(serve):
    async with serve() as client:
        made, other = await token(client, "submitter"), await token(client, "submitter")
        link = (await auth.login_link(client.app.state.context, made["id"])).partition("#")[2]
        await client.post("/session", json={"token": made["token"]}, headers=BROWSER)
        first = await client.delete(f"/api/v1/tokens/{made['id']}")
        second = await client.delete(f"/api/v1/tokens/{made['id']}")
        by_token = await client.get("/api/v1/studies", headers=bearer(made))
        by_session = await client.get("/api/v1/studies", headers=BROWSER)
        by_link = await client.post("/session", json={"code": link}, headers=BROWSER)
        others = await client.get("/api/v1/studies", headers=bearer(other))
    assert (first.status_code, second.status_code) == (204, 404)
    assert (by_token.status_code, by_session.status_code, by_link.status_code) == (401, 401, 401)
    assert others.status_code == 200


async def test_a_token_revoked_on_another_server_is_refused_within_five_seconds(serve):
    async with serve() as client:
        made = await token(client, "viewer")
        assert (await client.get("/api/v1/studies", headers=bearer(made))).status_code == 200
        await revoke_elsewhere(client, made)
        begun = time.monotonic()
        while (await client.get("/api/v1/studies", headers=bearer(made))).status_code == 200:
            assert time.monotonic() - begun < SOON
            await client.app.state.context.bell.wait(0.1)
    assert time.monotonic() - begun < SOON


async def test_what_is_under_way_ends_within_five_seconds_too(serve, database_url, tmp_path):
    """A long poll, a stream by token, a stream by session and an upload, all under way when the tokens are revoked."""

    async def forever():
        while True:
            yield b"x"
            await asyncio.sleep(0.05)

    async with serve() as client:
        await submit(client, budget={"n_trials": 1})
        made = await token(client, "submitter", owner="admin")
        mine = bearer(made)
        held = await lease(client)
        assert held is not None
        await report(client, held, 1.0)
        await client.post("/session", json={"token": made["token"]}, headers=BROWSER)
        cookie = {"authorization": "", "cookie": f"{auth.COOKIE}={client.cookies[auth.COOKIE]}"}
        client.cookies.clear()
        ask = {"request_id": "r", "worker": "w", "trainers": ["external"], "wait_seconds": 60}
        upload = f"/api/v1/leases/{held['lease']}/artifacts/notes?sha256={'0' * 64}"
        calls = [
            client.post("/api/v1/leases", json=ask, headers=mine),
            client.get("/api/v1/studies/study/events", headers=mine),
            client.get("/api/v1/studies/study/events", headers=cookie),
            client.put(upload, content=forever(), headers=mine),
        ]
        under_way = [asyncio.ensure_future(call) for call in calls]
        done, _ = await asyncio.wait(under_way, timeout=1.0)
        assert not done, "they take long"
        await revoke_elsewhere(client, made)
        begun = time.monotonic()
        async with asyncio.timeout(SOON):
            poll, by_token, by_session, sent = await asyncio.gather(*under_way)
    assert time.monotonic() - begun < SOON
    assert (poll.status_code, sent.status_code) == (401, 401)
    assert (by_token.status_code, by_session.status_code) == (200, 200)  # they had begun; they end
    assert not list((tmp_path / "incoming").iterdir())


async def test_the_trial_of_a_worker_whose_token_was_revoked_is_leased_again_by_its_lease_time(serve):
    async with serve(lease_seconds=1.0) as client:
        await submit(client, budget={"n_trials": 1})
        old, new = await token(client, "worker"), await token(client, "worker")
        ask = {"worker": "w", "trainers": ["external"], "study": "study"}
        first = await client.post("/api/v1/leases", json={**ask, "request_id": "a"}, headers=bearer(old))
        lost = first.json()["leases"][0]
        await client.delete(f"/api/v1/tokens/{old['id']}")
        client.headers.update(bearer(old))
        refused = [await report(client, lost, 1.0), await finish(client, lost, value=1.0)]
        client.headers.update(bearer(new))
        begun = time.monotonic()
        second = await client.post("/api/v1/leases", json={**ask, "request_id": "b", "wait_seconds": 30})
        took = time.monotonic() - begun
        found = second.json()["leases"][0]
        done = await finish(client, found, value=2.0)
    assert {answer.status_code for answer in refused} == {401}
    assert (found["number"], found["attempt"], done.json()["value"]) == (lost["number"], 2, 2.0)
    assert took < 1.0 + SOON


async def test_a_submitter_asks_for_trials_of_its_owner_s_studies_only(serve):
    async with serve() as client:
        await submit(client)
        stranger = bearer(await token(client, "submitter", owner="ann"))
        ask = {"request_id": "r", "worker": "w", "trainers": ["external"]}
        any_study = await client.post("/api/v1/leases", json=ask, headers=stranger)
        named = await client.post("/api/v1/leases", json={**ask, "study": "study"}, headers=stranger)
        missing = await client.post("/api/v1/leases", json={**ask, "study": "nothing"}, headers=stranger)
        mine = bearer(await token(client, "submitter", owner="admin"))
        granted = await client.post("/api/v1/leases", json=ask, headers=mine)
    assert any_study.json()["leases"] == []
    assert (named.status_code, missing.status_code) == (404, 404)
    assert {**named.json(), "instance": ""} == {**missing.json(), "instance": ""}
    assert len(granted.json()["leases"]) == 1


async def test_a_session_s_cookie_is_no_token_and_a_token_no_cookie(serve):
    async with serve() as client:
        await client.post("/session", json={"token": "first"}, headers=BROWSER)
        cookie = client.cookies[auth.COOKIE]
        seen = await client.get("/api/v1/studies", headers=BROWSER)
        client.cookies.clear()
        as_token = await client.get("/api/v1/studies", headers={"authorization": f"Bearer {cookie}"})
        as_cookie = await client.get("/api/v1/studies", headers={**BROWSER, "cookie": f"{auth.COOKIE}=first"})
    assert (seen.status_code, as_token.status_code, as_cookie.status_code) == (200, 401, 401)


async def test_one_link_used_by_many_at_one_instant_opens_one_session(serve):
    async with serve() as client:
        context = client.app.state.context
        code = (await auth.login_link(context, "first")).partition("#")[2]
        tries = [client.post("/session", json={"code": code}, headers=BROWSER) for _ in range(10)]
        answers = await asyncio.gather(*tries)
        sessions = await context.db.run(text("select count(*) as n from sessions"))
    assert sorted(answer.status_code for answer in answers) == [204] + [401] * 9
    assert sessions[0]["n"] == 1


async def test_a_link_lasts_ten_minutes(serve):
    async with serve() as client:
        context = client.app.state.context
        code = (await auth.login_link(context, "first")).partition("#")[2]
        rows = await context.db.run(text("select extract(epoch from expires_at - now())::int as left from login_links"))
        await context.db.run(text("update login_links set expires_at = now()"))
        late = await client.post("/session", json={"code": code}, headers=BROWSER)
    assert rows[0]["left"] in range(590, 601)
    assert late.status_code == 401


async def test_a_guesser_waits_on_every_server_and_keeps_nobody_else_out(serve, database_url, tmp_path):
    other = create_app(Settings(data=tmp_path), database_url)
    async with serve() as client, other.router.lifespan_context(other):
        viewer = await token(client, "viewer")
        fresh = await token(client, "viewer")
        assert (await client.get("/api/v1/studies", headers=bearer(viewer))).status_code == 200
        guesses = [{"authorization": f"Bearer tb_{n}_{'x' * 43}"} for n in range(ALLOWED + 5)]
        tried = [await client.get("/api/v1/studies", headers=guess) for guess in guesses]
        transport = httpx.ASGITransport(other)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as elsewhere:
            there = await elsewhere.get("/api/v1/studies", headers=guesses[0])
        from_afar = httpx.ASGITransport(client.app, client=("192.0.2.7", 1))
        async with httpx.AsyncClient(transport=from_afar, base_url="http://localhost") as somebody:
            theirs = await somebody.get("/api/v1/studies", headers=bearer(fresh))
        known = await client.get("/api/v1/studies", headers=bearer(viewer))
    assert [answer.status_code for answer in tried] == [401] * ALLOWED + [429] * 5
    assert 0 < int(tried[-1].headers["retry-after"]) <= 60
    assert there.status_code == 429
    assert (theirs.status_code, known.status_code) == (200, 200)


async def test_a_revoked_token_is_no_guess(serve):
    async with serve() as client:
        made = await token(client, "worker")
        await client.delete(f"/api/v1/tokens/{made['id']}")
        answers = [await client.get("/api/v1/trainers", headers=bearer(made)) for _ in range(ALLOWED + 5)]
        wrong = await client.get("/api/v1/trainers", headers={"authorization": f"Bearer tb_x_{'x' * 43}"})
    assert {answer.status_code for answer in answers} == {401}
    assert wrong.status_code == 401


async def test_a_first_token_that_was_revoked_stays_so(serve):
    async with serve() as client:
        context = client.app.state.context
        await client.delete("/api/v1/tokens/first")
        again = await auth.keep_first_token(context, "first")
        answer = await client.get("/api/v1/studies")
        another = await auth.keep_first_token(context, "another")
        replaced = await client.get("/api/v1/studies", headers={"authorization": "Bearer another"})
    assert (again, another) == (("first", False), ("first", True))
    assert (answer.status_code, replaced.status_code) == (401, 200)


def test_the_server_s_commands_make_list_and_revoke_tokens(database_url, tmp_path):
    def run(*words: str):
        options = ["--data", str(tmp_path), "--database-url", database_url]
        return CliRunner().invoke(commands, ["token", *words, *options])

    made = json.loads(run("create", "--role", "worker", "--name", "lab", "--days", "2", "-o", "json").stdout)
    [listed] = json.loads(run("list", "-o", "json").stdout)
    seen = run("list").stdout
    revoked = run("revoke", made["id"], "-o", "json")
    again = run("revoke", made["id"])
    wrong = run("create", "--role", "king")
    assert {**listed, "token": made["token"]} == made
    assert (made["role"], made["owner"], made["name"]) == ("worker", "admin", "lab")
    assert "lab" in seen and "valid for" in seen and made["token"] not in seen
    assert json.loads(revoked.stdout) == {"revoked": made["id"]}
    assert (again.exit_code, wrong.exit_code) == (1, 2)
    assert "revoked" in run("list").stdout


def test_servers_that_start_at_once_on_one_folder_share_the_token_that_they_make(tmp_path):
    settings = Settings(data=tmp_path)
    with ThreadPoolExecutor(8) as several:
        made = set(several.map(lambda _: first_token(settings), range(40)))
    assert len(made) == 1
    assert [(file.name, file.stat().st_mode & 0o777) for file in tmp_path.iterdir()] == [("token", 0o600)]


async def test_a_token_that_was_made_here_and_revoked_is_followed_by_another(serve, tmp_path):
    async with serve() as client:
        context = client.app.state.context
        settings = context.settings
        token, token_id = await keep_first_token(context, settings)
        again, _ = await keep_first_token(context, settings)
        await client.delete(f"/api/v1/tokens/{token_id}")
        following, _ = await keep_first_token(context, settings)
        old = await client.get("/api/v1/studies", headers={"authorization": f"Bearer {token}"})
        new = await client.get("/api/v1/studies", headers={"authorization": f"Bearer {following}"})
    assert again == token != following
    assert (old.status_code, new.status_code) == (401, 200)
    assert (tmp_path / "token").read_text().strip() == following
