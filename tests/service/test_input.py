"""Bad input and strangers: the right answer, as a problem, and never an echo."""

import asyncio
import csv
import hashlib
import io
import itertools
import json
from contextlib import asynccontextmanager

import pytest
import uvicorn

from service.protocol import Deadlined
from service.store import cursors
from tests.service.calls import lease, report, spec, submit

pytestmark = pytest.mark.anyio
JSON = {"content-type": "application/json"}
YAML = {"content-type": "application/yaml"}
FLOAT = {"type": "float", "low": 0.0, "high": 1.0}
INT = {"type": "int", "low": 0, "high": 1}
DIGEST = hashlib.sha256(b"x").hexdigest()
SECRET = "hunter2-qwertz"


@pytest.fixture
def anyio_backend():
    return "asyncio"


def problem(answer):
    """An answer's problem, once it is seen to be whole: what is wrong, under the id of its request."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    found = answer.json()
    assert {"type", "title", "status", "detail", "instance", "code"} <= set(found)
    assert found["instance"] == answer.headers["x-request-id"]
    assert found["status"] == answer.status_code
    assert all({"pointer", "message", "code"} <= set(error) for error in found.get("errors", ()))
    return found


def mistake(answer):
    """Status, code and the first pointer."""
    found = problem(answer)
    return answer.status_code, found["code"], found["errors"][0]["pointer"] if "errors" in found else None


BODIES = {
    "truncated": (b"{", 400, "malformed-json", None),
    "empty": (b"", 400, "malformed-json", None),
    "two values": (b"{} {}", 400, "malformed-json", None),
    "a comma too many": (b'{"name": "a",}', 400, "malformed-json", None),
    "a raw control character": (b'{"name": "a\x01"}', 400, "malformed-json", None),
    "not UTF-8": (b'{"name": "\xff"}', 400, "malformed-json", None),
    "UTF-16": ('{"name": "a"}'.encode("utf-16"), 400, "malformed-json", None),
    "compressed": (b"\x1f\x8b\x08\x00\x00\x00\x00\x00", 400, "malformed-json", None),
    "too deep": (b'{"name":' * 33 + b"1" + b"}" * 33, 400, "too-deep", None),
    "far too deep": (b"[" * 200_000, 400, "too-deep", None),
    "a key twice": (b'{"name": "a", "name": "b"}', 400, "duplicate-key", None),
    "a key twice, far within": (b'{"tags": [{"a": {"b": 1, "b": 1}}]}', 400, "duplicate-key", None),
    "NUL": (b'{"name": "a\\u0000"}', 422, "invalid-text", "/name"),
    "a control character": (b'{"name": "a\\u001b"}', 422, "invalid-text", "/name"),
    "a control character in a key": (b'{"a\\u0007": 1}', 422, "invalid-text", ""),
    "lone surrogate": (b'{"tags": {"a": ["b", "\\ud800"]}}', 422, "invalid-text", "/tags/a/1"),
    "a huge integer": (b'{"name": 9223372036854775808}', 422, "out-of-range", "/name"),
    "a huge negative integer": (b'{"name": -9223372036854775809}', 422, "out-of-range", "/name"),
    "an endless integer": (b'{"name": ' + b"9" * 9000 + b"}", 422, "out-of-range", "/name"),
    "an endless key": (b'{"' + b"k" * 2000 + b'": 1}', 422, "invalid", ""),
    "a list": (b"[]", 422, "invalid", ""),
    "null": (b"null", 422, "invalid", ""),
}


@pytest.mark.parametrize("path", ["/api/v1/studies", "/api/v1/leases", "/api/v1/tokens"])
async def test_a_bad_body_is_answered_by_its_kind_on_every_kind_of_route(serve, path):
    async with serve() as client:
        found = {
            case: mistake(await client.post(path, content=body, headers=JSON)) for case, (body, *_) in BODIES.items()
        }
    assert found == {case: tuple(wanted) for case, (_, *wanted) in BODIES.items()}


SPECS = {
    "unknown field": ({"nmae": 1}, "/nmae", "unknown-field"),
    "a state, which the server owns": ({"state": "running"}, "/state", "unknown-field"),
    "a number, which the server owns": ({"number": 1}, "/number", "unknown-field"),
    "no slug": ({"name": "Not A Slug"}, "/name", "invalid"),
    "a path for a name": ({"name": "../a"}, "/name", "invalid"),
    "a page's name": ({"name": "new"}, "/name", "invalid"),
    "low above high": ({"space": {"x": {**FLOAT, "low": 2.0}}}, "/space/x/high", "invalid"),
    "log from zero": ({"space": {"x": {**INT, "log": True}}}, "/space/x/low", "invalid"),
    "log from below zero": ({"space": {"x": {**FLOAT, "low": -1.0, "log": True}}}, "/space/x/low", "invalid"),
    "a float's step of zero": ({"space": {"x": {**FLOAT, "step": 0.0}}}, "/space/x/step", "invalid"),
    "a float's negative step": ({"space": {"x": {**FLOAT, "step": -0.1}}}, "/space/x/step", "invalid"),
    "an int's step of zero": ({"space": {"x": {**INT, "step": 0}}}, "/space/x/step", "out-of-range"),
    "an int's negative step": ({"space": {"x": {**INT, "step": -1}}}, "/space/x/step", "out-of-range"),
    "no choices": ({"space": {"x": {"type": "categorical", "choices": []}}}, "/space/x/choices", "invalid"),
    "a choice twice": ({"space": {"x": {"type": "categorical", "choices": [1, 1.0]}}}, "/space/x/choices", "invalid"),
    "an unknown type": ({"space": {"x": {"type": "double"}}}, "/space/x", "invalid"),
    "a when that names nothing": ({"space": {"x": {**INT, "when": {"y": [1]}}}}, "/space/x/when/y", "invalid"),
    "a when of a value never taken": (
        {"space": {"x": INT, "y": {**INT, "when": {"x": [7]}}}},
        "/space/y/when/x",
        "invalid",
    ),
    "a when of itself": ({"space": {"x": {**INT, "when": {"x": [1]}}}}, "/space/x/when", "invalid"),
    "a circle of whens": (
        {"space": {n: {**INT, "when": {m: [1]}} for n, m in ("xy", "yz", "zx")}},
        "/space/x/when",
        "invalid",
    ),
    "over 200 parameters": ({"space": {f"x{i}": FLOAT for i in range(201)}}, "/space", "invalid"),
    "empty space": ({"space": {}}, "/space", "invalid"),
    "no budget of trials below one": ({"budget": {"n_trials": 0}}, "/budget/n_trials", "out-of-range"),
    "negative budget": ({"budget": {"n_trials": -1}}, "/budget/n_trials", "out-of-range"),
    "a budget above 10^7": ({"budget": {"n_trials": 10**7 + 1}}, "/budget/n_trials", "out-of-range"),
    "a budget of 2^63": ({"budget": {"n_trials": 2**63}}, "/budget/n_trials", "out-of-range"),
    "true for a number": ({"budget": {"n_trials": True}}, "/budget/n_trials", "invalid"),
    "text for a number": ({"budget": {"n_trials": "3"}}, "/budget/n_trials", "invalid"),
    "a fraction for a whole number": ({"budget": {"n_trials": 3.0}}, "/budget/n_trials", "invalid"),
    "not a number": ({"priority": float("nan")}, "/priority", "invalid"),
    "an infinite bound": ({"space": {"x": {**FLOAT, "high": float("inf")}}}, "/space/x/high", "invalid"),
    "an infinite bound as text": ({"space": {"x": {**FLOAT, "high": "inf"}}}, "/space/x/high", "invalid"),
    "float grid": ({"sampler": {"name": "grid"}}, "/space/x", "invalid"),
    "a grid above 10^6 cells": (
        {"sampler": {"name": "grid"}, "space": {n: {**INT, "high": 1000} for n in "xy"}},
        "/sampler",
        "invalid",
    ),
    "a grid above 10^6 cells of one parameter": (
        {"sampler": {"name": "grid"}, "space": {"x": {**INT, "high": 2**40}}},
        "/space/x",
        "invalid",
    ),
    "a grid's count of nothing": ({"sampler": {"name": "grid", "counts": {"y": 3}}}, "/sampler/counts/y", "invalid"),
    "a grid's value outside": ({"sampler": {"name": "grid", "values": {"x": [2.0]}}}, "/sampler/values/x", "invalid"),
    "unknown sampler": ({"sampler": {"name": "oracle"}}, "/sampler", "invalid"),
    "unknown option": ({"sampler": {"name": "random", "sede": 1}}, "/sampler/sede", "unknown-field"),
    "negative seed": ({"sampler": {"name": "random", "seed": -1}}, "/sampler/seed", "out-of-range"),
    "unknown pruner": ({"pruner": {"name": "axe"}}, "/pruner", "invalid"),
    "unknown trainer": ({"objective": {"trainer": "mpl", "metric": "a"}}, "/objective/trainer", "invalid"),
    "no metric": ({"objective": {"trainer": "mlp", "data": "digits"}}, "/objective/metric", "invalid"),
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
    "an unknown parameter of a trainer": (
        {"objective": {"trainer": "mlp", "data": "digits", "metric": "val_error", "fixed": {"depht": 3}}},
        "/objective/fixed/depht",
        "invalid",
    ),
}


async def test_a_bad_spec_is_refused_with_the_pointer_and_stored_nowhere(serve):
    async with serve() as client:
        found = {}
        for case, (changes, pointer, _) in SPECS.items():
            sent = json.dumps({**spec(), **changes})
            answers = [
                await client.post(f"/api/v1/studies{path}", content=sent, headers=JSON) for path in ("", "/validate")
            ]
            assert [answer.status_code for answer in answers] == [422, 422], case
            problems = [problem(answer) for answer in answers]
            assert problems[0]["errors"] == problems[1]["errors"]
            found[case] = (pointer in [error["pointer"] for error in problems[0]["errors"]], problems[0]["code"])
        kept = (await client.get("/api/v1/studies")).json()["items"]
    assert found == {case: (True, code) for case, (_, _, code) in SPECS.items()}
    assert kept == []


LAUGHS = "a: &a [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]\n" + "\n".join(  # lists of ten of the one before: 10^9 values
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]" for before, name in itertools.pairwise("abcdefghi")
)


YAMLS = {
    "no mapping": ("- 1", 422, "invalid", "", 1),
    "nothing": ("# nothing", 422, "invalid", "", None),
    "broken": ("name: a\nb: c: d", 422, "invalid", "", 2),
    "a tag that makes objects": ("name: !!python/object/apply:os.system [id]", 422, "invalid", "/name", 1),
    "a tag of a mapping": ("tags: !!set {a: b}", 422, "invalid", "/tags", 1),
    "two documents": ("--- {}\n--- {}", 422, "invalid", "", 2),
    "a key twice": ("name: a\ntitle: b\nname: c", 400, "duplicate-key", "/name", 3),
    "a key that is a list": ("? [a]\n: b", 422, "invalid", "", 1),
    "too deep": ("a: " + "[" * 2000, 400, "too-deep", "/a" + "/0" * 31, 1),
    "part of itself": ("a: &a\n- *a", 422, "invalid", "/a/0", 2),
    "an alias of nothing": ("a: *b", 422, "invalid", "/a", 1),
    "values without end": (LAUGHS, 422, "invalid", "/f/1", 6),
    "NUL": ("name: a\0", 400, "bad-request", None, None),
    "an escaped NUL": ('name: "a\\0"', 422, "invalid-text", "/name", 1),
    "a huge integer": ("name: a\npriority: 9223372036854775808", 422, "out-of-range", "/priority", 2),
    "not a number": ("name: a\nspace:\n  x: {type: float, low: .nan, high: 1}", 422, "invalid", "/space/x/low", 3),
    "low above high": ("name: a\nspace:\n  x: {type: int, low: 2, high: 1}", 422, "invalid", "/space/x/high", 3),
}


async def test_a_mistake_in_yaml_comes_with_its_line(serve):
    async with serve() as client:
        found = {}
        for case, (text, _, _, pointer, _) in YAMLS.items():
            answer = await client.post("/api/v1/studies", content=text, headers=YAML)
            errors = problem(answer).get("errors", ())
            lines = {error["pointer"]: error.get("line") for error in errors}
            found[case] = answer.status_code, answer.json()["code"], pointer if pointer in lines else None
            assert lines.get(pointer) == YAMLS[case][4], (case, errors)
    assert found == {case: tuple(wanted[:3]) for case, (_, *wanted) in YAMLS.items()}


async def test_a_thousand_mistakes_are_answered_by_a_hundred(serve):
    async with serve() as client:
        answer = await client.post("/api/v1/studies", json={f"wrong{i}": 1 for i in range(1000)})
    assert len(problem(answer)["errors"]) == 100


REPORTS = {
    "a negative step": ({"step": -1, "metrics": {"loss": 1}}, "out-of-range", "/reports/0/step"),
    "a step of 2^31": ({"step": 2**31, "metrics": {"loss": 1}}, "out-of-range", "/reports/0/step"),
    "a step of 2^63": ({"step": 2**63, "metrics": {"loss": 1}}, "out-of-range", "/reports/0/step"),
    "a step as text": ({"step": "1", "metrics": {"loss": 1}}, "invalid", "/reports/0/step"),
    "true for a step": ({"step": True, "metrics": {"loss": 1}}, "invalid", "/reports/0/step"),
    "a step that is no number": ({"step": float("nan"), "metrics": {"loss": 1}}, "invalid", "/reports/0/step"),
    "no metrics": ({"step": 1, "metrics": {}}, "invalid", "/reports/0/metrics"),
    "a number as text": ({"step": 1, "metrics": {"loss": "1"}}, "invalid", "/reports/0/metrics/loss"),
    "true for a number": ({"step": 1, "metrics": {"loss": True}}, "invalid", "/reports/0/metrics/loss"),
    "a list": ({"step": 1, "metrics": {"loss": [1]}}, "invalid", "/reports/0/metrics/loss"),
    "a huge integer": ({"step": 1, "metrics": {"loss": 2**63}}, "out-of-range", "/reports/0/metrics/loss"),
    "an unknown field": ({"step": 1, "metrics": {"loss": 1}, "epoch": 1}, "unknown-field", "/reports/0/epoch"),
    "NUL in a name": ({"step": 1, "metrics": {"a\0": 1}}, "invalid-text", "/reports/0/metrics"),
}


async def test_a_bad_report_is_refused_with_the_pointer_and_stores_nothing(serve):
    async with serve() as client:
        await submit(client)
        path = f"/api/v1/leases/{(await lease(client))['lease']}/reports"
        found = {}
        for case, (one, *_) in REPORTS.items():
            good = {"step": 7, "metrics": {"loss": 1}}
            answer = await client.post(path, content=json.dumps({"reports": [one, good]}), headers=JSON)
            found[case] = mistake(answer)
        stored = (await client.get("/api/v1/studies/study/trials/0")).json()["reports"]
    assert found == {case: (422, *wanted) for case, (_, *wanted) in REPORTS.items()}
    assert stored == []


async def test_a_non_finite_metric_is_data(serve):
    async with serve() as client:
        await submit(client)
        one = await lease(client)
        assert (await report(client, one, "nan", "inf", "-inf", None)).status_code == 200
        bare = b'{"reports": [{"step": 4, "metrics": {"loss": NaN}}, {"step": 5, "metrics": {"loss": -Infinity}}]}'
        assert (
            await client.post(f"/api/v1/leases/{one['lease']}/reports", content=bare, headers=JSON)
        ).status_code == 200
        trial = (await client.get("/api/v1/studies/study/trials/0")).json()
    assert [r["metrics"]["loss"] for r in trial["reports"]] == ["nan", "inf", "-inf", "nan", "nan", "-inf"]


STUDY = "/api/v1/studies/study"
PARAMETERS = {
    "a limit of zero": ("/api/v1/studies?limit=0", "out-of-range", "/limit"),
    "a negative limit": ("/api/v1/studies?limit=-1", "out-of-range", "/limit"),
    "a huge limit": (f"{STUDY}/trials?limit={2**64}", "out-of-range", "/limit"),
    "a limit in words": (f"{STUDY}/trials?limit=ten", "invalid", "/limit"),
    "a limit that is no number": (f"{STUDY}/trials?limit=NaN", "invalid", "/limit"),
    "an unknown state": (f"{STUDY}/trials?state=lost", "invalid", "/state/0"),
    "an unknown order": (f"{STUDY}/trials?order=random()", "invalid", "/order"),
    "NUL in a search": ("/api/v1/studies?q=a%00b", "invalid-text", "/q"),
    "a trial's number in words": (f"{STUDY}/trials/first", "invalid", "/number"),
    "a negative number": (f"{STUDY}/trials/-1", "out-of-range", "/number"),
    "a huge number": (f"{STUDY}/trials/{2**63}", "out-of-range", "/number"),
    "a list of trials in words": (f"{STUDY}/curves?trials=1,a", "invalid", "/trials"),
    "an unknown format": (f"{STUDY}/export?format=pickle", "invalid", "/format"),
    "a short hash": ("/api/v1/datasets/people?sha256=abc", "invalid", "/sha256"),
}


async def test_a_bad_part_of_an_address_is_refused_by_its_name(serve):
    async with serve() as client:
        await submit(client)
        answers = {case: await client.get(path) for case, (path, *_) in PARAMETERS.items()}
    found = {case: mistake(answer) for case, answer in answers.items()}
    assert {case for case, answer in answers.items() if len(answer.json()["errors"]) != 1} == set()
    assert found == {case: (422, *wanted) for case, (_, *wanted) in PARAMETERS.items()}


FORGED = (
    *("x", "!!", "[1]", "é", "W10", cursors.encode(["1"]), cursors.encode([1.5]), cursors.encode([1, 1])),
    *(cursors.encode([number]) for number in (-1, 2**63, -(2**63), 10**30)),
    *(cursors.encode([score, 0]) for score in ("", "abc", "1_0", "1e999", "0x10", "1'; drop table trials", "١")),
    *(cursors.encode(["0.5", number]) for number in (-1, 2**31, 2**62)),
)


async def test_a_forged_cursor_is_refused(serve):
    async with serve() as client:
        await submit(client)
        for cursor in FORGED:
            for order in ("number", "-number", "value", "-value"):
                answer = await client.get(f"{STUDY}/trials", params={"cursor": cursor, "order": order})
                assert mistake(answer) == (422, "invalid", "/cursor"), (cursor, order)
            assert mistake(await client.get("/api/v1/studies", params={"cursor": cursor}))[0] == 422, cursor
        of_another_list = cursors.encode([2**40])  # a study's, but no trial's number
        assert mistake(await client.get(f"{STUDY}/trials", params={"cursor": of_another_list}))[0] == 422


NAMES = ("..", "a..b", "..%2F..%2Fetc%2Fpasswd", "a%2Fb", "%2Fetc", "a/b", "//etc", "a\\b", "a%5Cb", ".hidden", "a%00b")


@pytest.mark.parametrize("name", [*NAMES, "%2e%2e", "x" * 201, "%C3%A9" * 101, "", "%1b"])
async def test_a_files_name_is_no_path(serve, tmp_path, name):
    async with serve() as client, sockets(client) as ask:
        await submit(client)
        held = (await lease(client))["lease"]
        before = {path.name for path in tmp_path.rglob("*")}
        put = await ask("PUT", f"/api/v1/leases/{held}/artifacts/{name}?sha256={DIGEST}", body=b"x")
        got = await ask("GET", f"{STUDY}/trials/0/artifacts/{name}")
    assert [(a.status, a.problem["errors"][0]["pointer"]) for a in (put, got) if a.status != 200] == [
        (422, "/name") for a in (put, got) if a.status != 200
    ]
    assert put.status == 422
    assert got.status == 422 or name == ""  # which is the list's own address, with a slash
    assert {path.name for path in tmp_path.rglob("*")} == before


async def test_a_file_is_refused_by_its_hash_and_step(serve, tmp_path):
    async with serve() as client:
        await submit(client)
        one = await lease(client)
        base = f"/api/v1/leases/{one['lease']}/artifacts"
        asked = {
            f"{base}/a": "/sha256",
            f"{base}/a?sha256=abc": "/sha256",
            f"{base}/a?sha256={'0' * 64}": "/sha256",
            f"{base}/a?sha256={DIGEST}&step=-1": "/step",
            f"{base}/a?sha256={DIGEST}&step={2**31}": "/step",
            f"{base}/checkpoint?sha256={DIGEST}": "/step",
        }
        found = {path: mistake(await client.put(path, content=b"x"))[0::2] for path in asked}
        listed = (await client.get(f"{STUDY}/trials/0/artifacts")).json()["items"]
    assert found == {path: (422, pointer) for path, pointer in asked.items()}
    assert listed == []
    assert list((tmp_path / "incoming").iterdir()) == list((tmp_path / "artifacts").iterdir()) == []


async def test_a_range_that_is_none_is_a_problem_too(serve):
    async with serve() as client:
        await submit(client)
        one = await lease(client)
        await client.put(f"/api/v1/leases/{one['lease']}/artifacts/a?sha256={DIGEST}", content=b"x")
        file = f"{STUDY}/trials/0/artifacts/a"
        assert (await client.get(file)).status_code == 200
        assert (await client.get(file, headers={"range": "bytes=0-"})).status_code == 206
        for bad in ("lines=1-2", "bytes=x-", "bytes=9999999-"):
            assert mistake(await client.get(file, headers={"range": bad})) == (400, "bad-request", None)


async def test_every_body_needs_its_content_type(serve):
    async with serve() as client:
        found = {}
        for path, operations in client.app.openapi()["paths"].items():
            for method, operation in operations.items():
                kinds = operation.get("requestBody", {}).get("content", {})
                if not kinds or "application/octet-stream" in kinds:  # which is any file
                    continue
                filled = path.replace("{", "").replace("}", "")
                for wrong in ("text/html", "application/xml", "multipart/form-data; boundary=x", "json", None):
                    headers = {} if wrong is None else {"content-type": wrong}
                    answer = await client.request(method, filled, content=b"{}", headers=headers)
                    found[method, path, wrong] = answer.status_code, problem(answer)["code"]
    assert len(found) > 5 * 10
    assert set(found.values()) == {(415, "unsupported-media-type")}, found


async def test_a_wrong_method_is_told_the_right_ones_and_an_unknown_address_is_missing(serve):
    async with serve() as client:
        wrong = {
            ("PUT", "/api/v1/studies"): "GET, POST",
            ("FROB", "/api/v1/studies/study"): "DELETE, GET, PATCH",
            ("GET", "/api/v1/leases"): "POST",
            ("OPTIONS", "/api/v1/leases/x/reports"): "POST",
            ("DELETE", "/api/v1/leases/x/artifacts/a"): "PUT",
            ("POST", "/"): "GET",
            ("POST", "/studies/study"): "GET",
            ("GET", "/session"): "DELETE, POST",
            ("POST", "/metrics"): "GET",
            ("TRACE", "/healthz"): "GET",
            ("POST", "/static/app.css"): "GET, HEAD",
        }
        answers = {one: await client.request(*one) for one in wrong}
        assert {one: answer.headers["allow"] for one, answer in answers.items()} == wrong
        assert {mistake(answer) for answer in answers.values()} == {(405, "method-not-allowed", None)}
        head = await client.head("/api/v1/studies")
        assert (head.status_code, head.headers["allow"]) == (405, "GET, POST")
        for path in (
            "/api/v1/nothing",
            "/nothing",
            "/api/v1",
            "/api/v2/studies",
            "/static/nothing",
            "/api/v1/studies/",
        ):
            assert mistake(await client.get(path)) == (404, "not-found", None), path


async def test_a_name_that_is_taken_is_told_so(serve):
    async with serve() as client:
        await submit(client)
        assert mistake(await client.post("/api/v1/studies", json=spec())) == (409, "name-taken", None)


async def test_an_unknown_host_is_refused_on_loopback(serve):
    async with serve() as client:
        for host in ("evil.example", "localhost.evil.example", "evil.example:80", "", "127.0.0.1.evil.example"):
            assert mistake(await client.get("/healthz", headers={"host": host})) == (400, "invalid-host", None), host


async def test_no_answer_repeats_what_was_sent(serve):
    asked = [
        ("POST", "/session", {"token": SECRET}, JSON),
        ("POST", "/session", {"password": SECRET}, JSON),
        ("POST", "/session", {"code": [SECRET]}, JSON),
        ("POST", "/api/v1/studies", {**spec(), "priority": SECRET}, JSON),
        ("POST", "/api/v1/studies", {**spec(), "name": SECRET + "!"}, JSON),
        ("POST", "/api/v1/studies", {**spec(), "sampler": {"name": SECRET}}, JSON),
        ("POST", "/api/v1/studies", {**spec(), "space": {"x": {"type": SECRET}}}, JSON),
        ("POST", "/api/v1/studies", {**spec(), "objective": {"trainer": SECRET}}, JSON),
        ("POST", "/api/v1/studies", f'{{"name": "{SECRET}', JSON),
        ("POST", "/api/v1/studies", f"name: *{SECRET}", YAML),
        ("POST", "/api/v1/studies", f"name: !{SECRET} a", YAML),
        ("POST", "/api/v1/studies", f"name: '{SECRET}", YAML),
        ("POST", "/api/v1/tokens", {"role": SECRET}, JSON),
        ("POST", "/api/v1/leases", {"request_id": SECRET, "worker": SECRET, "trainers": SECRET}, JSON),
        ("POST", f"/api/v1/leases/{SECRET}/renew", {}, JSON),
        ("POST", "/api/v1/leases/x/finish", {"state": SECRET, "error": SECRET}, JSON),
        ("POST", f"/api/v1/evaluations/{SECRET}/finish", {"error": SECRET}, JSON),
        ("GET", f"/api/v1/studies/{SECRET}", None, {}),
        ("GET", f"/api/v1/studies/study/analysis/{SECRET}", None, {}),
        ("GET", f"/api/v1/studies?state={SECRET}", None, {}),
        ("GET", f"/api/v1/studies?cursor={SECRET}", None, {}),
        ("GET", f"/api/v1/studies/study/trials?order={SECRET}", None, {}),
        ("GET", f"/api/v1/studies/study/trials/{SECRET}", None, {}),
        ("GET", "/api/v1/studies", None, {"authorization": f"Bearer {SECRET}"}),
        ("GET", "/api/v1/studies", None, {"host": f"{SECRET}.example"}),
        (SECRET.upper(), "/api/v1/studies", None, {}),
        ("PUT", f"/api/v1/datasets/people?target=y&task={SECRET}", "a,y\n1,x\n2,z\n", {"content-type": "text/csv"}),
        ("PUT", f"/api/v1/datasets/people?target={SECRET}", "a,y\n1,x\n2,z\n", {"content-type": "text/csv"}),
        ("PUT", "/api/v1/datasets/people", f"PK{SECRET}", {"content-type": "application/x-npz"}),
        ("PUT", f"/api/v1/datasets/people?target={SECRET}", "", {"content-type": SECRET}),
    ]
    async with serve() as client:
        await submit(client)
        for method, path, body, headers in asked:
            content = body if isinstance(body, str | None) else json.dumps(body)
            answer = await client.request(method, path, content=content, headers=headers)
            assert answer.status_code >= 400, (method, path)
            problem(answer)
            told = (answer.text + str(answer.headers)).lower()
            for word in (SECRET, "traceback", "select ", "asyncpg", ".py", "pydantic", "/tmp", "input_value"):  # noqa: S108
                assert word not in told, (word, method, path, answer.text)


async def test_html_is_shown_as_text_and_formulas_are_quoted(serve):
    script = "<script>alert(1)</script>"
    choices = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "plain"]
    async with serve() as client:
        space = {"=x": {"type": "categorical", "choices": choices}}
        sampler = {"name": "grid"}
        await submit(client, title=script, notes=script, tags={"<b>": script}, space=space, sampler=sampler, budget={})
        one = await lease(client, worker="=cmd|' /C calc'!A0")
        bad = {"state": "failed", "error": f"@{script}", "retry": False}
        await client.post(f"/api/v1/leases/{one['lease']}/finish", json=bad)
        while one := await lease(client):
            await client.post(f"/api/v1/leases/{one['lease']}/finish", json={"state": "complete", "value": -1.5})
        study = (await client.get(STUDY)).json()
        pages = [(await client.get(path)).text for path in ("/", "/studies/study", "/studies/study/trials/0")]
        exported = (await client.get(f"{STUDY}/export?format=csv")).text
    assert (study["title"], study["notes"], study["tags"]) == (script, script, {"<b>": script})
    assert [script in page for page in pages] == [False] * 3
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in pages[1]
    cells = list(csv.reader(io.StringIO(exported, newline="")))
    assert {row[-1] for row in cells[1:]} == {*(f"'{text}" for text in choices[:-1]), "plain"}
    assert {row[2] for row in cells[2:]} == {"-1.5"}  # a number stays one
    assert (cells[1][4], cells[1][8]) == ("'=cmd|' /C calc'!A0", f"'@{script}")
    texts = [cell for row in cells for i, cell in enumerate(row) if i != 2]
    assert [cell for cell in texts if cell.startswith(("=", "+", "-", "@", "\t", "\r"))] == []


# What needs a real connection: httpx would not say it, or not say it so.


class Heard:
    """An answer as it came over a connection."""

    def __init__(self, raw):
        head, _, self.body = raw.partition(b"\r\n\r\n")
        self.status = int(head.split(b" ", 2)[1]) if head else None
        self.head = head.decode("latin-1").lower()

    @property
    def problem(self):
        return json.loads(self.body)


@asynccontextmanager
async def sockets(client):
    """The application behind a real server: `await ask(method, path, body=…)` speaks HTTP by hand."""
    config = uvicorn.Config(client.app, http=Deadlined, lifespan="off", log_config=None, host="127.0.0.1", port=0)
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    serving = asyncio.create_task(server.main_loop())
    port = server.servers[0].sockets[0].getsockname()[1]

    async def ask(method, path, *, body=b"", headers=None, length=None, leave=False):
        """`leave`: go away after the body, else read until the server has answered and closed."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        said = {"host": "127.0.0.1", "authorization": "Bearer first", "connection": "close", **(headers or {})}
        if "transfer-encoding" not in said:
            said["content-length"] = str(len(body) if length is None else length)
        head = "".join(f"{name}: {value}\r\n" for name, value in said.items())
        writer.write(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body)
        if leave:
            writer.close()
            await writer.wait_closed()
            return None
        async with asyncio.timeout(30):
            heard = Heard(await reader.read())
        writer.close()
        return heard

    try:
        yield ask
    finally:
        server.should_exit = True
        await serving
        await server.shutdown()


