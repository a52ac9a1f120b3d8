"""Cursors of lists: where a page ended, spelled so that it can go through a URL."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Any

from trialbook.errors import FieldError, Invalid

Kind = Callable[[Any], bool]  # Any: a part of a key that anybody may have forged


def is_id(part: Any) -> bool:
    """Whether a part can be the id of a row."""
    return type(part) is int and 0 <= part < 2**63


def is_number(part: Any) -> bool:
    """Whether a part can be a trial's number."""
    return type(part) is int and 0 <= part < 2**31


def is_score(part: Any) -> bool:
    """Whether a part is a score as this server spells it."""
    try:
        return isinstance(part, str) and repr(float(part)) == part
    except ValueError:
        return False


def encode(key: Sequence[int | float | str]) -> str:
    """The cursor after the item with this key."""
    return base64.urlsafe_b64encode(json.dumps(list(key)).encode()).decode().rstrip("=")


def decode(cursor: str, kinds: Sequence[Kind]) -> list[int | float | str]:
    """The key in a cursor. Raises Invalid for what this server did not write."""
    try:
        key = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        key = None
    if not (
        isinstance(key, list)
        and len(key) == len(kinds)
        and all(kind(part) for kind, part in zip(kinds, key, strict=True))
    ):
        raise Invalid(errors=[FieldError("/cursor", "is not a cursor that this list gave")])
    return key
