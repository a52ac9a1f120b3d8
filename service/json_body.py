"""JSON as this service takes it: UTF-8, at most 32 levels, no key twice, nothing that a database would refuse.

Pure. NaN and Infinity are let through here as numbers: they are data where a metric is expected, and the values'
own validation refuses them everywhere else.
"""

import json
from typing import Any

from trialbook.errors import (
    BadRequest,
    DuplicateKey,
    FieldError,
    Invalid,
    InvalidText,
    MalformedJSON,
    OutOfRange,
    TooDeep,
)
from trialbook.values import FORBIDDEN_TEXT

MAX_DEPTH = 32
MAX_INTEGER = 2**63
MAX_KEY = 1000  # characters: an error names the keys on the way to it


def parse_json(body: bytes) -> Any:  # Any: whatever was sent
    """The value in a body. Raises MalformedJSON, TooDeep, DuplicateKey, InvalidText or OutOfRange."""
    try:
        value = json.loads(body.decode("utf-8"), object_pairs_hook=_object, parse_int=_integer)
    except BadRequest:
        raise
    except RecursionError:
        raise TooDeep from None
    except (UnicodeDecodeError, ValueError):
        raise MalformedJSON from None
    check_value(value)
    return value


def check_value(value: Any, above: "Place | None" = None, depth: int = 1) -> None:  # Any: parsed JSON or YAML
    """Raise for what is nested too deep, too large or no clean text."""
    if isinstance(value, str):
        if FORBIDDEN_TEXT.search(value):
            message = "holds control characters, NUL or lone surrogates"
            raise InvalidText(errors=[FieldError(_pointer(above), message, "invalid-text")])
    elif isinstance(value, int):
        if not -MAX_INTEGER <= value < MAX_INTEGER:
            raise OutOfRange(errors=[FieldError(_pointer(above), "is too large a number", "out-of-range")])
    elif isinstance(value, dict):
        _check_depth(depth)
        for key, item in value.items():
            if len(key) > MAX_KEY:
                raise Invalid(errors=[FieldError(_pointer(above), f"has a key of more than {MAX_KEY} characters")])
            if FORBIDDEN_TEXT.search(key):
                message = "has a key with control characters"
                raise InvalidText(errors=[FieldError(_pointer(above), message, "invalid-text")])
            check_value(item, (above, key), depth + 1)
    elif isinstance(value, list):
        _check_depth(depth)
        for i, item in enumerate(value):
            check_value(item, (above, i), depth + 1)


Place = tuple[Any, str | int]  # Any: the Place above; spelled only where something is wrong there


def _check_depth(depth: int) -> None:
    if depth > MAX_DEPTH:
        raise TooDeep


def _pointer(place: Place | None) -> str:
    return "" if place is None else f"{_pointer(place[0])}/{escape(str(place[1]))}"


def escape(key: str) -> str:
    """A key as a part of a JSON pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")


def _integer(digits: str) -> int:
    return int(digits) if len(digits) < 25 else MAX_INTEGER  # any longer one is out of range as well


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise DuplicateKey
    return value
