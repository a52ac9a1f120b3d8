"""The bad network: what reaches the server, what the client hears of it, and what the history notes."""

import asyncio

import aiohttp
import pytest
from aiohttp import web

from tests.chaos import proxy
from tests.chaos.history import Call

BODY = {"reports": [{"step": 0, "metrics": {"loss": 0.5}}]}
PATH = "/api/v1/leases/tl_1/reports"


async def through(fault: str | None, asked: object = BODY) -> tuple[list[bytes], int | None, list[Call]]:
    """What a server received of one call through a network with one fault; the status heard; the calls noted."""
    received: list[bytes] = []
    calls: list[Call] = []

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        body = await request.content.read()
        received.append(body)
        return web.json_response({"decision": "continue"})

    runner = web.ServerRunner(web.Server(answer))  # type: ignore[arg-type]
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = site._server.sockets[0].getsockname()[:2]  # type: ignore[union-attr]
    network = proxy.Network(lambda: f"http://{host}:{port}", 0, calls.append)
    network.calm = fault is None
    await network.start()
    status = None
    try:
        async with aiohttp.ClientSession() as http:
            kind = {"data": asked} if isinstance(asked, bytes) else {"json": asked}
            async with http.post(await network.add("one") + PATH, **kind) as told:  # type: ignore[arg-type]
                status = told.status
    except aiohttp.ClientError:
        pass
    await network.settle()
    await network.close()
    assert not network.lost()
    await runner.cleanup()
    return received, status, calls


@pytest.mark.parametrize(
    ("fault", "reached", "heard", "outcomes"),
    [
        (None, {1}, 200, {"ok"}),
        ("delay", {1}, 200, {"ok"}),
        ("repeat", {2, 3}, 200, {"ok"}),
        ("drop", {1}, None, {"unknown"}),
        ("cut", {0}, None, {"unknown"}),
        ("refuse", {0}, None, {"unknown"}),
    ],
)
def test_a_fault_reaches_server_client_and_history(monkeypatch, fault, reached, heard, outcomes):
    monkeypatch.setattr(proxy, "CHANCES", {fault: 100})
    monkeypatch.setattr(proxy, "LONGEST_DELAY", 0.05)
    received, status, calls = asyncio.run(through(fault))
    assert (len(received) in reached, status) == (True, heard)
    assert len(calls) == max(1, len(received))
    assert {(call.client, call.operation, call.outcome) for call in calls} == {("one", "report", *outcomes)}
    assert all(call.asked == BODY and call.begun <= call.ended for call in calls)
    assert {call.answer["decision"] if call.answer else None for call in calls} == {"continue" if heard else None}


def test_a_large_body_goes_through_whole_and_is_noted_by_its_hash():
    content = b"x" * (3 << 20)
    received, status, calls = asyncio.run(through(None, content))
    assert (received, status) == ([content], 200)
    assert calls[0].asked["size"] == len(content)
    assert len(calls[0].asked["sha256"]) == 64
