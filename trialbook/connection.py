"""One server's address and token, and calls to it that are repeated until answered: knows HTTP, not what is asked."""

import json
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, TypeAdapter

from trialbook.errors import NotFound, TooManyRequests, TrialbookError, Unauthorized, Unavailable, Unreachable
from trialbook.problems import read_problem
from trialbook.spec import StudySpec

DEFAULT_URL = "http://127.0.0.1:8000"
JSON = "application/json"
BASE = "/api/v1"
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0  # seconds
PATIENCE = 30.0  # seconds for one answer, apart from what the server may hold the call

A = TypeVar("A", bound=BaseModel)
T = TypeVar("T")


@dataclass(frozen=True)
class Request:
    """One call. `wait` is how many seconds the server may hold it; a path as `body` is sent piece by piece.

    `repeatable` says that doing it twice is doing it once; `removes` that a repeat answered 404 has succeeded.
    """

    method: str
    path: str
    params: Mapping[str, Any] = field(default_factory=dict)  # Any: what httpx writes into a query; None is left out
    body: bytes | Path | None = None
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    wait: float = 0.0
    repeatable: bool = True
    removes: bool = False


def read_environment(environ: Mapping[str, str] = os.environ) -> tuple[str | None, str | None]:
    """The address in TRIALBOOK_URL, the token in TRIALBOOK_TOKEN or in the file that TRIALBOOK_TOKEN_FILE names."""
    token, token_file = environ.get("TRIALBOOK_TOKEN"), environ.get("TRIALBOOK_TOKEN_FILE")
    if not token and token_file:
        try:
            token = Path(token_file).read_text("utf-8").strip()
        except OSError as error:
            raise Unauthorized(f"The token file {token_file} cannot be read: {error.strerror}.") from error
    return environ.get("TRIALBOOK_URL") or None, token or None


class Connection:
    """Calls with retries: lost connections, 429, 502, 503 and 504 are repeated after growing pauses with full jitter,
    never sooner than Retry-After asks, for `deadline` seconds beyond what the server may hold the call.

    Safe to use from many threads. Raises the errors of `trialbook.errors`.
    """

    def __init__(
        self,
        url: str,
        token: str | None,
        *,
        deadline: float = 30.0,
        transport: httpx.BaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = random.random,
    ) -> None:
        self.url = url.rstrip("/")
        self.server_version: str | None = None  # as the last answer told it
        self._deadline, self._clock, self._sleep, self._random = deadline, clock, sleep, random
        self._http = httpx.Client(
            base_url=_checked(self.url) + BASE,
            headers={"authorization": f"Bearer {token}"} if token else {},
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=64),
            transport=transport,
        )

    def close(self) -> None:
        """Close the open connections."""
        self._http.close()

    def ask(self, shape: type[A], request: Request) -> A:
        """The answer to a request as a value of that shape."""
        return self._understand(shape.model_validate_json, self.call(request))

    def read(self, request: Request) -> dict[str, Any]:  # Any: JSON
        """The answer to a request as the JSON object that it is."""
        return self._understand(TypeAdapter(dict[str, Any]).validate_json, self.call(request))

    def pages(self, shape: type[A], path: str, params: Mapping[str, Any]) -> Iterator[A]:
        """The items of a list, page after page as they are wanted."""
        cursor = None
        while True:
            page = self.read(Request("GET", path, {**params, "cursor": cursor}))
            yield from (shape.model_validate(item) for item in page["items"])
            if (cursor := page.get("next_cursor")) is None:
                return

    def call(self, request: Request, sink: IO[bytes] | None = None) -> bytes:
        """The body of the answer to a request, or nothing when it was written into `sink`."""
        give_up = self._clock() + request.wait + self._deadline
        pause, repeated = FIRST_PAUSE, False
        while True:
            if self._http.is_closed:  # perhaps by another thread, during a pause
                raise Unreachable("This client was closed.")
            try:
                return self._send(request, sink)
            except NotFound:
                if repeated and request.removes:
                    return b""
                raise
            except (Unreachable, Unavailable, TooManyRequests) as error:
                wait = max(error.retry_after or 0.0, self._random() * pause)
                if not _may_repeat(request, error) or self._clock() + wait > give_up:
                    raise
            self._sleep(wait)
            pause, repeated = min(2 * pause, LONGEST_PAUSE), True

    def stream(self, request: Request, *, silence: float) -> Iterator[bytes]:
        """The pieces of an endless answer as they come; raises Unreachable after `silence` seconds without any."""
        with self._open(request, None, read=silence) as response:
            yield from response.iter_bytes()

    def pause(self, seconds: float) -> None:
        """Wait about that long: clients that lost their server together do not come back together."""
        self._sleep(seconds * (0.5 + self._random()))

    def _understand(self, parse: Callable[[bytes], T], answer: bytes) -> T:
        try:
            return parse(answer)
        except ValueError as error:
            raise TrialbookError(
                f"What answers at {self.url} is no Trialbook server, or one of another version: {error}"
            ) from error

    def _send(self, request: Request, sink: IO[bytes] | None) -> bytes:
        with ExitStack() as opened:
            body = request.body
            content = opened.enter_context(body.open("rb")) if isinstance(body, Path) else body
            response = opened.enter_context(self._open(request, content, read=PATIENCE + request.wait))
            if sink is None:
                return response.read()
            sink.seek(0)
            sink.truncate()
            for piece in response.iter_bytes():
                sink.write(piece)
            return b""

    @contextmanager
    def _open(self, request: Request, content: bytes | IO[bytes] | None, *, read: float) -> Iterator[httpx.Response]:
        """The head of a successful answer, its body still to be read. Raises what else there is to say."""
        typed = {} if content is None else {"content-type": request.content_type}
        try:
            with self._http.stream(
                request.method,
                request.path,
                params={name: value for name, value in request.params.items() if value is not None},
                content=content,
                headers={**typed, **request.headers},
                timeout=httpx.Timeout(PATIENCE, connect=5.0, read=read),
            ) as response:
                self.server_version = response.headers.get("trialbook-version", self.server_version)
                if not response.is_success:
                    raise read_problem(response.status_code, response.headers, response.read())
                yield response
        except httpx.RequestError as lost:
            raise Unreachable(f"The server at {self.url} cannot be reached: {lost or type(lost).__name__}.") from lost


def encode(value: BaseModel | Mapping[str, Any]) -> bytes:  # Any: JSON
    """A body as JSON. A spec is written whole; elsewhere a field without a value is left out."""
    if isinstance(value, BaseModel):
        return value.model_dump_json(exclude_none=not isinstance(value, StudySpec)).encode()
    return json.dumps(value, allow_nan=False).encode()


def path_of(*parts: str | int) -> str:
    """The path with these parts, each made safe to be one."""
    return "".join(f"/{_quoted(str(part))}" for part in parts)


def _quoted(part: str) -> str:
    return part.replace(".", "%2E") if part in (".", "..") else quote(part, safe="")


def _may_repeat(request: Request, error: Exception) -> bool:
    never_arrived = isinstance(error, TooManyRequests) or isinstance(error.__cause__, httpx.ConnectError)
    return request.repeatable or never_arrived


def _checked(url: str) -> str:
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError) as error:
        raise Unreachable(f"{url!r} is not an address: {error}.") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise Unreachable(f"{url!r} is not an address: it should look like {DEFAULT_URL}.")
    return url
