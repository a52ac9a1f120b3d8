"""Server-sent events: each change of a study as it happens, with the reports themselves, resumable by Last-Event-ID."""

import json
import re
from collections.abc import AsyncIterator
from typing import Any

from service.context import Context
from service.store import curves as curve_store
from service.store import events as store
from service.store.events import Cursor, Event
from service.store.trials import find_trial
from trialbook.values import spell

LOOK_AGAIN = 0.5  # seconds between looks; a change made through this process is seen at once
KEEP_ALIVE = 15.0  # seconds of silence after which a comment is sent


def parse_cursor(last_event_id: str | None) -> Cursor | None:
    """Where a client stopped; None for a new one or for what this server did not write."""
    match = re.fullmatch(r"(\d{1,18})-(\d{1,18})", last_event_id or "")
    return Cursor(int(match[1]), int(match[2])) if match else None


async def stream(context: Context, study_id: int, last_event_id: str | None) -> AsyncIterator[str]:
    """The stream of a study's events; it begins with `hello`, or with `reset` where the past is no longer known."""
    cursor = parse_cursor(last_event_id)
    if cursor is None or await store.is_forgotten(context.db, cursor):
        kind = "hello" if not last_event_id else "reset"
        cursor = await store.latest(context.db, study_id)
        yield _frame(kind, cursor, {})
    silent = 0.0
    while not context.stopping:
        found = await store.events_since(context.db, study_id, cursor)
        for event in found:
            cursor = event.cursor
            yield _frame(event.kind, cursor, await _filled(context, study_id, event))
        silent = 0.0 if found else silent + LOOK_AGAIN
        if silent >= KEEP_ALIVE:
            silent = 0.0
            yield ": still here\n\n"
        if not found:
            await context.bell.wait(LOOK_AGAIN)


async def _filled(context: Context, study_id: int, event: Event) -> dict[str, Any]:
    """An event with what it is about: the trial as it is now, or the steps that were reported."""
    if event.kind == "trial" and event.number is not None:
        found = await find_trial(context.db, study_id, event.number)
        return {**event.data, "trial": None if found is None else found[1].model_dump(mode="json")}
    if event.kind == "report" and event.number is not None:
        first, last = event.data["first_step"], event.data["last_step"]
        curves = await curve_store.read_curves(context.db, study_id, [event.number])
        steps = [(step, metrics) for one in curves for step, metrics in one.steps if first <= step <= last]
        reports = [{"step": step, "metrics": {k: spell(v) for k, v in metrics.items()}} for step, metrics in steps]
        return {**event.data, "reports": reports}
    return event.data


def _frame(kind: str, cursor: Cursor, data: dict[str, Any]) -> str:
    return f"id: {cursor}\nevent: {kind}\ndata: {json.dumps(data)}\n\n"
