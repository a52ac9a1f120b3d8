"""The figure `history` of a large study: the trials that tell most, and in words which these are."""

import json
from typing import Any

from service.context import Context
from service.dashboard.figures.protocol import heading
from service.store.outcomes import Outcome, Outcomes, read_outcomes
from service.store.studies import StudyKey
from trialbook.spec import StudySpec
from trialbook.values import spell


async def history_json(context: Context, key: StudyKey, *, most: int, first: int, last: int) -> bytes:
    """At most about so many of the trials numbered `first` to `last`, as JSON: the figure `history` with `total`, how
    many there are, and `note`, empty where none is left out."""
    spec = StudySpec.model_validate(key.spec)
    found = await read_outcomes(context.db, key.id, most=most, first=first, last=last)
    items = [_item(one, spec.sign) for one in found.items]
    return json.dumps({**heading("history", spec), "total": found.total, "note": _note(found), "items": items}).encode()


def _item(one: Outcome, sign: int) -> dict[str, Any]:
    value = None if one.value is None else spell(one.value)
    best = None if one.best is None else one.best * sign
    return {"number": one.number, "state": one.state, "value": value, "best": best}


def _note(found: Outcomes) -> str:
    if len(found.items) == found.total:
        return ""
    some, every = found.improvements_shown, found.improvements
    better = f"every improvement of the best ({every:,})" if some == every else f"{some:,} of {every:,} improvements"
    shown = f"showing {len(found.items):,} of {found.total:,} trials"
    return f"{shown}: {better}, the best, the worst, the latest, and others at random"
