"""The express lane answers as the routes do: the same statuses, codes and fields, whatever is sent."""

import json

import pytest

from service.api.express import CALLS, Express
from tests.service.calls import lease, submit

pytestmark = pytest.mark.anyio
ASK = {"request_id": "r", "worker": "w", "trainers": ["external"], "study": "study"}
REPORT = {"reports": [{"step": 0, "metrics": {"loss": "nan", "other": 1}}]}
JSON = {"content-type": "application/json"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def said(serve, path, content, headers, *, express):
    async with serve() as client:
        if not express:
            client.app.user_middleware = [one for one in client.app.user_middleware if one.cls is not Express]
        await submit(client)
        one = await lease(client)
        made = (await client.post("/api/v1/tokens", json={"role": "viewer"})).json()["token"]
        headers = {k: v.replace("VIEWER", made) for k, v in headers.items()}
        answer = await client.post(path.replace("LEASE", one["lease"]), content=content, headers=headers)
        await client.delete("/api/v1/studies/study")
    body = answer.json()
    for mine in ("instance", "lease", "started_at", "finished_at", "created_at"):
        body.pop(mine, None)
    return answer.status_code, body, answer.headers["content-type"]


@pytest.mark.parametrize(
    ("path", "content", "headers"),
    [
        ("/api/v1/leases", json.dumps({**ASK, "trainers": ["mlp"]}), JSON),
        ("/api/v1/leases", json.dumps({**ASK, "study": "missing"}), JSON),
        ("/api/v1/leases", json.dumps({**ASK, "colour": "red"}), JSON),
        ("/api/v1/leases", json.dumps({**ASK, "count": "2"}), JSON),
        ("/api/v1/leases", "{", JSON),
        ("/api/v1/leases", "", JSON),
        ("/api/v1/leases", json.dumps(ASK), {"content-type": "text/plain"}),
        ("/api/v1/leases", json.dumps(ASK), {**JSON, "authorization": "Bearer wrong"}),
        ("/api/v1/leases", json.dumps(ASK), {**JSON, "authorization": "Bearer VIEWER"}),
        ("/api/v1/leases/LEASE/reports", json.dumps(REPORT), JSON),
        ("/api/v1/leases/LEASE/reports", json.dumps({"reports": []}), JSON),
        ("/api/v1/leases/LEASE/reports", " " * 70_000, JSON),
        ("/api/v1/leases/unknown/reports", json.dumps(REPORT), JSON),
        ("/api/v1/leases/LEASE/finish", json.dumps({"state": "complete", "value": 0.5}), JSON),
        ("/api/v1/leases/LEASE/finish", json.dumps({"state": "done"}), JSON),
        ("/api/v1/leases/LEASE/finish", json.dumps({"state": "complete", "value": True}), JSON),
    ],
)
async def test_the_lane_answers_as_the_routes_do(serve, path, content, headers):
    by_lane = await said(serve, path, content, headers, express=True)
    assert by_lane == await said(serve, path, content, headers, express=False)


async def test_every_call_of_the_lane_is_a_described_route(serve):
    async with serve() as client:
        described = (await client.get("/api/v1/openapi.json")).json()["paths"]
    assert {call.path for call in CALLS.values()} <= set(described)
