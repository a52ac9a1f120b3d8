"""The lane of those who look: few at a time, so that many pages and figures take no worker's time or connection."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.health import PROBES
from trialbook.errors import Unavailable

WIDTH = 2  # at a time
PATIENCE = 10.0  # seconds that somebody may wait for a place
BESIDE = (
    *("/artifacts/", "/datasets/", "/static/"),  # files, for workers too
    *("/export", "/analysis/importance"),  # what may take minutes, or seconds of another process
)


class Lane:
    """Lets GETs pass one after another until their answers begin; what changes something never waits. Plain ASGI."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._places = asyncio.Semaphore(WIDTH)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD") or _is_beside(scope["path"]):
            return await self._app(scope, receive, send)
        try:
            async with asyncio.timeout(PATIENCE):
                await self._places.acquire()
        except TimeoutError:
            raise Unavailable("Too many look at this server at the same time.") from None
        held = True

        def leave() -> None:
            nonlocal held
            if held:
                self._places.release()
            held = False

        async def told(message: Message) -> None:
            leave()
            await send(message)

        try:
            await self._app(scope, receive, told)
        finally:
            leave()
        return None


def _is_beside(path: str) -> bool:
    return path in PROBES or any(part in path for part in BESIDE)
