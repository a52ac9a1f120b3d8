"""Studies over HTTP."""

from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query, Request, Response

from service import chronicle, studies
from service.api.bodies import SPEC_BODY, Ctx, JSONRoute, read_spec
from service.auth import Reader, Submitter
from trialbook.values import Text
from trialbook.wire import Page, PastEvent, Study, StudyChange, StudyState, Validation

router = APIRouter(prefix="/studies", tags=["studies"], route_class=JSONRoute)
Key = Annotated[str | None, Header(alias="Idempotency-Key", max_length=200)]
Limit = Annotated[int, Query(ge=1, le=1000)]
Search = Annotated[Text | None, Query()]
EventKind = Literal["study", "trial", "report", "artifact"]
Cursor = Annotated[str | None, Query(max_length=500)]


@router.post("", status_code=201, operation_id="createStudy", response_model=Study, openapi_extra=SPEC_BODY)
async def create_study(request: Request, context: Ctx, holder: Submitter, idempotency_key: Key = None) -> Response:
    """Submit a study, as JSON or YAML."""
    sent = await read_spec(request)
    with sent.pointing():
        answer = await studies.create(context, holder, sent.spec, idempotency_key)
    return Response(answer, 201, media_type="application/json")


@router.post("/validate", operation_id="validateStudy", openapi_extra=SPEC_BODY)
async def validate_study(request: Request, context: Ctx, holder: Reader) -> Validation:
    """The checks of a submission, nothing stored; answers the number of grid cells."""
    sent = await read_spec(request)
    with sent.pointing():
        return await studies.validate(context, sent.spec)


@router.get("", operation_id="listStudies")
async def list_studies(
    context: Ctx,
    holder: Reader,
    state: StudyState | None = None,
    q: Search = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Study]:
    """Your studies, the newest first; `q` is a part of a name, title, tag, trainer or owner."""
    return await studies.list_page(context, holder, state=state, q=q, cursor=cursor, limit=limit)


@router.get("/{study}", operation_id="getStudy")
async def get_study(study: str, context: Ctx, holder: Reader) -> Study:
    """One study with its counts and best trial."""
    return await studies.read(context, holder, study)


@router.patch("/{study}", operation_id="updateStudy")
async def update_study(study: str, body: StudyChange, context: Ctx, holder: Submitter) -> Study:
    """Change budget, notes or tags; a larger budget reopens a completed study."""
    return await studies.change(context, holder, study, body)


@router.delete("/{study}", status_code=204, operation_id="deleteStudy")
async def delete_study(study: str, context: Ctx, holder: Submitter) -> None:
    """Delete a study with everything in it."""
    await studies.delete(context, holder, study)


@router.post("/{study}/pause", operation_id="pauseStudy")
async def pause_study(study: str, context: Ctx, holder: Submitter) -> Study:
    """Give out no more trials; running ones go back to the queue at their next report."""
    return await studies.pause(context, holder, study)


@router.post("/{study}/resume", operation_id="resumeStudy")
async def resume_study(study: str, context: Ctx, holder: Submitter) -> Study:
    """Go on with a paused study."""
    return await studies.resume(context, holder, study)


@router.post("/{study}/cancel", operation_id="cancelStudy")
async def cancel_study(study: str, context: Ctx, holder: Submitter) -> Study:
    """End a study for good."""
    return await studies.cancel(context, holder, study)


@router.get("/{study}/log", operation_id="listEvents", tags=["events"])
async def list_events(
    study: str,
    context: Ctx,
    holder: Reader,
    kind: Annotated[list[EventKind] | None, Query()] = None,
    trial: Annotated[int | None, Query(ge=0, le=2**31 - 1)] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[PastEvent]:
    """What happened, the newest first, each event in words; of some kinds, or of one trial. Events are kept for seven
    days. A page looks through so many events at most and may be short, or empty, though others follow."""
    return await chronicle.read(context, holder, study, kinds=kind or (), number=trial, cursor=cursor, limit=limit)
