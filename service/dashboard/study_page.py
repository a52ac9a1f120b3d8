"""The page of one study: read through the use cases, rendered from one value."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from service import events, studies
from service.api.bodies import Ctx
from service.auth import Reader
from service.context import Context
from service.dashboard import words
from service.dashboard.options import Option, options_of
from service.dashboard.rendering import render
from service.dashboard.snippets import python_of
from service.dashboard.verdict import verdict
from service.store.bests import Improvement, improvements
from trialbook.spec import StudySpec
from trialbook.wire import Study

UNCHANGED = 10_000.0  # what can't change is told again for so many times as long as it took to read
MOST = 1000  # trials that the history is drawn of at once, as in static/js/study/history.js
router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

# Each tab is templates/study/NAME.html and static/js/study/NAME.js; the first one is open where the address names none.
TABS = {
    "history": "History",
    "curves": "Curves",
    "parameters": "Parameters",
    "trials": "Trials",
    "timeline": "Timeline",
    "distribution": "Distribution",
    "search": "Search",
    "notes": "Notes",
    "log": "Log",
}


@dataclass(frozen=True)
class Param:
    """A column of the table of trials."""

    name: str
    numeric: bool


@dataclass(frozen=True)
class StudyPage:
    """What the study's page says before its scripts run."""

    study: Study
    metric: str | None
    direction: str
    badge: str
    over: int
    limits: list[tuple[int, int, str]]
    endless: bool
    left: str
    needs_worker: bool
    command: str
    lost: str
    tested: str
    verdict: str
    python: str
    budget: tuple[Option, ...]
    params: tuple[Param, ...]
    may_change: bool
    tabs: dict[str, str]
    tab: str
    place: str  # where the stream of events stood before all this was read

    @property
    def first_read(self) -> str:
        """The address that the open tab's script reads first, spelled as there; empty where it does not matter."""
        return f"/api/v1/studies/{self.study.name}/analysis/history?most={MOST}" if self.tab == "history" else ""

    @property
    def param_names(self) -> str:
        """For the scripts, as JSON."""
        return json.dumps([vars(one) for one in self.params])


@router.get("/studies/{name}")
async def study_page(name: str, request: Request, context: Ctx, holder: Reader) -> HTMLResponse:
    """A study: how good, still getting better, what next."""
    key = await studies.find(context, holder, name)
    place = await events.place(context, key.id)
    study = await studies.read(context, holder, name)
    found = await _improvements(context, key.id, study)
    url = str(request.base_url).rstrip("/")
    tab = request.query_params.get("tab", "")
    page = study_view(study, found, url, datetime.now(UTC), tab, place=place, may_change=holder.role != "viewer")
    return render(request, "study.html", page)


async def _improvements(context: Context, study_id: int, study: Study) -> list[Improvement]:
    """Those up to the best trial, which are read once for all who look: they are the same until another is better."""
    if study.best is None:
        return []
    known: list[Improvement] = await context.shared.get(
        ("improvements", study_id, study.best.number, study.best.value),
        lambda: improvements(context.db, study_id),
        rest=UNCHANGED,
    )
    return known


def study_view(
    study: Study, found: list[Improvement], url: str, now: datetime, tab: str, *, place: str, may_change: bool
) -> StudyPage:
    """All that the study's template needs."""
    spec = StudySpec.model_validate(study.spec)
    return StudyPage(
        study=study,
        metric=spec.objective.metric,
        direction=spec.direction,
        badge=words.STUDY_BADGES[study.state],
        over=words.finished(study),
        limits=words.limits(study),
        endless=not spec.budget.model_dump(exclude_none=True),
        left=words.time_left(study, now),
        needs_worker=study.state == "running" and study.workers == 0,
        command=words.start_command(study, url),
        lost=words.lost_by_cancel(study),
        tested=words.tested(study.best.test, spec.objective.metric) if study.best else "",
        verdict=verdict(spec, study.counts, found, study.best.params if study.best else {}),
        python=python_of(spec, study.best, url) if study.best else "",
        budget=options_of("budget"),
        params=tuple(Param(name, one.type != "categorical") for name, one in spec.space.root.items()),
        may_change=may_change,
        tabs=TABS,
        tab=tab if tab in TABS else next(iter(TABS)),
        place=place,
    )
