"""The page of all workers: who is there, what each trains, and how to start another."""

import shlex
from dataclasses import dataclass
from datetime import UTC, datetime

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from service.api.bodies import Ctx
from service.auth import Reader
from service.dashboard import words
from service.dashboard.rendering import render
from service.store.workers import list_workers
from trialbook.wire import Worker

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
BADGES = {"working": "running", "idle": "complete", "silent": "failed"}
GONE = 86400.0  # seconds of silence after which a worker is no longer listed
SHAPES = {"working": "●", "idle": "○", "silent": "✕"}


@dataclass(frozen=True)
class Row:
    """A worker as the table shows it."""

    worker: Worker
    badge: str
    shape: str
    silence: str

    @property
    def pace(self) -> str:
        """How many trials an hour, as of late."""
        if not self.worker.per_hour:
            return "–"
        return f"{words.shown(float(f'{self.worker.per_hour:.2g}'))} an hour"

    @property
    def own(self) -> tuple[str, ...]:
        """The trainers that its operator brought along."""
        return tuple(name for name in self.worker.trainers if ":" in name)


@dataclass(frozen=True)
class WorkersPage:
    """What the page says before its scripts run."""

    rows: tuple[Row, ...]
    tally: str
    command: str
    own_command: str


@router.get("/workers")
async def workers_page(request: Request, context: Ctx, holder: Reader) -> HTMLResponse:
    """All workers of late, the last heard of first."""
    owner = None if holder.role == "admin" else holder.owner
    found = await list_workers(context.db, lease_seconds=context.settings.lease_seconds, owner=owner)
    return render(request, "workers.html", view(found, str(request.base_url).rstrip("/"), datetime.now(UTC)))


def view(workers: list[Worker], url: str, now: datetime) -> WorkersPage:
    """All that the template needs."""
    silences = [max(0.0, (now - one.last_seen).total_seconds()) for one in workers]
    rows = tuple(
        Row(one, BADGES[one.state], SHAPES[one.state], words.duration(silence))
        for one, silence in zip(workers, silences, strict=True)
        if silence < GONE or one.running
    )
    counts = {state: sum(row.worker.state == state for row in rows) for state in BADGES}
    if len(rows) < len(workers):
        counts["silent for more than a day, not listed"] = len(workers) - len(rows)
    command = f'trialbook-worker --url {shlex.quote(url)} --token "$TRIALBOOK_TOKEN"'
    return WorkersPage(
        rows=rows,
        tally=" · ".join(f"{number} {state}" for state, number in counts.items() if number),
        command=command,
        own_command=f"{command} --trainer train:train",
    )
