"""JSON as this service takes it: UTF-8, at most 32 levels, no key twice, nothing that a database would refuse.

Pure. NaN and Infinity are let through here as numbers: they are data where a metric is expected, and the values'
own validation refuses them everywhere else.
"""

import json
from typing import Any

from trialbook.errors import BadRequest, DuplicateKey, FieldError, InvalidText, MalformedJSON, OutOfRange, TooDeep
from trialbook.values import FORBIDDEN_TEXT

MAX_DEPTH = 32
MAX_INTEGER = 2**63


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
    check_value(value, "", 1)
    return value


def check_value(value: Any, pointer: str, depth: int) -> None:  # Any: parsed JSON or YAML
    """Raise for what is nested too deep, too large or no clean text."""
    if isinstance(value, str):
        if FORBIDDEN_TEXT.search(value):
            raise InvalidText(
                errors=[FieldError(pointer, "holds control characters, NUL or lone surrogates", "invalid-text")]
            )
    elif isinstance(value, int):
        if not -MAX_INTEGER <= value < MAX_INTEGER:
            raise OutOfRange(errors=[FieldError(pointer, "is too large a number", "out-of-range")])
    elif isinstance(value, dict | list):
        if depth > MAX_DEPTH:
            raise TooDeep
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            if isinstance(key, str) and FORBIDDEN_TEXT.search(key):
                raise InvalidText(errors=[FieldError(pointer, "has a key with control characters", "invalid-text")])
            check_value(item, f"{pointer}/{escape(str(key))}", depth + 1)


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
