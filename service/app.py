"""The application: middleware, routes, and the clockwork that runs beside them."""

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache, partial
from importlib import import_module
from typing import Annotated

from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.responses import StreamingResponse
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import headers, health, origin, problems, promoting, routes, telling
from service.api import evaluations, leases, others, studies, trials
from service.api.bodies import Ctx
from service.api.description import Documented, contents
from service.api.express import Express
from service.auth import Reader, is_welcome
from service.context import Context
from service.dashboard import (
    compare_page,
    datasets_page,
    new_study_page,
    notes_page,
    problem_pages,
    rendering,
    session_pages,
    studies_page,
    study_page,
    tokens_page,
    trial_page,
    workers_page,
)
from service.events import stream
from service.files import files_of
from service.lane import Lane
from service.load import Load
from service.logs import request_id, tell
from service.metrics import Metrics
from service.origin import Front
from service.retention import keep_for_ever
from service.settings import Settings
from service.static import PackedFiles
from service.store import closing, evaluating, sweeping
from service.store.database import Database
from service.store.reporting import MetricSets
from service.studies import find
from trialbook import __version__
from trialbook.errors import InvalidHost, TrialbookError

BASE = "/api/v1"
PAGES = (
    session_pages,
    studies_page,
    compare_page,
    new_study_page,
    notes_page,
    workers_page,
    datasets_page,
    tokens_page,
    study_page,
    trial_page,
)  # /studies/new is no name
TICK = 1.0  # seconds between two looks at what time alone brings about
REST = 20  # a look at limits takes ms per 10,000 trials; the next one waits for so many times as long
TOLERATED = 3.0  # seconds without a tick that are no outage
RETURN_SECONDS = 15.0  # at least, that workers have to come back after an outage: their clients pause between tries


