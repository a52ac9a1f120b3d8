"""Notes as they would look: what is typed on the tab Notes, rendered and not kept."""

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from service import studies
from service.api.bodies import Ctx, JSONRoute
from service.auth import Submitter
from service.dashboard.markdown import render_markdown
from trialbook.values import LongText, Value

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse, route_class=JSONRoute)


class Draft(Value):
    """Notes that are being written."""

    notes: LongText


@router.post("/studies/{name}/notes/preview")
async def preview(name: str, body: Draft, context: Ctx, holder: Submitter) -> HTMLResponse:
    """The draft as HTML."""
    await studies.find(context, holder, name)
    return HTMLResponse(render_markdown(body.notes))
