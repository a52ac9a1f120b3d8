"""Who calls, and whether they may: bearer tokens and the dashboard's sessions; every route names its roles."""

import asyncio
import hashlib
import hmac
import re
import secrets
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request

from service import guesses
from service.context import Context
from service.store import tokens as store
from service.store.tokens import Holder
from trialbook.errors import CrossSite, Forbidden, NotFound, Unauthorized
from trialbook.wire import CreatedToken, NewToken, Role

TOKEN = re.compile(r"tb_([A-Za-z0-9-]{1,40})_[A-Za-z0-9_-]{20,100}")
COOKIE = "trialbook_session"
BOUND = f"__Host-{COOKIE}"  # under TLS: no neighbouring host, and nobody without TLS, can set a cookie of this name
REMEMBERED = 2.0  # seconds that a checked token is trusted without asking the database
SESSION_SECONDS = 14 * 86400.0
LINK_SECONDS = 600.0
SAFE = ("GET", "HEAD", "OPTIONS")
ANYONE = Holder("anonymous", "admin", "anonymous")  # under --no-auth, on loopback only


class Unknown(Unauthorized):
    """A secret that was never given to anybody: a guess."""


def sha256(secret: str) -> bytes:
    """What is stored of a secret: 32 random bytes need no slow hash."""
    return hashlib.sha256(secret.encode()).digest()


async def create_token(context: Context, holder: Holder, body: NewToken) -> CreatedToken:
    """Make a token; its secret is in this answer and nowhere else."""
    token_id = secrets.token_hex(6)
    token = f"tb_{token_id}_{secrets.token_urlsafe(32)}"
    made = await store.insert_token(
        context.db,
        id=token_id,
        hash=sha256(token),
        name=body.name,
        role=body.role,
        owner=body.owner or holder.owner,
        expires_in=body.expires_in,
    )
    return CreatedToken(**made.model_dump(), token=token)


async def keep_first_token(context: Context, token: str) -> tuple[str, bool]:
    """Store the operator's own first token, which may do everything: its id, and whether it is valid. One that was
    revoked stays so."""
    token_id = _id_of(token)
    return token_id, await store.keep_token(context.db, token_id, sha256(token))


async def revoke(context: Context, token_id: str) -> None:
    """Revoke a token; within seconds it is refused everywhere."""
    if not await store.revoke_token(context.db, token_id):
        raise NotFound("There is no such token, or it is revoked already.")
    context.checked.clear()


async def login_link(context: Context, token_id: str) -> str:
    """A path with a code that opens a session once; in the fragment, so that no log sees it."""
    code = secrets.token_urlsafe(32)
    await store.add_login_link(context.db, sha256(code), token_id, LINK_SECONDS)
    return f"/login#{code}"


async def open_session(context: Context, *, code: str | None, token: str | None) -> str:
    """Open a session for a one-time code or a token; the cookie's value. Raises Unauthorized or Forbidden."""
    token_id = await _from_link(context, code) if code else await _from_token(context, token or "")
    cookie = secrets.token_urlsafe(32)
    await store.add_session(context.db, sha256(cookie), token_id, SESSION_SECONDS)
    return cookie


async def _from_link(context: Context, code: str) -> str:
    token_id = await store.take_login_link(context.db, sha256(code))
    if token_id is None:
        raise Unauthorized("This login link was used before or is too old: ask for another one.")
    return token_id


async def _from_token(context: Context, token: str) -> str:
    try:
        holder = await _check_token(context, token)
    except Unauthorized:
        raise Unauthorized("This token is unknown, expired or revoked.") from None
    if holder.role == "worker":
        raise Forbidden("A worker's token opens no dashboard: use one that may read studies.")
    return holder.token_id


async def close_session(context: Context, cookie: str) -> None:
    """End a session; ending it again does nothing."""
    await store.drop_session(context.db, sha256(cookie))


def _id_of(token: str) -> str:
    match = TOKEN.fullmatch(token)
    return match[1] if match else "first"


async def _check_token(context: Context, token: str) -> Holder:
    hashed = sha256(token)
    if (known := _remembered(context, hashed)) is not None:
        return known
    found = await store.use_token(context.db, _id_of(token))
    if found is None or not hmac.compare_digest(found.hash, hashed):
        raise Unknown
    if not found.is_valid:
        context.checked.forget(hashed)
        raise Unauthorized
    return _remember(context, hashed, found.holder)


