"""Every error of the contract, in one tree: the server raises it, problem+json carries it, the client raises it again.

- TrialbookError
  - Unreachable
  - BadRequest 400: MalformedJSON, TooDeep, DuplicateKey, InvalidHost
  - Unauthorized 401
  - Forbidden 403: CrossSite
  - NotFound 404: Removed; MethodNotAllowed 405; RequestTimeout 408
  - Conflict 409: NameTaken, LeaseLost, AlreadyFinished, StepConflict, CheckpointAhead, WrongState, KeyReused
  - TooLarge 413: OverQuota; UnsupportedMediaType 415
  - Invalid 422: UnknownField, OutOfRange, InvalidText
  - TooManyRequests 429, Internal 500, Unavailable 503, StorageFull 507

The docstring of each is its message to people; `code` is its name for programs and never changes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class FieldError:
    """One problem in a body: where it is (RFC 6901 pointer) and what is wrong, never the value itself."""

    pointer: str
    message: str
    code: str = "invalid"
    line: int | None = None


class TrialbookError(Exception):
    """Something went wrong."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"

    def __init__(
        self,
        detail: str | None = None,
        *,
        errors: Sequence[FieldError] = (),
        retry_after: float | None = None,
        allow: str | None = None,
    ) -> None:
        self.detail = detail or (type(self).__doc__ or "").strip()
        self.errors = tuple(errors)
        self.retry_after = retry_after
        self.allow = allow
        super().__init__(self.detail)

    @property
    def title(self) -> str:
        """The short name for people: the code in words."""
        return self.code.replace("-", " ").capitalize()

    def __str__(self) -> str:
        where = [f"{error.pointer or '/'}: {error.message}" for error in self.errors]
        return "\n  ".join([self.detail, *where])


class Unreachable(TrialbookError):
    """The server cannot be reached."""

    status = 0
    code = "unreachable"


class BadRequest(TrialbookError):
    """The request cannot be understood."""

    status = 400
    code = "bad-request"


class MalformedJSON(BadRequest):
    """The body is not valid JSON in UTF-8."""

    code = "malformed-json"


class TooDeep(BadRequest):
    """The body is nested more than 32 levels deep."""

    code = "too-deep"


class DuplicateKey(BadRequest):
    """An object in the body has the same key twice."""

    code = "duplicate-key"


class InvalidHost(BadRequest):
    """The Host header does not name this server."""

    code = "invalid-host"


class Unauthorized(TrialbookError):
    """A valid token is needed: send it as 'Authorization: Bearer TOKEN'."""

    status = 401
    code = "unauthorized"


class Forbidden(TrialbookError):
    """The token's role does not allow this."""

    status = 403
    code = "forbidden"


class CrossSite(Forbidden):
    """A signed-in page may only send this from the dashboard itself."""

    code = "csrf"


class NotFound(TrialbookError):
    """There is nothing here under that name."""

    status = 404
    code = "not-found"


class Removed(NotFound):
    """The file was removed: its study keeps the files of its best trials only (artifacts.keep_best)."""

    code = "removed"


class MethodNotAllowed(TrialbookError):
    """This address exists, but not with that method."""

    status = 405
    code = "method-not-allowed"


class RequestTimeout(TrialbookError):
    """The body did not come in time."""

    status = 408
    code = "request-timeout"


class Conflict(TrialbookError):
    """The request does not fit the present state."""

    status = 409
    code = "conflict"


class NameTaken(Conflict):
    """That name is already in use."""

    code = "name-taken"


class LeaseLost(Conflict):
    """The lease has expired or another worker holds it."""

    code = "lease-lost"


class AlreadyFinished(Conflict):
    """This attempt was finished with another result."""

    code = "already-finished"


class StepConflict(Conflict):
    """That step was already reported with other values."""

    code = "step-conflict"


class CheckpointAhead(Conflict):
    """The checkpoint is ahead of the last stored report."""

    code = "checkpoint-ahead"


class WrongState(Conflict):
    """The study or trial is in a state that does not allow this."""

    code = "wrong-state"


class KeyReused(Conflict):
    """That Idempotency-Key was used for another request."""

    code = "key-reused"


class TooLarge(TrialbookError):
    """The body is larger than is accepted here."""

    status = 413
    code = "too-large"


class OverQuota(TooLarge):
    """There is no room left for this file: something else has to go first."""

    code = "over-quota"


class UnsupportedMediaType(TrialbookError):
    """The body's Content-Type is missing or not accepted here."""

    status = 415
    code = "unsupported-media-type"


class Invalid(TrialbookError):
    """What was sent has mistakes."""

    status = 422
    code = "invalid"


class UnknownField(Invalid):
    """There is a field that is not known here."""

    code = "unknown-field"


class OutOfRange(Invalid):
    """A number is outside its range."""

    code = "out-of-range"


class InvalidText(Invalid):
    """A text holds control characters, NUL or lone surrogates."""

    code = "invalid-text"


class TooManyRequests(TrialbookError):
    """Too many requests: wait a moment."""

    status = 429
    code = "too-many-requests"


class Internal(TrialbookError):
    """The server made a mistake; it is in its log under this request's id."""


class Unavailable(TrialbookError):
    """The server cannot answer just now: try again in a moment."""

    status = 503
    code = "unavailable"


class StorageFull(TrialbookError):
    """The server's disk is full."""

    status = 507
    code = "storage-full"


def _tree(root: type[TrialbookError]) -> Iterator[type[TrialbookError]]:
    yield root
    for child in root.__subclasses__():
        yield from _tree(child)


BY_CODE: dict[str, type[TrialbookError]] = {error.code: error for error in _tree(TrialbookError)}
BY_STATUS: dict[int, type[TrialbookError]] = {error.status: error for error in reversed(list(_tree(TrialbookError)))}


def invalid(errors: Sequence[FieldError]) -> Invalid:
    """The 422 for these mistakes: of the kind that they share, else of the first one's."""
    kind = BY_CODE.get(errors[0].code, Invalid) if errors else Invalid
    chosen = kind if issubclass(kind, Invalid) else Invalid
    return chosen(errors=errors)
