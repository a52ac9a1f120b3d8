"""From an answer that reports a problem (RFC 9457) to the error that it stands for. Pure."""

import json
from collections.abc import Mapping
from typing import Any

from trialbook.errors import BY_CODE, BY_STATUS, FieldError, TrialbookError, Unavailable

GATEWAY = (502, 504)  # a proxy's answer for a server that is away


def read_problem(status: int, headers: Mapping[str, str], content: bytes) -> TrialbookError:
    """The error of an answer that is no success, whether a problem+json body says more or not."""
    body = _read_body(content)
    shape = BY_CODE.get(str(body.get("code"))) or (Unavailable if status in GATEWAY else BY_STATUS.get(status))
    if shape is None:
        location = f" to {headers['location']}" if "location" in headers else ""
        return TrialbookError(f"The server answered {status}{location}, which is no answer of Trialbook's.")
    detail = body.get("detail") or body.get("title")
    errors = [_read_field(item) for item in body.get("errors") or () if isinstance(item, dict)]
    return shape(detail and str(detail), errors=errors, retry_after=_read_seconds(headers.get("retry-after")))


def _read_body(content: bytes) -> dict[str, Any]:  # Any: whatever the body holds
    try:
        body = json.loads(content)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _read_field(item: dict[str, Any]) -> FieldError:
    line = item.get("line")
    return FieldError(
        pointer=str(item.get("pointer", "")),
        message=str(item.get("message", "")),
        code=str(item.get("code", "invalid")),
        line=line if isinstance(line, int) else None,
    )


def _read_seconds(text: str | None) -> float | None:
    try:
        return max(0.0, float(text)) if text else None
    except ValueError:  # a date: our servers send seconds, and a proxy's date needs a clock that agrees
        return None
