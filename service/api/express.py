"""The calls that workers make for every trial, past the framework's routing and dependencies, which cost more.

Each is answered by the function behind its route. The routes describe them, and take whatever doesn't come here.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from fastapi import Request, Response
from pydantic import BaseModel, ValidationError
from starlette.types import ASGIApp, Receive, Scope, Send

from service import problems, reports, results
from service.api.bodies import JSONRequest, context_of, read_json
from service.api.leases import acquire_leases
from service.auth import worker_only
from service.context import Context
from service.store.faults import FAULTS
from service.store.tokens import Holder
from trialbook.errors import TrialbookError
from trialbook.wire import Finish, LeaseRequest, ReportBatch

LEASES = "/api/v1/leases"
PATH = re.compile(LEASES + r"(?:/([^/]+)/(reports|finish))?")
Body = Any  # Any: each call's own shape


@dataclass(frozen=True)
class Call:
    """What answers one kind of call."""

    path: str  # as the route's, for the metrics
    shape: type[BaseModel]
    answer: Callable[[Request, Context, Holder, str, Body], Awaitable[BaseModel | Response]]


async def _acquire(request: Request, context: Context, holder: Holder, lease: str, body: LeaseRequest) -> BaseModel:
    return await acquire_leases(body, request, context, holder)


async def _report(request: Request, context: Context, holder: Holder, lease: str, body: ReportBatch) -> BaseModel:
    return await reports.report(context, lease, body.reports)


async def _finish(request: Request, context: Context, holder: Holder, lease: str, body: Finish) -> Response:
    return await results.finish(context, lease, body)


CALLS = {
    None: Call(LEASES, LeaseRequest, _acquire),
    "reports": Call(f"{LEASES}/{{lease}}/reports", ReportBatch, _report),
    "finish": Call(f"{LEASES}/{{lease}}/finish", Finish, _finish),
}


class Express:
    """Answers these calls, and hands all others on. Plain ASGI."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        posted = scope["type"] == "http" and scope["method"] == "POST"
        match = PATH.fullmatch(scope["path"]) if posted else None
        if match is None:
            return await self._app(scope, receive, send)
        call = CALLS[match[2]]
        scope["route"] = call
        request = JSONRequest(scope, receive)
        try:
            response = await _answer(call, request, match[1] or "")
        except TrialbookError as error:
            response = problems.show(request, error)
        except FAULTS as error:
            response = problems.failed(request, error)
        await response(scope, receive, send)
        return None


async def _answer(call: Call, request: JSONRequest, lease: str) -> Response:
    holder = await worker_only(request)
    value = await read_json(request)
    try:
        body = call.shape.model_validate(value)
    except ValidationError as error:
        raise problems.from_validation(error, value) from None
    answer = await call.answer(request, await context_of(request), holder, lease, body)
    if isinstance(answer, Response):
        return answer
    return Response(answer.model_dump_json(), media_type="application/json")
