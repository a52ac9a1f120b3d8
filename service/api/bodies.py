"""How bodies are read: bounded, with a Content-Type, through our own JSON and YAML readers."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute
from pydantic import ValidationError

from service.auth import REMEMBERED, is_welcome, who
from service.context import Context
from service.json_body import parse_json
from service.problems import field_errors
from service.routes import guard
from service.yaml_body import Located, with_lines
from trialbook.errors import (
    FieldError,
    Invalid,
    MalformedJSON,
    RequestTimeout,
    TooLarge,
    Unauthorized,
    UnsupportedMediaType,
    invalid,
)
from trialbook.spec import StudySpec

MEBIBYTE = 1024 * 1024
BODY_LIMIT = MEBIBYTE
REPORT_LIMIT = 64 * 1024
SLOWEST = 16 * 1024  # bytes of an upload that must come in each stretch of `body_seconds`
DRAINED = 64 * MEBIBYTE  # what of a too large body is read past, so that its sender comes to read the answer
AT_ONCE = 64 * 1024  # bytes of a study that take no time to read; a larger one is read where it holds up nobody
YAML = ("application/yaml", "text/yaml", "application/x-yaml")


async def context_of(request: Request) -> Context:  # async: FastAPI would send a plain function to a thread
    """What use cases are handed."""
    context: Context = request.app.state.context
    return context


Ctx = Annotated[Context, Depends(context_of)]


def media_type(request: Request) -> str:
    """The body's media type without its parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body. Raises TooLarge, keeping nothing beyond the limit, and RequestTimeout where it takes too long."""
    try:
        async with asyncio.timeout(_patience(request)):
            return await _read(request, limit)
    except TimeoutError:
        raise RequestTimeout from None


def _patience(request: Request) -> float:
    seconds: float = request.app.state.context.settings.body_seconds
    return seconds


async def _read(request: Request, limit: int) -> bytes:
    kept = bytearray()
    seen = 0
    async for chunk in request.stream():
        seen += len(chunk)
        if seen <= limit:
            kept += chunk
        elif seen > DRAINED:
            break
    if seen > limit:
        raise TooLarge(f"The body is larger than {limit} bytes.")
    return bytes(kept)


async def chunks(request: Request) -> AsyncIterator[bytes]:
    """The body as it comes in. Raises RequestTimeout where it stalls, or all but stalls; Unauthorized once its sender
    may not send any more."""
    stream, patience = request.stream(), _patience(request)
    clock = asyncio.get_running_loop().time
    left, come, asked = patience, 0, clock()
    while True:
        begun = clock()
        if begun - asked > REMEMBERED:
            asked = begun
            if not await is_welcome(request):
                raise Unauthorized
        try:
            async with asyncio.timeout(left):
                chunk = await anext(stream, None)
        except TimeoutError:
            raise RequestTimeout from None
        if chunk is None:
            return
        left, come = left - (clock() - begun), come + len(chunk)  # what our own disk takes is not the sender's time
        if come >= SLOWEST:
            left, come = patience, 0
        yield chunk


class JSONRequest(Request):
    """A request whose body is JSON in our sense, and bounded. FastAPI hides what goes wrong in reading it, so it is
    read before."""

    async def body(self) -> bytes:
        if not hasattr(self, "_body"):
            limit = REPORT_LIMIT if self.scope["path"].endswith("/reports") else BODY_LIMIT
            self._body = await read_body(self, limit)
        return self._body

    async def json(self) -> Any:  # Any: whatever was sent
        if not hasattr(self, "_json"):
            self._json = parse_json(await self.body())
        return self._json


class JSONRoute(APIRoute):
    """A route whose body, if it takes one, is JSON in our sense."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler with our reader under it."""
        handle = super().get_route_handler()
        takes_body = self.body_field is not None
        needs_body = self.body_field is not None and self.body_field.field_info.is_required()
        may = guard(self.dependant) or who

        async def read(request: Request) -> Response:
            if takes_body:
                await may(request)  # of whom has no business here nothing more is read
                if not needs_body and not _has_body(request):
                    return await handle(request)
                request = JSONRequest(request.scope, request.receive)
                await read_json(request)
            return await handle(request)

        return read


async def read_json(request: JSONRequest) -> Any:  # Any: whatever was sent
    """The body's value. Raises for a body that is missing, says that it is something else, or is no JSON."""
    if media_type(request) != "application/json":
        raise UnsupportedMediaType("Send JSON with 'Content-Type: application/json'.")
    if not await request.body():
        raise MalformedJSON("The body is empty.")
    return await request.json()


@dataclass(frozen=True)
class SentSpec:
    """A study spec, and the line of each pointer where it was sent as YAML."""

    spec: StudySpec
    line_of: Callable[[str], int | None]

    @contextmanager
    def pointing(self) -> Iterator[None]:
        """Mistakes that only the use case can know of get their lines too."""
        try:
            yield
        except Invalid as error:
            raise with_lines(error, self.line_of) from None


def _has_body(request: Request) -> bool:
    return "transfer-encoding" in request.headers or request.headers.get("content-length", "0") != "0"


async def read_spec(request: Request) -> SentSpec:
    """The study spec in a body of JSON or YAML; mistakes in YAML come with their lines."""
    kind = media_type(request)
    if kind not in ("application/json", *YAML):
        raise UnsupportedMediaType("Send the study as application/json or application/yaml.")
    raw = await read_body(request, BODY_LIMIT)
    if len(raw) <= AT_ONCE:
        return _spec_in(raw, kind)
    return await asyncio.to_thread(_spec_in, raw, kind)


def _spec_in(raw: bytes, kind: str) -> SentSpec:
    if kind == "application/json":
        return _validated(parse_json(raw), lambda pointer: None)
    try:
        located = Located(raw.decode("utf-8"))
    except UnicodeDecodeError:
        raise MalformedJSON("The body is not UTF-8.") from None
    return _validated(located.value, located.line_of)


def _validated(value: Any, line_of: Callable[[str], int | None]) -> SentSpec:  # Any: parsed JSON or YAML
    try:
        return SentSpec(StudySpec.model_validate(value), line_of)
    except ValidationError as error:
        found = field_errors(error.errors(include_input=False, include_url=False), value)
        raise invalid([FieldError(e.pointer, e.message, e.code, line_of(e.pointer)) for e in found]) from None


SPEC_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            kind: {"schema": {"$ref": "#/components/schemas/StudySpec"}} for kind in ("application/json", YAML[0])
        },
    }
}
