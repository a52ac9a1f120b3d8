"""Bad input and strangers: the right answer, as a problem, and never an echo."""

import asyncio

import pytest

from tests.service.calls import lease, report, spec, submit

JSON = {"content-type": "application/json"}
BAD_BODIES = {
    "not JSON": (b"{", 400, "malformed-json"),
    "not UTF-8": (b'{"name": "\xff"}', 400, "malformed-json"),
    "too deep": (b'{"name":' * 40 + b"1" + b"}" * 40, 400, "too-deep"),
    "far too deep": (b"[" * 200_000, 400, "too-deep"),
    "a key twice": (b'{"name": "a", "name": "b"}', 400, "duplicate-key"),
    "NUL": (b'{"name": "a\\u0000"}', 422, "invalid-text"),
    "lone surrogate": (b'{"name": "a\\ud800"}', 422, "invalid-text"),
    "a huge integer": (b'{"name": 9223372036854775808}', 422, "out-of-range"),
    "an endless integer": (b'{"name": ' + b"9" * 9000 + b"}", 422, "out-of-range"),
    "empty": (b"", 400, "malformed-json"),
}
BAD_SPECS = {
    "unknown field": ({"nmae": 1}, "/nmae", "unknown-field"),
    "a field that the server owns": ({"state": "running"}, "/state", "unknown-field"),
    "no slug": ({"name": "Not A Slug"}, "/name", "invalid"),
    "low above high": ({"space": {"x": {"type": "float", "low": 2.0, "high": 1.0}}}, "/space/x/high", "invalid"),
    "log from zero": ({"space": {"x": {"type": "int", "low": 0, "high": 1, "log": True}}}, "/space/x/low", "invalid"),
    "no choices": ({"space": {"x": {"type": "categorical", "choices": []}}}, "/space/x/choices", "invalid"),
    "empty space": ({"space": {}}, "/space", "invalid"),
    "negative budget": ({"budget": {"n_trials": -1}}, "/budget/n_trials", "out-of-range"),
    "true for a number": ({"budget": {"n_trials": True}}, "/budget/n_trials", "invalid"),
    "text for a number": ({"budget": {"n_trials": "3"}}, "/budget/n_trials", "invalid"),
    "a budget without end": ({"budget": {"n_trials": 10**8}}, "/budget/n_trials", "out-of-range"),
    "float grid": ({"sampler": {"name": "grid"}}, "/space/x", "invalid"),
    "unknown sampler": ({"sampler": {"name": "oracle"}}, "/sampler", "invalid"),
    "unknown option": ({"sampler": {"name": "random", "sede": 1}}, "/sampler/sede", "unknown-field"),
    "unknown trainer": ({"objective": {"trainer": "mpl", "metric": "a"}}, "/objective/trainer", "invalid"),
    "unknown data": (
        {"objective": {"trainer": "mlp", "data": "nope", "metric": "val_error"}},
        "/objective/data",
        "invalid",
    ),
    "a metric that is not reported": (
        {"objective": {"trainer": "mlp", "data": "digits", "metric": "speed"}},
        "/objective/metric",
        "invalid",
    ),
}


@pytest.mark.parametrize("case", BAD_BODIES)
def test_a_bad_body_is_answered_by_its_kind(serve, case):
    body, status, code = BAD_BODIES[case]

    async def check():
        async with serve() as client:
            answer = await client.post("/api/v1/studies", content=body, headers=JSON)
            assert (answer.status_code, answer.json()["code"]) == (status, code)
            assert answer.headers["content-type"] == "application/problem+json"

    asyncio.run(check())


@pytest.mark.parametrize("case", BAD_SPECS)
def test_a_bad_spec_is_refused_with_the_pointer(serve, case):
    changes, pointer, code = BAD_SPECS[case]

    async def check():
        async with serve() as client:
            answer = await client.post("/api/v1/studies", json={**spec(), **changes})
            found = answer.json()
            assert (answer.status_code, found["code"]) == (422, code)
            assert pointer in [error["pointer"] for error in found["errors"]]

    asyncio.run(check())


def test_mistakes_in_yaml_come_with_their_line(serve):
    text = "name: a\nobjective: {trainer: external}\nspace:\n  x: {type: float, low: 1, high: 1e-4}\n"

    async def check():
        async with serve() as client:
            headers = {"content-type": "application/yaml"}
            answer = await client.post("/api/v1/studies", content=text, headers=headers)
            assert [(e["pointer"], e["line"]) for e in answer.json()["errors"]] == [("/space/x/high", 4)]

    asyncio.run(check())


def test_a_non_finite_metric_is_data(serve):
    async def check():
        async with serve() as client:
            await submit(client)
            one = await lease(client)
            assert (await report(client, one, "nan", "inf", "-inf", None)).status_code == 200
            trial = (await client.get("/api/v1/studies/study/trials/0")).json()
            assert [r["metrics"]["loss"] for r in trial["reports"]] == ["nan", "inf", "-inf", "nan"]

    asyncio.run(check())


def test_too_large_bodies_wrong_types_methods_and_routes(serve):
    async def check():
        async with serve() as client:
            large = await client.post("/api/v1/studies", content=b" " * (2**20 + 1), headers=JSON)
            untyped = await client.post("/api/v1/studies", content=b"{}")
            method = await client.put("/api/v1/studies")
            unknown = await client.get("/api/v1/nothing")
            host = await client.get("/api/v1/studies", headers={"host": "evil.example"})
            found = [(a.status_code, a.json()["code"]) for a in (large, untyped, method, unknown, host)]
            assert found == [
                (413, "too-large"),
                (415, "unsupported-media-type"),
                (405, "method-not-allowed"),
                (404, "not-found"),
                (400, "invalid-host"),
            ]
            assert "GET" in method.headers["allow"]

    asyncio.run(check())


def test_somebody_elses_study_looks_like_a_missing_one(serve):
    async def check():
        async with serve() as client:
            await submit(client)
            made = await client.post("/api/v1/tokens", json={"role": "submitter", "owner": "bob"})
            bob = {"authorization": f"Bearer {made.json()['token']}"}
            theirs, missing = [
                (await client.get(f"/api/v1/studies/{name}", headers=bob)).json() for name in ("study", "nothing")
            ]
            assert {**theirs, "instance": ""} == {**missing, "instance": ""}
            assert theirs["status"] == 404

    asyncio.run(check())


def test_roles_are_kept_and_revoked_tokens_refused(serve):
    async def check():
        async with serve() as client:
            made = (await client.post("/api/v1/tokens", json={"role": "worker"})).json()
            worker = {"authorization": f"Bearer {made['token']}"}
            forbidden = await client.post("/api/v1/studies", json=spec(), headers=worker)
            assert (forbidden.status_code, forbidden.json()["code"]) == (403, "forbidden")
            await client.delete(f"/api/v1/tokens/{made['id']}")
            assert (await client.get("/api/v1/trainers", headers=worker)).status_code == 401

    asyncio.run(check())


OPEN = {"/healthz", "/readyz", "/metrics", "/api/v1/openapi.json"}


def test_every_route_but_the_open_ones_asks_who_calls(serve):
    async def check():
        async with serve() as client:
            paths = client.app.openapi()["paths"]
            for path, operations in paths.items():
                for method in operations:
                    if path in OPEN:
                        continue
                    filled = path.replace("{number}", "0").replace("{", "").replace("}", "")
                    answer = await client.request(
                        method, filled, headers={"authorization": ""}, params={"sha256": "0" * 64}
                    )
                    assert answer.status_code == 401, (method, path, answer.status_code)

    asyncio.run(check())
