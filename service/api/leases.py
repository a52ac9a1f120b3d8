"""What workers call: leases, reports, results, uploads."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from service import artifacts, leases, reports, results
from service.api.bodies import Ctx, JSONRoute, chunks, media_type
from service.api.description import ANY_FILE, sent_file
from service.auth import WorkerOnly, is_welcome
from trialbook.errors import Unauthorized
from trialbook.values import MAX_STEP
from trialbook.wire import Artifact, Decision, Finish, LeaseRequest, Leases, Nothing, ReportBatch, Trial

router = APIRouter(prefix="/leases", tags=["leases"], route_class=JSONRoute)


@router.post("", operation_id="acquireLeases")
async def acquire_leases(body: LeaseRequest, request: Request, context: Ctx, holder: WorkerOnly) -> Leases:
    """Ask for trials to run, waiting for up to `wait_seconds`."""

    async def is_gone() -> bool:
        if not await is_welcome(request):
            raise Unauthorized
        return await request.is_disconnected()

    return await leases.acquire(context, holder, body, is_gone)


@router.post("/{lease}/reports", operation_id="report")
async def report(lease: str, body: ReportBatch, context: Ctx, holder: WorkerOnly) -> Decision:
    """Report the metrics of steps; the answer says whether to go on."""
    return await reports.report(context, lease, body.reports)


@router.post("/{lease}/renew", operation_id="renewLease")
async def renew_lease(lease: str, context: Ctx, holder: WorkerOnly, body: Nothing | None = None) -> Trial:
    """Keep a lease alive."""
    return await results.renew(context, lease)


@router.post("/{lease}/release", operation_id="releaseLease")
async def release_lease(lease: str, context: Ctx, holder: WorkerOnly, body: Nothing | None = None) -> Trial:
    """Give a trial back to the queue; no failure is counted."""
    return await results.release(context, lease)


@router.post("/{lease}/finish", operation_id="finishTrial", response_model=Trial)
async def finish_trial(lease: str, body: Finish, context: Ctx, holder: WorkerOnly) -> Response:
    """End an attempt with its result."""
    return await results.finish(context, lease, body)


@router.put("/{lease}/artifacts/{name:path}", operation_id="putArtifact", openapi_extra=sent_file(ANY_FILE))
async def put_artifact(
    lease: str,
    name: str,
    request: Request,
    context: Ctx,
    holder: WorkerOnly,
    sha256: Annotated[str, Query(pattern="^[0-9a-fA-F]{64}$")],
    step: Annotated[int | None, Query(ge=0, le=MAX_STEP)] = None,
) -> Artifact:
    """Upload a file of the trial; `checkpoint` needs its step."""
    kind = media_type(request) or ANY_FILE
    return await artifacts.receive(context, lease, name, chunks(request), sha256, step, kind)
