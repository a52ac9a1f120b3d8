"""Trials over HTTP: read, added, cancelled; their curves, exports and artifacts."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response
from fastapi.responses import FileResponse
from pydantic import Field

from service import artifacts, reading, trials
from service.api.bodies import Ctx, JSONRoute
from service.api.description import ANY_FILE, contents
from service.api.studies import Cursor, Key, Limit
from service.auth import Anybody, Reader, Submitter
from service.curves import Asked
from service.dashboard.figures.importance import Method
from service.reading import Wanted
from service.selection import Filters
from trialbook.values import Clean
from trialbook.wire import AddedTrials, Artifact, NewTrials, Page, Trial, TrialDetail, TrialPage, TrialState

router = APIRouter(prefix="/studies/{study}", tags=["trials"], route_class=JSONRoute)
Number = Annotated[int, Path(ge=0, le=2**31 - 1)]


async def filters_of(
    state: Annotated[list[TrialState] | None, Query()] = None,
    numbers: Annotated[str | None, Query(max_length=20_000)] = None,
    where: Annotated[list[Annotated[Clean, Field(max_length=2000)]] | None, Query(max_length=20)] = None,
) -> Filters:
    """Which trials: in one of these states, of these numbers (`1,5,9`), and meeting all conditions (`value<=0.1`)."""
    return Filters(state or (), numbers, where or ())


Filtered = Annotated[Filters, Depends(filters_of)]


@router.get("/trials", operation_id="listTrials")
async def list_trials(
    study: str,
    context: Ctx,
    holder: Reader,
    filters: Filtered,
    order: Annotated[str, Query(max_length=300)] = "number",
    limit: Limit = 100,
    cursor: Cursor = None,
    count: bool = False,
) -> TrialPage:
    """A page of trials; `order` is number, value (the best first), duration, last_step or params.NAME, with a minus the
    other way round; `count` asks how many there are in all.

    Conditions compare number, value, duration (seconds), last_step or params.NAME by <, <=, =, >= or > with a number;
    a parameter that has choices by = with one of them, or a JSON list of them.
    """
    return await reading.trials(context, holder, study, filters, order=order, cursor=cursor, limit=limit, count=count)


@router.post("/trials", operation_id="addTrials", response_model=AddedTrials)
async def add_trials(
    study: str, body: NewTrials, context: Ctx, holder: Submitter, idempotency_key: Key = None
) -> Response:
    """Enqueue known points, or import finished trials."""
    answer = await trials.add(context, holder, study, body, idempotency_key)
    return Response(answer, media_type="application/json")


@router.get("/trials/{number}", operation_id="getTrial")
async def get_trial(study: str, number: Number, context: Ctx, holder: Reader) -> TrialDetail:
    """One trial with its whole curve and its attempts."""
    return await reading.trial(context, holder, study, number)


@router.post("/trials/{number}/cancel", operation_id="cancelTrial")
async def cancel_trial(study: str, number: Number, context: Ctx, holder: Submitter) -> Trial:
    """Cancel one trial; its worker is told at the next report."""
    return await trials.cancel(context, holder, study, number)


@router.get("/trials/{number}/artifacts", operation_id="listArtifacts")
async def list_artifacts(study: str, number: Number, context: Ctx, holder: Reader) -> Page[Artifact]:
    """The files of a trial."""
    return Page(items=await artifacts.list_all(context, holder, study, number), next_cursor=None)


@router.get(
    "/trials/{number}/artifacts/{name:path}",
    operation_id="getArtifact",
    response_class=FileResponse,
    responses=contents(ANY_FILE, text=False),
)
async def get_artifact(study: str, number: Number, name: str, context: Ctx, holder: Anybody) -> Response:
    """One file of a trial; a worker may read those of trials that it runs or evaluates."""
    return await artifacts.send(context, holder, study, number, name)


Name = Annotated[Clean | None, Query(max_length=200)]
Count = Annotated[int | None, Query(ge=0, le=200)]


@router.get("/curves", operation_id="getCurves", response_model=dict[str, Any])
async def get_curves(
    study: str,
    context: Ctx,
    holder: Reader,
    metric: Annotated[list[str] | None, Query()] = None,
    trials: Annotated[str, Query(max_length=2000)] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    best: Count = None,
    latest: Count = None,
    random: Count = None,
) -> Response:
    """Curves, thinned to at most 200 points each: of these trials (`3,7`); of so many of the best complete ones, of the
    latest and at random; or, where nothing is said, of the best and the latest up to the limit. `note` tells which."""
    asked = Asked(tuple(metric or ()), trials, limit, best, latest, random)
    return Response(await reading.curves(context, holder, study, asked), media_type="application/json")


@router.get("/analysis/{kind}", operation_id="getAnalysis", response_model=dict[str, Any])
async def get_analysis(
    study: str,
    kind: str,
    context: Ctx,
    holder: Reader,
    metric: Name = None,
    most: Annotated[int | None, Query(ge=20, le=10_000)] = None,
    first: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    last: Annotated[int, Query(ge=0, le=2**31 - 1)] = 2**31 - 1,
    x: Name = None,
    y: Name = None,
    method: Method | None = None,
) -> Response:
    """The plain data behind a figure. `timeline`: the attempts at the latest trials up to the number `last`.
    `band`: between which values of `metric` most curves run. `history`: with `most`
    the trials numbered `first` to `last`, of many those that tell most, as `note` says. `contour`, `rank`, `belief`:
    over the parameters `x` and `y`. `importance`: by `method` fanova or ped-anova.
    `early_stopping`: what it saved and what it cost."""
    wanted = Wanted(metric, most, first, last, x, y, method)
    return Response(await reading.analysis(context, holder, study, kind, wanted), media_type="application/json")


@router.get(
    "/export", operation_id="exportStudy", response_class=Response, responses=contents("application/json", "text/csv")
)
async def export_study(study: str, context: Ctx, holder: Reader, filters: Filtered, format: str = "json") -> Response:
    """The study as json, csv or optuna (the arguments of Optuna's create_trial): all trials, or those of listTrials'
    filters."""
    return await reading.export(context, holder, study, format, filters)
