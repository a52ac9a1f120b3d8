"""The OpenAPI document: FastAPI's, completed so that it tells the truth about problems, roles, files and studies."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI

from service.routes import Door, doors
from trialbook.errors import BY_CODE, TrialbookError
from trialbook.spec import StudySpec

ANY_FILE = "application/octet-stream"
REFERENCE = "#/components/schemas/{model}"
Document = dict[str, Any]  # Any: JSON
REQUEST_ID = {"description": "The request's id, as in the server's log.", "schema": {"type": "string"}}
SECONDS = {"description": "Seconds to wait before trying again.", "schema": {"type": "integer", "minimum": 1}}
HEADERS = {
    401: {"WWW-Authenticate": {"description": "Bearer.", "required": True, "schema": {"type": "string"}}},
    429: {"Retry-After": {**SECONDS, "required": True}},
    503: {"Retry-After": {**SECONDS, "required": True}},
}
PROBLEM: Document = {
    "type": "object",
    "title": "Problem",
    "description": "What went wrong (RFC 9457).",
    "required": ["type", "title", "status", "detail", "instance", "code"],
    "properties": {
        "type": {"type": "string", "pattern": "^urn:trialbook:"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What happened, for people."},
        "instance": {"type": "string", "description": "The request's id."},
        "code": {
            "enum": sorted(code for code, error in BY_CODE.items() if error.status),
            "description": "For programs.",
        },
        "errors": {
            "type": "array",
            "description": "Each mistake in what was sent.",
            "items": {
                "type": "object",
                "required": ["pointer", "message", "code"],
                "properties": {
                    "pointer": {"type": "string", "description": "Where (RFC 6901); a parameter stands as /name."},
                    "message": {"type": "string"},
                    "code": {"type": "string"},
                    "line": {"type": "integer", "minimum": 1, "description": "Of a body in YAML."},
                },
            },
        },
    },
}
CONFLICTS = {  # operations that may not fit the present state
    *("createStudy", "updateStudy", "pauseStudy", "resumeStudy", "cancelStudy", "addTrials", "cancelTrial"),
    *("report", "renewLease", "releaseLease", "finishTrial", "putArtifact", "putDataset"),
}
MISSING = {"acquireLeases"}  # operations that name a study otherwise than by their path


def contents(*kinds: str, text: bool = True) -> dict[int | str, Document]:
    """The answer of a route that is no value of ours: text of these media types, or bytes."""
    schema = {"type": "string"} if text else {"type": "string", "format": "binary"}
    shapes = {kind: {"schema": {"type": "object"} if kind == "application/json" else schema} for kind in kinds}
    return {200: {"description": "Successful Response", "content": shapes}}


def sent_file(*kinds: str) -> Document:
    """The body of a route that takes a file as it is."""
    schema = {"type": "string", "format": "binary"}
    return {"requestBody": {"required": True, "content": {kind: {"schema": schema} for kind in kinds}}}


class Documented(FastAPI):
    """An application whose description is completed."""

    def openapi(self) -> Document:
        """The document, made once for each table of routes."""
        made = self.openapi_schema
        found = super().openapi()
        return found if found is made else _completed(found, list(doors(self)))


def _completed(document: Document, known: list[Door]) -> Document:
    schemas = document["components"]["schemas"]
    spec = StudySpec.model_json_schema(ref_template=REFERENCE)
    schemas |= {**spec.pop("$defs"), "StudySpec": spec, "Problem": PROBLEM}
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    document["components"]["responses"] = {str(status): _problem(status) for status in sorted(_statuses())}
    document["components"]["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer"},
        "session": {"type": "apiKey", "in": "cookie", "name": "trialbook_session"},
    }
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            door = next(one for one in known if (one.method, one.path.replace(":path}", "}")) == (method.upper(), path))
            _complete(operation, path, door)
    _say_keys(document)
    return document


def _complete(operation: Document, path: str, door: Door) -> None:
    """Who may call it, what else it may answer, and what every answer carries."""
    responses: Document = {status: one for status, one in operation["responses"].items() if status != "422"}
    for one in responses.values():
        one.setdefault("headers", {})["X-Request-Id"] = REQUEST_ID
    told = {str(status): {"$ref": f"#/components/responses/{status}"} for status in _expected(operation, path, door)}
    operation["responses"] = {**responses, **told}
    operation["security"] = [] if door.roles is None else [{"token": []}, {"session": []}]
    if door.roles is not None:
        operation["x-roles"] = sorted({*door.roles, "admin"})


def _expected(operation: Document, path: str, door: Door) -> Iterator[int]:
    """The statuses of the problems that an operation may answer with."""
    yield 400  # another Host than ours; a body that is no JSON
    if door.roles is not None:
        yield from (401, 403, 429)
    if "requestBody" in operation:
        yield from (408, 413, 415)
    if "requestBody" in operation or operation.get("parameters"):
        yield 422
    if "{" in path or operation["operationId"] in MISSING:
        yield 404
    if operation["operationId"] in CONFLICTS:
        yield 409
    yield 503
    if door.method != "GET":
        yield 507


def _statuses() -> set[int]:
    return {error.status for error in BY_CODE.values() if error.status} - {405, 500}


def _problem(status: int) -> Document:
    kinds = [error for error in BY_CODE.values() if error.status == status]
    return {
        "description": " ".join(_words(kind) for kind in kinds),
        "headers": {"X-Request-Id": REQUEST_ID, **HEADERS.get(status, {})},
        "content": {"application/problem+json": {"schema": {"$ref": REFERENCE.format(model="Problem")}}},
    }


def _words(kind: type[TrialbookError]) -> str:
    return f"`{kind.code}`: {(kind.__doc__ or '').strip()}"


def _say_keys(part: Any) -> None:  # Any: JSON
    """A mapping's keys are all of one pattern: pydantic says only what holds of those that are."""
    if isinstance(part, list):
        for item in part:
            _say_keys(item)
    elif isinstance(part, dict):
        patterns = part.get("patternProperties")
        if isinstance(patterns, dict) and len(patterns) == 1 and "properties" not in part:
            ((pattern, value),) = part.pop("patternProperties").items()
            part["additionalProperties"] = value
            part["propertyNames"] = {**part.get("propertyNames", {}), "pattern": pattern}
        for item in part.values():
            _say_keys(item)
