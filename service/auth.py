"""Who calls, and whether they may: bearer tokens and the dashboard's sessions; every route names its roles."""

import asyncio
import hashlib
import hmac
import re
import secrets
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request

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


async def keep_first_token(context: Context, token: str) -> str:
    """Store the operator's own first token, which may do everything; its id."""
    token_id = _id_of(token)
    await store.insert_token(
        context.db, id=token_id, hash=sha256(token), name="first", role="admin", owner="admin", expires_in=None
    )
    return token_id


async def revoke(context: Context, token_id: str) -> None:
    """Revoke a token; within seconds it is refused everywhere."""
    if not await store.revoke_token(context.db, token_id):
        raise NotFound
    _CHECKED.clear()


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


_CHECKED: dict[bytes, tuple[float, Holder]] = {}


def _id_of(token: str) -> str:
    match = TOKEN.fullmatch(token)
    return match[1] if match else "first"


async def _check_token(context: Context, token: str) -> Holder:
    now, hashed = asyncio.get_running_loop().time(), sha256(token)
    if (known := _CHECKED.get(hashed)) is not None and known[0] > now:
        return known[1]
    found = await store.use_token(context.db, _id_of(token))
    if found is None or not hmac.compare_digest(bytes(found[0]), hashed):
        raise Unauthorized
    if len(_CHECKED) > 10_000:
        _CHECKED.clear()
    _CHECKED[hashed] = (now + REMEMBERED, found[1])
    return found[1]


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
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if token:
        if scheme.lower() != "bearer" or not token.isascii():
            raise Unauthorized
        return await _check_token(context, token.strip())
    if cookie := session_cookie(request):
        holder = await store.find_session(context.db, sha256(cookie))
        if holder is None:
            raise Unauthorized
        require_same_site(request)
        return holder
    raise Unauthorized


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
