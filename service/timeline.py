"""The timeline of a study, as JSON: of a large one its latest trials, or those up to a number."""

import asyncio
import json

from service.context import Context
from service.dashboard.figures.timeline import timeline
from service.store import attempts
from service.store.studies import StudyKey
from trialbook.spec import StudySpec

MOST = 1000  # trials that are drawn at once


async def timeline_json(context: Context, key: StudyKey, last: int) -> bytes:
    """The attempts at the latest trials up to the number `last`. `note` says which of how many trials those are;
    `first` and `last` are their numbers, `total` is how many trials the study has."""
    found = await attempts.bars(context.db, key.id, last=last, most=MOST)
    now = await attempts.now(context.db)
    last = min(last, key.made - 1)
    first = max(0, last - MOST + 1)
    told = {"first": first, "last": last, "total": key.made}
    note = "" if first == 0 and last == key.made - 1 else f"showing trials {first:,} to {last:,} of {key.made:,}"
    spec = StudySpec.model_validate(key.spec)
    made = await asyncio.to_thread(lambda: timeline(spec, found, now))
    return json.dumps({**made, **told, "note": note}).encode()
