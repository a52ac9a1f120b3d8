"""Figures of what was tried and what came of it: made of a sample where a study is large, as their note says."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from service.children import CallFailed
from service.context import Context
from service.dashboard.figures import make
from service.dashboard.figures.belief import require
from service.dashboard.figures.distribution import spread
from service.store import sampling
from service.store.studies import StudyKey
from service.suggestions import suggestions_json
from trialbook.errors import Unavailable
from trialbook.spec import StudySpec

APART_SECONDS = 60.0  # that a figure made in a child process may take


@dataclass(frozen=True)
class Sample:
    """At most `most` trials, `best` of them the best; of complete ones alone; made `apart`, in a child process."""

    best: int
    most: int = 1000
    complete: bool = False
    apart: bool = False


SAMPLES = {
    "parallel": Sample(best=200),
    "slice": Sample(best=200),
    "contour": Sample(best=1),  # a map of averages must not know more of the good trials
    "rank": Sample(best=1),
    "belief": Sample(best=200, most=500, apart=True),
    "importance": Sample(best=0, most=500, complete=True, apart=True),
}
KINDS = (*SAMPLES, "distribution", "suggestions")
DEAR = tuple(kind for kind, how in SAMPLES.items() if how.apart)


async def sampled_json(context: Context, key: StudyKey, kind: str, options: dict[str, str]) -> bytes:
    """One of KINDS as JSON; with `total`, how many trials it could be made of, and `note`, empty where it is made of
    all. `options` are the figure's own. Raises Invalid."""
    if kind == "suggestions":
        return await suggestions_json(context, key)
    spec = StudySpec.model_validate(key.spec)
    if kind == "distribution":
        values = await sampling.values_by_state(context.db, key.id)
        return await asyncio.to_thread(lambda: json.dumps(spread(spec, values)).encode())
    if kind == "belief":
        require(spec, **options)  # a child process could not say what is wrong
    how = SAMPLES[kind]
    found, total = await sampling.sample(context.db, key.id, best=how.best, most=how.most, complete=how.complete)
    told = {"total": total, "note": _note(how, len(found), total)}
    if how.apart:
        return json.dumps({**await _apart(context, kind, spec, found, options), **told}).encode()
    return await asyncio.to_thread(lambda: json.dumps({**make(kind, spec, found, options), **told}).encode())


async def _apart(
    context: Context, kind: str, spec: StudySpec, found: list[sampling.Tried], options: dict[str, str]
) -> dict[str, Any]:
    """The figure, made in a child process: what takes seconds must not hold up this one."""
    asked = (kind, spec, found, options)
    try:
        made: dict[str, Any] = await context.apart.call("service.dashboard.figures:make", *asked, timeout=APART_SECONDS)
    except CallFailed as failure:
        raise Unavailable(f"The figure could not be made: {failure}.") from None
    return made


def _note(how: Sample, shown: int, total: int) -> str:
    if shown == total:
        return ""
    which = f"the best {how.best:,}, and others at random" if how.best > 1 else "at random"
    return f"made of {shown:,} of {total:,} {'complete trials' if how.complete else 'trials'}: {which}"