async def _check_session(context: Context, cookie: str) -> Holder:
    holder = await store.find_session(context.db, sha256(cookie))
    if holder is None:
        context.checked.forget(_as_session(cookie))
        raise Unauthorized
    return _remember(context, _as_session(cookie), holder)


def _as_session(cookie: str) -> bytes:
    """What a session is remembered by: never what a token would be, so that neither passes for the other."""
    return sha256(f"session {cookie}")


def _remembered(context: Context, hashed: bytes) -> Holder | None:
    until, holder = context.checked.get(hashed) or (0.0, None)
    return holder if until > asyncio.get_running_loop().time() else None


def _remember(context: Context, hashed: bytes, holder: Holder) -> Holder:
    context.checked.put(hashed, (asyncio.get_running_loop().time() + REMEMBERED, holder))
    return holder


async def _check_bearer(context: Context, token: str, address: str) -> Holder:
    """Whose token it is. A client that sent too many wrong ones is heard again only with one that was right before."""
    if context.checked.get(sha256(token)) is None:
        guesses.require_open(context, "bearer", address)
    try:
        return await _check_token(context, token)
    except Unknown:
        await guesses.begin(context, "bearer", address)
        raise Unauthorized from None


async def who(request: Request) -> Holder:
    """Whom the request speaks for. Raises Unauthorized, or CrossSite for a session without same-origin proof."""
    if "holder" not in request.scope:  # asked once before the body is read, and again by the route
        request.scope["holder"] = await _who(request)
    holder: Holder = request.scope["holder"]
    return holder


async def _who(request: Request) -> Holder:
    context: Context = request.app.state.context
    if context.settings.no_auth:
        require_same_site(request)
        return ANYONE
    if token := _bearer(request):
        return await _check_bearer(context, token, address_of(request))
    if cookie := session_cookie(request):
        holder = await _check_session(context, cookie)
        require_same_site(request)
        return holder
    raise Unauthorized


async def is_welcome(request: Request) -> bool:
    """Whether whom a request speaks for may still call, for what takes long; up to `REMEMBERED` seconds behind."""
    context: Context = request.app.state.context
    token, cookie = _bearer(request), session_cookie(request)
    if context.settings.no_auth or _remembered(context, sha256(token) if token else _as_session(cookie or "")):
        return True
    try:
        await (_check_token(context, token) if token else _check_session(context, cookie or ""))
    except Unauthorized:
        return False
    return True


def _bearer(request: Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if token and (scheme.lower() != "bearer" or not token.isascii()):
        raise Unauthorized
    return token.strip() or None


def address_of(request: Request) -> str:
    """The client's address, as far as it is known."""
    return request.client.host if request.client else ""


def session_cookie(request: Request) -> str | None:
    """The session's cookie; where TLS is known to be spoken, only the one that nobody else can have set."""
    bound = request.cookies.get(BOUND)
    return bound if bound or request.url.scheme == "https" else request.cookies.get(COOKIE)


def require_same_site(request: Request) -> None:
    """A browser proves that an unsafe request comes from our own pages; what is no browser sends neither header."""
    if request.method in SAFE:
        return
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    own = origin is None or origin.partition("://")[2] == request.headers.get("host")
    by_cookie = session_cookie(request) is not None
    if site not in (None, "same-origin", "none") or not own or (by_cookie and site is None and origin is None):
        raise CrossSite


def may(*roles: Role) -> Callable[..., Awaitable[Holder]]:
    """The dependency of a route that these roles may use; an admin may use every one."""

    async def check(request: Request) -> Holder:
        holder = await who(request)
        if holder.role != "admin" and holder.role not in roles:
            raise Forbidden
        return holder

    check.roles = roles  # type: ignore[attr-defined]  # read by the test that walks the routes
    return check


Reader = Annotated[Holder, Depends(may("viewer", "submitter"))]
Submitter = Annotated[Holder, Depends(may("submitter"))]
worker_only = may("worker", "submitter")
WorkerOnly = Annotated[Holder, Depends(worker_only)]
Anybody = Annotated[Holder, Depends(may("viewer", "submitter", "worker"))]
Admin = Annotated[Holder, Depends(may())]
