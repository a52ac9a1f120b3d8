"""The list of studies: which run, how far each is, how good."""

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
from service.dashboard.sparklines import sparklines
from trialbook.values import Clean
from trialbook.wire import Study, StudyState

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
PAGE = 30
STATES: tuple[StudyState, ...] = ("running", "paused", "completed", "cancelled")
Search = Annotated[Clean, Query(max_length=200)]
State = Annotated[StudyState | None, Query()]


@dataclass(frozen=True)
class Row:
    """What the list says of a study."""

    study: Study
    badge: str
    over: int
    metric: str
    arrow: str
    wish: str
    trainer: str
    sampler: str
    spark: str  # the best value so far, as the points of a line


@dataclass(frozen=True)
class Choice:
    """A filter by state: its word and its address."""

    word: str
    address: str
    chosen: bool


@dataclass(frozen=True)
class StudiesPage:
    """What the list of studies says."""

    rows: tuple[Row, ...]
    choices: tuple[Choice, ...]
    filtered: bool
    more: str | None
    url: str
    sees_all: bool
    may_submit: bool
    needs_token: bool


@router.get("/")
async def studies_page(
    request: Request,
    context: Ctx,
    holder: Reader,
    q: Search = "",
    state: State = None,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = PAGE,
) -> HTMLResponse:
    """The studies that the holder may see, the newest first."""
    found = await studies.list_page(context, holder, state=state, q=q.strip(), cursor=cursor, limit=limit)
    sparks = await sparklines(context, found.items)
    page = StudiesPage(
        rows=tuple(row_of(study, sparks.get(study.name, "")) for study in found.items),
        choices=tuple(Choice(one or "all", _address(q, one), one == state) for one in (None, *STATES)),
        filtered=bool(q.strip() or state or cursor),
        more=_address(q, state, found.next_cursor) if found.next_cursor else None,
        url=str(request.base_url).rstrip("/"),
        sees_all=holder.role == "admin",
        may_submit=holder.role != "viewer",
        needs_token=not context.settings.no_auth,
    )
    return render(request, "studies.html", page)


def row_of(study: Study, spark: str) -> Row:
    """What the list says of a study."""
    objective = study.spec["objective"]
    lower = objective["direction"] == "minimize"
    return Row(
        study=study,
        badge=words.STUDY_BADGES[study.state],
        over=words.finished(study),
        metric=objective["metric"] or "value",
        arrow="↓" if lower else "↑",
        wish="lower is better" if lower else "higher is better",
        trainer=objective["trainer"],
        sampler=study.spec["sampler"]["name"],
        spark=spark,
    )


def _address(q: str, state: str | None, cursor: str | None = None) -> str:
    given = {"q": q, "state": state, "cursor": cursor}
    query = urlencode({name: value for name, value in given.items() if value})
    return f"/?{query}" if query else "/"
