"""Signing in to the dashboard and out of it: the only page that asks nobody who they are."""

import logging
import re
from dataclasses import dataclass
from typing import Self

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError, model_validator

from service import auth, guesses
from service.api.bodies import Ctx, media_type, read_body
from service.context import Context
from service.dashboard.rendering import render
from service.json_body import parse_json
from service.logs import tell
from service.problems import from_validation
from trialbook.errors import Forbidden, Unauthorized, UnsupportedMediaType
from trialbook.values import Text, Value

router = APIRouter(include_in_schema=False)
LOCAL = re.compile(r"/(?!/)[^\\\s\x00-\x1f\x7f]*")
LIMIT = 4096
DOOR = "login"


class Login(Value):
    """What opens a session: the code of a one-time link, or a token."""

    code: Text | None = None
    token: Text | None = None

    @model_validator(mode="after")
    def one_of_both(self) -> Self:
        if (self.code is None) == (self.token is None):
            raise ValueError("either code or token is required")
        return self


@dataclass(frozen=True)
class LoginPage:
    """What the login page says."""

    next: str
    url: str


@router.get("/login")
async def login_page(request: Request, context: Ctx, next: str = "/") -> Response:
    """Where a one-time link leads, and whoever is not signed in."""
    where = local_path(next)
    if context.settings.no_auth:
        return RedirectResponse(where, 303)
    return render(request, "login.html", LoginPage(where, str(request.base_url).rstrip("/")))


@router.post("/session")
async def sign_in(request: Request, context: Ctx) -> Response:
    """Open a session; its cookie is out of the page's scripts' reach."""
    auth.require_same_site(request)
    cookie = await _opened(context, await _read(request), auth.address_of(request))
    if old := auth.session_cookie(request):
        await auth.close_session(context, old)
    answer = Response(status_code=204)
    tls = _by_tls(request)
    name = auth.BOUND if tls else auth.COOKIE
    seconds = int(auth.SESSION_SECONDS)
    answer.set_cookie(name, cookie, max_age=seconds, path="/", secure=tls, httponly=True, samesite="lax")
    return answer


@router.delete("/session")
async def sign_out(request: Request, context: Ctx) -> Response:
    """Close the session, here and on the server."""
    auth.require_same_site(request)
    if cookie := auth.session_cookie(request):
        await auth.close_session(context, cookie)
    answer = Response(status_code=204)
    for name, secure in ((auth.COOKIE, _by_tls(request)), (auth.BOUND, True)):
        answer.delete_cookie(name, path="/", secure=secure, httponly=True, samesite="lax")
    return answer


def local_path(next: str) -> str:
    """Where to go after the login: a path of this server, `/` for anything that could lead elsewhere."""
    return next if LOCAL.fullmatch(next) and not next.startswith("/login") else "/"


async def _opened(context: Context, login: Login, address: str) -> str:
    await guesses.begin(context, DOOR, address)
    try:
        cookie = await auth.open_session(context, code=login.code, token=login.token)
    except (Unauthorized, Forbidden):
        context.metrics.logins.inc()
        tell("login-refused", level=logging.WARNING, address=address, by="link" if login.code else "token")
        raise
    await guesses.was_right(context, DOOR, address)
    return cookie


async def _read(request: Request) -> Login:
    if media_type(request) != "application/json":
        raise UnsupportedMediaType("Send JSON with 'Content-Type: application/json'.")
    body = parse_json(await read_body(request, LIMIT))
    try:
        return Login.model_validate(body)
    except ValidationError as error:
        raise from_validation(error, body) from None


def _by_tls(request: Request) -> bool:
    """Whether the browser speaks TLS, be it with a proxy before this server: its own Origin says so."""
    return request.url.scheme == "https" or request.headers.get("origin", "").startswith("https://")