def create_app(settings: Settings, database_url: str, *, pool_size: int = 10) -> FastAPI:
    """The application on a migrated database."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        routes.require_roles(app)
        db = Database(database_url, pool_size=pool_size)
        secret = await sweeping.server_secret(db, secrets.token_bytes(32))
        files = files_of(settings, database_url)
        context = Context(db, settings, secret, files, MetricSets(db), metrics=metrics, load=load)
        app.state.context = context
        app.state.health = health.Health(context, database_url)
        app.state.context.files.forget_abandoned(time.time())
        await beat(app.state.context, tolerated=TICK)  # before any lease is seen as expired for want of a server
        clockwork = asyncio.create_task(tick_for_ever(app.state.context))
        housekeeping = asyncio.create_task(keep_for_ever(app.state.context))
        # Slow to load: not within a first lease, and not while workers wait for a server that comes back.
        app.state.loading = asyncio.create_task(asyncio.to_thread(import_module, "service.search.startup"))
        yield
        app.state.context.stopping = True
        app.state.context.bell.ring()
        clockwork.cancel()
        housekeeping.cancel()
        await app.state.health.close()
        await app.state.context.apart.close()
        await app.state.context.readers.close()
        await db.close()

    metrics, load = Metrics(), Load()
    metrics.watch(load)
    app = Documented(
        title="Trialbook",
        version=__version__,
        lifespan=lifespan,
        openapi_url=f"{BASE}/openapi.json",
        redirect_slashes=False,  # an address has one spelling, and nobody is sent to whatever Host they named
        docs_url=None,
        redoc_url=None,
    )
    app.state.metrics = metrics
    app.router.routes.extend(_routes())
    app.mount("/static", PackedFiles(rendering.FOLDER / "static"), name="static")
    _add_stream(app)
    health.install(app)
    problems.install(app, problem_pages.show)
    app.add_middleware(Lane)
    app.add_middleware(Express)
    front = origin.front(settings.host, settings.allowed_hosts, settings.trusted_proxies)
    app.add_middleware(Frame, front=front, metrics=metrics, load=load)
    return app


@cache
def _routes() -> tuple[BaseRoute, ...]:
    """The resources and the pages: FastAPI takes its time over them, so all applications of a process share them."""
    whole = APIRouter()
    for module in (studies, trials, leases, evaluations, others):
        whole.include_router(module.router, prefix=BASE)
    for page in PAGES:
        whole.include_router(page.router)
    return tuple(whole.routes)


def _add_stream(app: FastAPI) -> None:
    @app.get(
        f"{BASE}/studies/{{study}}/events",
        operation_id="streamEvents",
        tags=["events"],
        response_class=StreamingResponse,
        responses=contents("text/event-stream"),
    )
    async def stream_events(
        study: str,
        request: Request,
        context: Ctx,
        holder: Reader,
        since: Annotated[str | None, Query(max_length=100)] = None,
    ) -> StreamingResponse:
        """Each change as it happens (text/event-stream), resumable by Last-Event-ID, or by `since` where a client can
        send no header."""
        key = await find(context, holder, study)
        context.load.check("streams")  # while it can still be said; the stream itself counts as one
        frames = stream(context, key.id, request.headers.get("last-event-id") or since, partial(is_welcome, request))
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(frames, media_type="text/event-stream", headers=headers)


async def tick_for_ever(context: Context) -> None:
    """Once a second: note that the service lives, end what time has ended, wake who may find work."""
    failing = False
    while True:
        try:
            await tick(context)
        except Exception as error:  # the next tick tries again; a database that is away is no reason to stop ticking
            if not failing:  # once, not each second of an outage
                tell("tick-failed", level=logging.WARNING, error=error)
            failing = True
        else:
            if failing:
                tell("ticking-again")
            failing = False
        await asyncio.sleep(TICK)


async def beat(context: Context, *, tolerated: float) -> None:
    """Note that the service lives; an outage costs no live worker its lease."""
    ttl = max(context.settings.lease_seconds, RETURN_SECONDS)
    if prolonged := await sweeping.beat(context.db, tolerated=tolerated, ttl=ttl):
        telling.outage_noticed(context.metrics, prolonged)
    context.ticked = time.monotonic()


async def tick(context: Context) -> None:
    """What time alone brings about."""
    await beat(context, tolerated=TOLERATED)
    telling.trials_lost(context.metrics, await sweeping.fail_expired(context.db))
    await promoting.pause_expired(context)
    await evaluating.give_up_expired(context.db)
    await sweeping.forget_old_events(context.db)
    for study in await sweeping.out_of_time(context.db):
        ended = await closing.end_study(context.db, study, "completed", "its time is up")
        telling.study_ended(context.metrics, ended)
    for study in await sweeping.fully_made(context.db):
        telling.study_ended(context.metrics, await promoting.settle(context, study))
    await _look_at_limits(context)
    if await sweeping.any_expired(context.db):
        context.bell.ring()


async def _look_at_limits(context: Context) -> None:
    """Learn what other processes have stored, and end what is spent all the same."""
    clock = asyncio.get_running_loop().time
    if (begun := clock()) < context.epochs.look_at:
        return
    stored = context.epochs.all_stored()
    for one in await closing.limited(context.db):
        if one.epochs_left is not None:
            context.epochs.learn(one.study_id, one.epochs_left, stored.get(one.study_id, 0))
        if one.is_spent:
            telling.study_ended(context.metrics, (await closing.end_if_spent(context.db, one.study_id)).ended)
    context.epochs.look_at = clock() + REST * (clock() - begun)


class Frame:
    """Around every request: its id, the check of its Host, what trusted proxies say of it, a bound on how many there
    are, security headers, the answer where the code failed, its duration. Plain ASGI."""

    def __init__(self, app: ASGIApp, *, front: Front, metrics: Metrics, load: Load) -> None:
        self._app = app
        self._front = front
        self._metrics = metrics
        self._load = load

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        scope["request_id"] = secrets.token_hex(8)
        request_id.set(scope["request_id"])
        if self._front.proxies:
            scope["client"], scope["scheme"] = self._front.seen_through(scope)
        begun, status, instead = time.perf_counter(), None, None

        async def framed(message: Message) -> None:
            nonlocal status, instead
            if instead is not None:  # of the other answer nothing follows
                return
            if message["type"] == "http.response.start":
                if (instead := problems.instead(message, scope["request_id"])) is not None:
                    message = {**message, "status": instead.status_code, "headers": instead.raw_headers}
                status = str(message["status"])
                extra = headers.missing(message["headers"], scope["path"], scope["scheme"])
                about = (b"x-request-id", scope["request_id"].encode())
                message = {**message, "headers": [*message["headers"], *extra, about]}
            await send(message)
            if instead is not None:
                await send({"type": "http.response.body", "body": instead.body})

        try:
            await self._bounded(scope, receive, framed)
        except TrialbookError as error:
            await problems.problem(error, scope["request_id"])(scope, receive, framed)
        except ClientDisconnect:  # nobody is there to be answered
            return None
        except Exception as error:
            answer = problems.unexpected(Request(scope), error, problem_pages.show)
            if status is not None:  # its beginning is on its way already: only cutting it off shows that it is no whole
                raise
            await answer(scope, receive, framed)
        finally:
            self._note(scope, status or "cut", time.perf_counter() - begun)
        return None

    async def _bounded(self, scope: Scope, receive: Receive, framed: Send) -> None:
        if not self._front.is_host(scope):
            raise InvalidHost
        if scope["path"] in health.PROBES:  # they tell how full the server is
            return await self._app(scope, receive, framed)
        with self._load.request():
            return await self._app(scope, receive, framed)

    def _note(self, scope: Scope, status: str, seconds: float) -> None:
        route = _template(scope)
        self._metrics.request(scope["method"], route, status, seconds)
        tell("request", level=logging.DEBUG, method=scope["method"], route=route, status=status, seconds=seconds)


def _template(scope: Scope) -> str:
    """The address of a request as its route has it, `none` for what has no route; never the address itself."""
    within = scope.get("fastapi", {}).get("effective_route_context")  # with its router's prefix, which a route lacks
    return str(getattr(within or scope.get("route"), "path", "none"))
