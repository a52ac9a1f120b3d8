"""The headers of every answer, errors and static files too, that tell browsers what they may do with it. Pure.

There are none for other origins (CORS), so no page of another site reads anything here.
"""

from collections.abc import Iterable

from trialbook import __version__

STATIC = "/static/"
CONTENT = (
    "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'self'"
)
ALWAYS = {
    "content-security-policy": CONTENT,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "trialbook-version": __version__,
}
UNDER_TLS = {"strict-transport-security": "max-age=31536000"}
Raw = tuple[bytes, bytes]


def _raw(headers: dict[str, str]) -> list[Raw]:
    return [(name.encode(), value.encode()) for name, value in headers.items()]


STORED = (b"cache-control", b"no-cache")  # scripts and styles are asked for again: an upgrade may have changed them
UNSTORED = (b"cache-control", b"no-store")  # all else is about now, and about somebody
RAW = {
    (static, scheme): [*_raw(ALWAYS), *(_raw(UNDER_TLS) if scheme == "https" else []), STORED if static else UNSTORED]
    for static in (True, False)
    for scheme in ("http", "https")
}


def missing(given: Iterable[Raw], path: str, scheme: str) -> list[Raw]:
    """The headers to add to an answer, where it has not said them itself; `scheme` is http or https."""
    names = {name for name, _ in given}
    return [one for one in RAW[path.startswith(STATIC), scheme] if one[0] not in names]
