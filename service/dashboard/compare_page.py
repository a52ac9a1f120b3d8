"""Several studies beside each other: how fast each got better, and how good its trials are."""

import json
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from service import studies
from service.api.bodies import Ctx
from service.auth import Reader
from service.dashboard import words
from service.dashboard.rendering import render
from service.dashboard.studies_page import Row, row_of
from trialbook.errors import NotFound
from trialbook.values import Clean
from trialbook.wire import Study

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
MOST = 6  # studies: more curves than that nobody tells apart
OFFERED = 100  # of the newest, to choose from

Names = Annotated[list[Clean], Query(max_length=50)]


@dataclass(frozen=True)
class Chosen:
    """One of the compared studies."""

    row: Row
    took: str  # from its first trial's start to its end, or until now
    without: str  # the address of the comparison without it


@dataclass(frozen=True)
class ComparePage:
    """What the comparison says before its scripts run."""

    chosen: tuple[Chosen, ...]
    offered: tuple[Study, ...]  # to be added
    notes: tuple[str, ...]  # what a reader must know before believing the picture
    room: int  # how many more there is room for

    @property
    def names(self) -> tuple[str, ...]:
        """The compared studies, in the order in which they were chosen."""
        return tuple(one.row.study.name for one in self.chosen)

    @property
    def names_json(self) -> str:
        """For the scripts."""
        return json.dumps(self.names)


@router.get("/compare")
async def compare_page(request: Request, context: Ctx, holder: Reader, study: Names = []) -> HTMLResponse:  # noqa: B006
    """Compare up to six studies, named by `study=` as often as there are studies; without any, choose some."""
    wanted = list(dict.fromkeys(study))
    found, missing = [], []
    for name in wanted[:MOST]:
        try:
            found.append(await studies.read(context, holder, name))
        except NotFound:
            missing.append(name)
    newest = await studies.list_page(context, holder, state=None, q="", cursor=None, limit=OFFERED)
    return render(request, "compare.html", view(found, newest.items, missing, left_out=len(wanted[MOST:])))


def view(found: list[Study], newest: list[Study], missing: list[str], *, left_out: int) -> ComparePage:
    """All that the template needs."""
    names = [one.name for one in found]
    return ComparePage(
        chosen=tuple(Chosen(row_of(one, ""), _took(one), _without(one.name, names)) for one in found),
        offered=tuple(one for one in newest if one.name not in names),
        notes=tuple(_notes(found, missing, left_out)),
        room=MOST - len(found),
    )


def _without(name: str, names: list[str]) -> str:
    rest = urlencode([("study", one) for one in names if one != name])
    return f"/compare?{rest}" if rest else "/compare"


def _notes(found: list[Study], missing: list[str], left_out: int) -> list[str]:
    notes = []
    if missing:
        notes.append(f"There is no study {' and no '.join(missing)}: it was deleted, renamed or is somebody else's.")
    if left_out:
        notes.append(f"Only the first {MOST} are shown; {words.count(left_out, 'other')} left out.")
    metrics = {(one.spec["objective"]["metric"], one.spec["objective"]["direction"]) for one in found}
    if len(metrics) > 1:
        notes.append("These studies have different objectives, so their values say little about each other.")
    if len(metrics) == 1 and len({one.spec["objective"]["data"] for one in found}) > 1:
        notes.append("These studies learn from different data, so their values say little about each other.")
    return notes


def _took(study: Study) -> str:
    if study.started_at is None:
        return "not started"
    return "" if study.finished_at is None else words.duration((study.finished_at - study.started_at).total_seconds())
