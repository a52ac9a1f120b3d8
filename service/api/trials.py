"""Trials over HTTP: read, added, cancelled; their curves, exports and artifacts."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import FileResponse

from service import artifacts, reading, trials
from service.api.bodies import Ctx, JSONRoute
from service.api.description import ANY_FILE, contents
from service.api.studies import Cursor, Key, Limit
from service.auth import Anybody, Reader, Submitter
from service.store.trials import ORDERS
from service.store.trials import list_trials as list_page
from service.studies import find
from trialbook.errors import FieldError, Invalid
from trialbook.wire import AddedTrials, Artifact, NewTrials, Page, Trial, TrialDetail, TrialState

router = APIRouter(prefix="/studies/{study}", tags=["trials"], route_class=JSONRoute)
Number = Annotated[int, Path(ge=0, le=2**31 - 1)]


@router.get("/trials", operation_id="listTrials")
async def list_trials(
    study: str,
    context: Ctx,
    holder: Reader,
    state: Annotated[list[TrialState] | None, Query()] = None,
    order: str = "number",
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[Trial]:
    """A page of trials; `order` is number or value (the best first), with a minus the other way round."""
    key = await find(context, holder, study)
    if order not in ORDERS:
        raise Invalid(errors=[FieldError("/order", f"must be one of {', '.join(ORDERS)}")])
    items, following = await list_page(context.db, key.id, states=state or (), order=order, cursor=cursor, limit=limit)
    return Page(items=items, next_cursor=following)


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
async def get_artifact(study: str, number: Number, name: str, context: Ctx, holder: Anybody) -> FileResponse:
    """One file of a trial; a worker may read those of trials that it runs or evaluates."""
    return await artifacts.send(context, holder, study, number, name)


@router.get("/curves", operation_id="getCurves", response_model=dict[str, Any])
async def get_curves(
    study: str,
    context: Ctx,
    holder: Reader,
    metric: Annotated[list[str] | None, Query()] = None,
    trials: Annotated[str, Query(max_length=2000)] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """The curves of the best, the latest and other trials, thinned to at most 200 points each."""
    found = await reading.curves(context, holder, study, metric or [], trials, limit)
    return Response(found, media_type="application/json")


@router.get("/analysis/{kind}", operation_id="getAnalysis", response_model=dict[str, Any])
async def get_analysis(study: str, kind: str, context: Ctx, holder: Reader) -> Response:
    """The plain data behind a figure: history or parallel."""
    return Response(await reading.analysis(context, holder, study, kind), media_type="application/json")


@router.get(
    "/export", operation_id="exportStudy", response_class=Response, responses=contents("application/json", "text/csv")
)
async def export_study(study: str, request: Request, context: Ctx, holder: Reader, format: str = "json") -> Response:
    """The whole study as json, csv or optuna (the arguments of Optuna's create_trial)."""
    return await reading.export(context, holder, study, format)
