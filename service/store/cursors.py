"""Cursors of lists: where a page ended, spelled so that it can go through a URL."""

import base64
import binascii
import json
from collections.abc import Sequence

from trialbook.errors import FieldError, Invalid


def encode(key: Sequence[int | float | str]) -> str:
    """The cursor after the item with this key."""
    return base64.urlsafe_b64encode(json.dumps(list(key)).encode()).decode().rstrip("=")


def decode(cursor: str, kinds: Sequence[type]) -> list[int | float | str]:
    """The key in a cursor. Raises Invalid for what this server did not write."""
    try:
        key = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
        well_formed = isinstance(key, list) and [type(part) for part in key] == list(kinds)
    except (binascii.Error, ValueError, UnicodeDecodeError):
        well_formed = False
    if not well_formed or any(isinstance(part, int) and abs(part) >= 2**63 for part in key):
        raise Invalid(errors=[FieldError("/cursor", "is not a cursor that this list gave")])
    return list(key)
