"""Ids that are derived, not stored: two numbers and a MAC of them, the same each time and not to be guessed. Pure."""

import base64
import hashlib
import hmac


def spell(secret: bytes, kind: str, first: int, second: int) -> str:
    """The id of a `kind` of thing that two numbers stand for."""
    return f"{first}.{second}.{_mac(secret, kind, first, second)}"


def parse(secret: bytes, kind: str, spelled: str) -> tuple[int, int] | None:
    """The two numbers; None for an id that was never given."""
    one, _, rest = spelled.partition(".")
    other, _, mac = rest.partition(".")
    plain = one.isascii() and other.isascii() and one.isdigit() and other.isdigit()
    if not plain or len(one) > 18 or len(other) > 9 or not mac.isascii():
        return None
    first, second = int(one), int(other)
    return (first, second) if hmac.compare_digest(mac, _mac(secret, kind, first, second)) else None


def mark(secret: bytes, kind: str) -> str:
    """What all places of a `kind` share until the secret is another one, as after a restore."""
    return hmac.digest(secret, kind.encode(), hashlib.sha256)[:4].hex()


def _mac(secret: bytes, kind: str, first: int, second: int) -> str:
    digest = hmac.digest(secret, f"{kind}:{first}:{second}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest[:18]).decode()
