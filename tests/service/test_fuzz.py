"""The OpenAPI document against the server: whatever is sent by whichever role, the answer is one that it tells of.

A few examples of each here, the same each time; `make fuzz EXAMPLES=200` sends so many per operation and role.
"""

import hashlib
import os
from collections import Counter
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi import checks

from tests.servers import server_process
from tests.service.calls import spec

pytestmark = pytest.mark.slow
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "2"))
ROLES = ("none", "viewer", "worker", "submitter", "admin")  # the mightiest last: it may delete what others ask for
PARTS = 4  # of the operations, for tests that run side by side
NOTES = b"notes"
STUDY, SET = "seeded", "people"
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
]
# Valid by its schema is not yet right: bounds that depend on each other, names of what is there, hashes of what is
# sent, points of a study's own space. These are refused with 422, and tests/service/test_input.py says how.
SEMANTIC = {
    *("createStudy", "validateStudy", "updateStudy", "addTrials", "listTrials", "listStudies", "listEvents"),
    *("getCurves", "putArtifact", "getArtifact", "putDataset", "exportStudy", "finishEvaluation", "finishTrial"),
    *("acquireLeases", "report"),  # 40.0 is an integer to JSON Schema, and none to us, who tell types apart
}


class Target:
    """A server with something of everything, and a token of each role for it."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self._session = url, requests.Session()
        self._session.headers["authorization"] = f"Bearer {token}"
        self.sessions = {role: requests.Session() for role in ROLES}
        for role in ROLES[1:]:
            made = self.call("POST", "/tokens", json={"role": role, "owner": "admin"})
            self.sessions[role].headers["authorization"] = f"Bearer {made['token']}"
        self.known: dict[str, list[str]] = {}

    def call(self, method: str, path: str, **request: Any) -> Any:
        """What the first admin is answered."""
        answer = self._session.request(method, f"{self.url}/api/v1{path}", timeout=30, **request)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def seed(self) -> None:
        """A study with a complete, a running and a waiting trial, a file, a set, a token."""
        self._session.delete(f"{self.url}/api/v1/studies/{STUDY}", timeout=30)
        self.call("POST", "/studies", json=spec(STUDY, budget={"n_trials": 1000}))
        leases = []
        for i in range(2):
            ask = {"request_id": os.urandom(8).hex(), "worker": f"w{i}", "trainers": ["external"], "study": STUDY}
            leases.append(self.call("POST", "/leases", json=ask)["leases"][0]["lease"])
            self.call("POST", f"/leases/{leases[i]}/reports", json={"reports": [{"step": 0, "metrics": {"loss": 0.5}}]})
            digest = hashlib.sha256(NOTES).hexdigest()
            self.call("PUT", f"/leases/{leases[i]}/artifacts/notes.txt?sha256={digest}", data=NOTES)
        self.call("POST", f"/leases/{leases[0]}/finish", json={"state": "complete", "value": "nan"})
        self.call("POST", f"/studies/{STUDY}/trials", json={"trials": [{"params": {"x": 0.5}}]})
        table = {"data": b"a,y\n1,x\n2,z\n", "headers": {"content-type": "text/csv"}}
        self.call("PUT", f"/datasets/{SET}?target=y", **table)
        self.known = {
            "study": [STUDY],
            "number": ["0", "1", "2"],
            "lease": leases,
            "kind": ["history", "parallel"],
            "id": [self.call("POST", "/tokens", json={"role": "viewer"})["id"]],
        }

    def names(self, path: str) -> dict[str, list[str]]:
        """What is there, by the parameters of a path."""
        return {**self.known, "name": [SET if path.startswith("/api/v1/datasets") else "notes.txt"]}


@pytest.fixture(scope="module")
def target():
    with server_process() as ready:
        yield Target(ready["url"], ready["token"])


@pytest.fixture(scope="module")
def schema(target):
    # A case that is bad by its Authorization alone would be no more so once it has the role's.
    # What is too much is bad by its number of items, and refused by its size.
    rejected = {
        "negative_data_rejection": {"expected-statuses": ["400", "401", "403", "404", "409", "413", "415", "422"]}
    }
    config = schemathesis.Config.from_dict({"generation": {"with-security-parameters": False}, "checks": rejected})
    return schemathesis.openapi.from_url(f"{target.url}/api/v1/openapi.json", config=config)


@schemathesis.hook
def map_body(context, body):
    """Nobody waits for work that doesn't come."""
    if context.operation.definition.raw.get("operationId") == "acquireLeases" and isinstance(body, dict):
        wait = body.get("wait_seconds")
        return {**body, "wait_seconds": 0} if isinstance(wait, int | float) and wait > 0 else body
    return body


@pytest.fixture(scope="module")
def operations(schema):
    """All that the document tells of, by id."""
    found = [result.ok() for result in schema.get_all_operations()]
    return {operation.definition.raw["operationId"]: operation for operation in found}


@pytest.mark.parametrize("part", range(PARTS))
def test_every_answer_is_one_that_the_document_tells_of(target, operations, part):
    told: Counter[tuple[str, str, int]] = Counter()
    failures: list[str] = []
    is_whole = False
    for name in sorted(operations)[part::PARTS]:
        operation = operations[name]
        if not is_whole:
            target.seed()
        is_whole = operation.method == "get"
        for mode in modes(operation):
            try:
                fuzz(name, operation, mode, target, told)
            except (Exception, FailureGroup) as error:
                failures.append(f"{name} {mode}: {error}")
    print(*(f"{name} {role} {status}: {n}" for (name, role, status), n in sorted(told.items())), sep="\n")
    assert failures == [], "\n\n".join(failures)
    roles = {name: operation.definition.raw.get("x-roles") for name, operation in operations.items()}
    let_in = {(name, role) for name, role, status in told if status < 300 and roles[name] is not None}
    assert {(name, role) for name, role in let_in if role not in roles[name]} == set()


def modes(operation):
    """Good and bad data, where any could be bad: of a parameter that is any text there is none."""
    raw = operation.definition.raw
    can_be_bad = "requestBody" in raw or any(
        set(one["schema"]) > {"type", "title"} for one in raw.get("parameters", ())
    )
    return (GenerationMode.POSITIVE, GenerationMode.NEGATIVE) if can_be_bad else (GenerationMode.POSITIVE,)


def fuzz(name, operation, mode, target, told):
    """Send examples of an operation as every role, half of the good ones about what is there; count the answers."""
    known = target.names(operation.path)
    asked = list(CHECKS)
    if mode == GenerationMode.NEGATIVE:
        asked.append(checks.negative_data_rejection)
    elif name not in SEMANTIC:
        asked.append(checks.positive_data_acceptance)
    # An open stream has no end; whether it answers at all is told where there is no such study.
    may_hit = mode == GenerationMode.POSITIVE and name != "streamEvents"

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],  # a smaller example of a failure is not worth minutes
    )
    @given(case=operation.as_strategy(generation_mode=mode), data=st.data())
    def attack(case, data):
        if may_hit and case.path_parameters and data.draw(st.booleans()):
            there = {one: data.draw(st.sampled_from(known[one])) for one in case.path_parameters if one in known}
            case.path_parameters.update(there)
        for role, session in target.sessions.items():
            answer = case.call_and_validate(session=session, headers=dict(session.headers), checks=asked, timeout=30)
            told[name, role, answer.status_code] += 1

    attack()
