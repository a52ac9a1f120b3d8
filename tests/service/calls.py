"""Calls that several tests of the service make."""

import asyncio
import itertools
import socket
from typing import Any

import httpx
from sqlalchemy import text


def spec(name: str = "study", **changes: Any) -> dict[str, Any]:
    """A small external study."""
    return {
        "name": name,
        "objective": {"trainer": "external", "metric": "loss", "direction": "minimize"},
        "space": {"x": {"type": "float", "low": 0.0, "high": 1.0}},
        "budget": {"n_trials": 3},
        **changes,
    }


async def submit(client: httpx.AsyncClient, **changes: Any) -> dict[str, Any]:
    """Submit a study and give it back."""
    answer = await client.post("/api/v1/studies", json=spec(**changes))
    assert answer.status_code == 201, answer.text
    return answer.json()


_numbers = itertools.count()


async def lease(client: httpx.AsyncClient, study: str = "study", **changes: Any) -> dict[str, Any] | None:
    """Ask for one trial."""
    body = {"request_id": f"lease-{next(_numbers)}", "worker": "w", "trainers": ["external"], "study": study, **changes}
    answer = await client.post("/api/v1/leases", json=body)
    assert answer.status_code == 200, answer.text
    return next(iter(answer.json()["leases"]), None)


async def finish(client: httpx.AsyncClient, one: dict[str, Any], **body: Any) -> httpx.Response:
    """Finish a lease, as complete unless said otherwise."""
    return await client.post(f"/api/v1/leases/{one['lease']}/finish", json={"state": "complete", **body})


async def report(client: httpx.AsyncClient, one: dict[str, Any], *losses: Any, first: int = 0) -> httpx.Response:
    """Report a loss for each step from `first`."""
    reports = [{"step": first + i, "metrics": {"loss": loss}} for i, loss in enumerate(losses)]
    return await client.post(f"/api/v1/leases/{one['lease']}/reports", json={"reports": reports})


async def expire(client: httpx.AsyncClient) -> None:
    """Make all leases' time be over."""
    database = client.app.state.context.db  # type: ignore[attr-defined]
    await database.run(text("update trials set lease_until = now() - interval '1 s' where state = 'running'"))


async def settle(client: httpx.AsyncClient) -> None:
    """Wait until what was told can be read: until no older transaction runs, in any database of this PostgreSQL."""
    database = client.app.state.context.db  # type: ignore[attr-defined]
    newest = text("select count(*) from events where xid >= pg_snapshot_xmin(pg_current_snapshot())")
    async with asyncio.timeout(30):
        while (await database.run(newest))[0]["count"]:
            pass


def everything(connection: socket.socket) -> bytes:
    """All that is still sent on a connection, until the other side closes it."""
    return b"".join(iter(lambda: connection.recv(65536), b""))
