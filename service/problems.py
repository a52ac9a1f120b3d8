"""Every error as application/problem+json (RFC 9457). Never echoes input, SQL, paths or tracebacks."""

import json
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.types import Message

from service.json_body import escape
from service.logs import tell
from service.routes import allowed
from service.store.faults import FAULTS, is_full, is_passing
from trialbook.errors import (
    BY_STATUS,
    BadRequest,
    FieldError,
    Internal,
    StorageFull,
    TrialbookError,
    Unavailable,
    invalid,
)

CODES = {
    "extra_forbidden": "unknown-field",
    "invalid_text": "invalid-text",
    "greater_than": "out-of-range",
    "greater_than_equal": "out-of-range",
    "less_than": "out-of-range",
    "less_than_equal": "out-of-range",
    "int_parsing_size": "out-of-range",
}

GENERIC = re.compile(r"^(Input|Value|String|Tuple|List|Dictionary|Keys?) should ")
MOST_TOLD = 100  # mistakes of one body: its answer must not be larger than what was sent


def problem(error: TrialbookError, instance: str) -> Response:
    """The answer for an error; `instance` is the request's id."""
    body: dict[str, Any] = {
        "type": f"urn:trialbook:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "instance": instance,
        "code": error.code,
    }
    if error.errors:
        body["errors"] = [{k: v for k, v in vars(one).items() if v is not None} for one in error.errors]
    headers: dict[str, str] = {}
    if error.status in (429, 503):
        headers["retry-after"] = str(max(1, round(error.retry_after or 1)))
    if error.allow:
        headers["allow"] = error.allow
    if error.status == 408:
        headers["connection"] = "close"  # the rest of the body may still come, and is nobody's request
    if error.status == 401:
        headers["www-authenticate"] = "Bearer"
    return Response(json.dumps(body), error.status, headers, "application/problem+json")


def instead(start: Message, instance: str) -> Response | None:
    """The problem for an error that a library answers in a form of its own; None for what is no error, or has ours."""
    if start["status"] < 400:
        return None
    kind = next((value for name, value in start["headers"] if name.lower() == b"content-type"), b"")
    if kind.startswith((b"application/problem+json", b"text/html")):
        return None
    return problem(BY_STATUS.get(start["status"], BadRequest)(), instance)


def field_errors(errors: Sequence[Mapping[str, Any]], body: Any) -> list[FieldError]:
    """Pydantic's errors as pointers into what was sent, without the values."""
    short = {tuple(e["loc"]) for e in errors if e["type"] == "too_short"}  # also of what is bad within, and told there
    within = {tuple(e["loc"][:i]) for e in errors if short for i in range(len(e["loc"]))}
    told = [e for e in errors if e["type"] != "too_short" or tuple(e["loc"]) not in within]
    return [FieldError(_pointer(e["loc"], body), _message(e), _code(e)) for e in told[:MOST_TOLD]]


def _parameter_errors(error: RequestValidationError) -> list[FieldError]:
    """What is wrong with parts of the address and with headers: each is named as if it were a field."""
    found = [e for e in error.errors() if e["loc"][0] != "body"]
    return [FieldError("".join(f"/{escape(str(part))}" for part in e["loc"][1:]), _message(e), _code(e)) for e in found]


def _code(error: Mapping[str, Any]) -> str:
    return CODES.get(error["type"], "invalid")


def _pointer(loc: Sequence[int | str], body: Any) -> str:
    """Pydantic's location without the names of union branches, which stand for nothing in the body."""
    parts: list[str] = []
    for i, part in enumerate(loc):
        inside = (isinstance(body, dict) and part in body) or (isinstance(body, list) and part in range(len(body)))
        if inside:
            body = body[part]
        elif part == "[key]" or i < len(loc) - 1 or not isinstance(body, dict):
            continue
        parts.append(escape(str(part)))
    return "".join(f"/{part}" for part in parts)


def _message(error: Mapping[str, Any]) -> str:
    if error["type"] == "extra_forbidden":
        return "is not a known field"
    if error["type"] == "missing":
        return "is required"
    if error["type"] == "union_tag_invalid":
        return f"must be one of {error['ctx']['expected_tags']}"
    return GENERIC.sub("must ", error["msg"]).partition(" after validation")[0]


def from_validation(error: ValidationError, body: Any) -> TrialbookError:
    """A 422 for a value that did not validate."""
    return invalid(field_errors(error.errors(include_input=False, include_url=False), body))


def from_database(error: Exception) -> TrialbookError:
    """507 for a full disk, 503 for what passes by itself, 500 for what is a mistake of ours."""
    if is_full(error):
        return StorageFull()
    return Unavailable(retry_after=1) if is_passing(error) else Internal()


Show = Callable[[Request, TrialbookError], Response]


def instance(request: Request) -> str:
    """The request's id."""
    return str(request.scope.get("request_id", ""))


def show(request: Request, error: TrialbookError) -> Response:
    """The answer for an error of this request."""
    return problem(error, instance(request))


def failed(request: Request, error: Exception, show: Show = show) -> Response:
    """The answer where the database failed a request."""
    answer = from_database(error)
    level = logging.ERROR if answer.status == 500 else logging.WARNING
    tell("statement-failed", level=level, error=error)
    return show(request, answer)


def unexpected(request: Request, error: Exception, show: Show = show) -> Response:
    """The answer where our own code failed; what happened is in the log alone."""
    tell("request-failed", level=logging.ERROR, error=error)
    return show(request, Internal())


def install(app: FastAPI, show: Show = show) -> None:
    """Answer all errors of an app as problems; `show` may choose another form of them for people."""

    async def ours(request: Request, error: Exception) -> Response:
        assert isinstance(error, TrialbookError)  # noqa: S101  # registered for this class only
        return show(request, error)

    async def validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101  # registered for this class only
        found = [{**e, "loc": e["loc"][1:]} for e in error.errors() if e["loc"][0] == "body"]
        return show(request, invalid([*_parameter_errors(error), *field_errors(found, error.body)]))

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101  # registered for this class only
        kind = BY_STATUS.get(error.status_code, BY_STATUS[400])
        return show(request, kind(allow=allowed(request.app, request.url.path) if error.status_code == 405 else None))

    async def database(request: Request, error: Exception) -> Response:
        return failed(request, error, show)

    app.add_exception_handler(TrialbookError, ours)
    app.add_exception_handler(RequestValidationError, validation)
    app.add_exception_handler(HTTPException, http)
    for kind in FAULTS:
        app.add_exception_handler(kind, database)