def chunked(body, size=60_000):
    parts = [body[i : i + size] for i in range(0, len(body), size)]
    return b"".join(f"{len(part):x}\r\n".encode() + part + b"\r\n" for part in parts) + b"0\r\n\r\n"


async def test_the_answer_to_a_body_that_is_too_large_reaches_its_sender(serve):
    async with serve() as client, sockets(client) as ask:
        await submit(client)
        reports = f"/api/v1/leases/{(await lease(client))['lease']}/reports"
        for path, size in (("/api/v1/studies", 2**20 + 1), ("/api/v1/studies", 20 * 2**20), (reports, 2**16 + 1)):
            for coding in ({}, {"transfer-encoding": "chunked"}):
                body = b" " * size
                heard = await ask("POST", path, body=chunked(body) if coding else body, headers={**JSON, **coding})
                assert (heard.status, heard.problem["code"]) == (413, "too-large"), (path, size, coding)
                assert heard.problem["instance"] in heard.head


async def test_a_body_up_to_the_limit_is_read(serve):
    async with serve() as client:
        exact = json.dumps(spec()).ljust(2**20)
        assert (await client.post("/api/v1/studies", content=exact, headers=JSON)).status_code == 201


async def test_a_lying_length_keeps_nothing_and_harms_nobody(serve, tmp_path):
    async with serve() as client, sockets(client) as ask:
        await submit(client)
        put = f"/api/v1/leases/{(await lease(client))['lease']}/artifacts/a?sha256={DIGEST}"
        await ask(
            "POST", "/api/v1/studies", body=json.dumps(spec("cut")).encode(), length=5000, headers=JSON, leave=True
        )
        await ask("PUT", put, body=b"x", length=5000, leave=True)
        body = json.dumps(spec("short")).encode()
        short = await ask("POST", "/api/v1/studies", body=body, length=len(body) - 1, headers=JSON)
        twice = await ask("POST", "/api/v1/studies", body=body, headers={**JSON, "content-length": "1, 2"}, length=0)
        both = {**JSON, "transfer-encoding": "chunked", "content-length": "1"}
        smuggled = await ask("POST", "/api/v1/studies", body=chunked(body), headers=both)
        alive = await ask("GET", "/healthz")
        names = [study["name"] for study in (await client.get("/api/v1/studies")).json()["items"]]
        files = (await client.get(f"{STUDY}/trials/0/artifacts")).json()["items"]
    assert (short.status, short.problem["code"]) == (400, "malformed-json")
    assert twice.status == 400
    assert smuggled.status == 400
    assert alive.status == 200
    assert names == ["study"]
    assert files == [] == list((tmp_path / "incoming").iterdir())
