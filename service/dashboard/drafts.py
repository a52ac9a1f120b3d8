"""A study that is being written: its text with changes from the form, and what it says. Nothing is stored."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import Field, JsonValue

from service.api.bodies import JSONRoute
from service.auth import Submitter
from service.dashboard.yaml_edits import Change, edited
from trialbook.values import Listed, Text, Value

router = APIRouter(include_in_schema=False, route_class=JSONRoute)


class DraftChange(Value):
    """Another value at a path of keys; `remove` for none, `key` for another name of the last one."""

    path: Annotated[Listed[Text], Field(min_length=1, max_length=20)]
    value: JsonValue = None
    remove: bool = False
    key: Text | None = None


class Draft(Value):
    """A text and what is to be changed in it."""

    text: Annotated[str, Field(max_length=1024 * 1024)]
    changes: Annotated[Listed[DraftChange], Field(max_length=100)] = ()


@router.post("/studies/new/draft", response_class=JSONResponse)
async def draft(body: Draft, holder: Submitter) -> dict[str, Any]:  # Any: JSON
    """The text with these changes, what it says as JSON, and the comments that were lost."""
    changes = [Change(tuple(one.path), one.value, one.remove, one.key) for one in body.changes]
    found = await asyncio.to_thread(edited, body.text, changes)  # a large text takes half a second
    return {"text": found.text, "document": found.document, "lost": list(found.lost)}
