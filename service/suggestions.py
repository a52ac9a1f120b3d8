"""The figure `suggestions`: of a large study the latest trials, as its note says."""

import asyncio
import json

from service.context import Context
from service.dashboard.figures.suggestions import suggestions
from service.store.listing import ALL, Order, Quantity, count_trials, list_trials
from service.store.studies import StudyKey
from trialbook.spec import StudySpec
from trialbook.wire import Trial

MOST = 2000
PAGE = 250  # trials read at once
LATEST = Order(Quantity("number"), descending=True)


async def suggestions_json(context: Context, key: StudyKey) -> bytes:
    """The figure as JSON, with `total`, how many trials there are, and `note`, empty where none is left out."""
    found: list[Trial] = []
    cursor: str | None = None
    while len(found) < MOST:
        page, cursor = await list_trials(context.db, key.id, ALL, LATEST, cursor=cursor, limit=PAGE)
        found += page
        if cursor is None:
            break
    total = len(found) if cursor is None else await count_trials(context.db, key.id, ALL)
    note = "" if cursor is None else f"made of the latest {len(found):,} of {total:,} trials"
    spec = StudySpec.model_validate(key.spec)
    made = await asyncio.to_thread(suggestions, spec, found[::-1])
    return json.dumps({**made, "total": total, "note": note}).encode()
