"""Server-sent events: each change of a study as it happens, with the reports themselves, resumable by Last-Event-ID.

Streams that stand at the same place are told the same, so it is read and spelled once for all of them.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from service import ids
from service.context import Context
from service.store import events as store
from service.store.events import Cursor, Event

KIND, LAST = "events", 2**63 - 1
LOOK_AGAIN = 0.5  # seconds between looks; a change made through this process is seen at once
KEEP_ALIVE = 15.0  # seconds of silence after which a comment is sent
PACE = 0.25  # seconds between two looks of a stream where much happens


@dataclass(frozen=True)
class Batch:
    """What happened after a place, as it is sent, and the place after it; nothing where nothing happened."""

    cursor: Cursor
    frames: bytes


def parse_cursor(secret: bytes, last_event_id: str | None) -> Cursor | None:
    """Where a client stopped; None for a new one or for what this service did not write, as before a restore: another
    database's transaction ids say nothing about this one's."""
    match = re.fullmatch(r"(\d{1,18})-(\d{1,19})-([0-9a-f]{8})", last_event_id or "", re.ASCII)
    known = match is not None and match[3] == ids.mark(secret, KIND)
    return Cursor(int(match[1]), min(int(match[2]), LAST)) if match is not None and known else None


async def place(context: Context, study_id: int) -> str:
    """Where a study's stream stands now, as a Last-Event-ID: what is read after this lacks nothing told before it."""
    return _place(context, await store.latest(context.db, study_id))


async def _always() -> bool:
    return True


async def stream(
    context: Context, study_id: int, last_event_id: str | None, is_welcome: Callable[[], Awaitable[bool]] = _always
) -> AsyncIterator[bytes]:
    """The stream of a study's events; it begins with `hello`, or with `reset` where the past is no longer known."""
    with context.load.one("streams"):
        cursor = parse_cursor(context.secret, last_event_id)
        if cursor is None or await store.is_forgotten(context.db, cursor):
            kind = "hello" if not last_event_id else "reset"
            cursor = await store.latest(context.db, study_id)
            yield _frame(context, kind, cursor, {}).encode()
        silent = 0.0
        while not context.stopping and await is_welcome():
            batch = await _next(context, study_id, cursor)
            silent = 0.0 if batch.frames else silent + LOOK_AGAIN
            if batch.frames:
                cursor = batch.cursor
                yield batch.frames
            elif silent >= KEEP_ALIVE:
                silent = 0.0
                yield b": still here\n\n"
            if batch.frames:
                await asyncio.sleep(PACE)
            else:
                await context.news.wait(LOOK_AGAIN)


async def _next(context: Context, study_id: int, cursor: Cursor) -> Batch:
    """What comes after a place. Once something does, it is the same for whoever stands there."""
    key = (study_id, cursor)
    batch: Batch | None = context.batches.get(key)
    if batch is not None:
        return batch
    batch = await context.shared.get(("events", *key), lambda: _read(context, study_id, cursor), rest=0)
    if batch.frames:
        context.batches.put(key, batch)
    return batch


async def _read(context: Context, study_id: int, cursor: Cursor) -> Batch:
    found = await store.events_since(context.db, study_id, cursor)
    if not found:
        return Batch(cursor, b"")
    about = await _read_about(context, study_id, found)
    frames = "".join(_frame(context, one.kind, one.cursor, {**one.data, **about(one)}) for one in found)
    return Batch(found[-1].cursor, frames.encode())


async def _read_about(context: Context, study_id: int, found: Sequence[Event]) -> Callable[[Event], dict[str, Any]]:
    """What events are about: the trials as they are now, and the steps that were reported."""
    numbers = {one.number for one in found if one.kind == "trial" and one.number is not None}
    trials = await store.trials(context.db, study_id, sorted(numbers)) if numbers else {}
    reported = [one for one in found if one.kind == "report"]
    steps = await store.steps(context.db, study_id, reported) if reported else {}

    def about(one: Event) -> dict[str, Any]:
        if one.kind == "trial":
            trial = trials.get(one.number or 0)
            return {"trial": None if trial is None else trial.model_dump(mode="json")}
        if one.kind != "report":
            return {}
        mine = steps.get(one.number or 0, {})
        asked = range(one.data["first_step"], one.data["last_step"] + 1)
        return {"reports": [{"step": step, "metrics": mine[step]} for step in sorted(mine) if step in asked]}

    return about


def _place(context: Context, cursor: Cursor) -> str:
    return f"{cursor}-{ids.mark(context.secret, KIND)}"


def _frame(context: Context, kind: str, cursor: Cursor, data: dict[str, Any]) -> str:
    return f"id: {_place(context, cursor)}\nevent: {kind}\ndata: {json.dumps(data)}\n\n"
