"""What early stopping saved and cost in a study, as JSON."""

import asyncio
import json

from service.context import Context
from service.dashboard.figures.early_stopping import early_stopping
from service.store import stops as store
from service.store.studies import StudyKey
from trialbook.spec import StudySpec

MOST = 1000  # spared trials that are looked at one by one


async def early_stopping_json(context: Context, key: StudyKey) -> bytes:
    """The figure; `note` says of how many of the spared trials it is made, empty where of all."""
    found = await store.stops(context.db, key.id, most=MOST)
    spec = StudySpec.model_validate(key.spec)
    spared = sum(found.spared_by_state.values())
    note = f"made of {MOST:,} of {spared:,} trials that ran on, at random" if spared > MOST else ""
    made = await asyncio.to_thread(lambda: early_stopping(spec, found))
    return json.dumps({**made, "note": note}).encode()
