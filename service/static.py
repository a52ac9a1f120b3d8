"""Scripts and styles, sent packed to whoever takes that: read and packed once, and kept in memory, since a page needs
thirty of them at once. A browser asks again for each and is told that nothing changed."""

import asyncio
import gzip
import hashlib
import mimetypes
import re
from dataclasses import dataclass
from pathlib import Path

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

WORTH = 1000  # bytes from which on packing is worth it
PACKED = ("text/", "application/javascript", "image/svg+xml")
NAME = re.compile(r"(?:[\w-][\w.-]*/)*[\w-][\w.-]*", re.ASCII)  # no part is hidden, or leads upwards


@dataclass(frozen=True)
class File:
    """A file as it was at one time."""

    stamp: tuple[int, int]  # its time of change and its size
    body: bytes
    packed: bytes | None  # None where that is not worth it
    kind: str
    etag: str


class PackedFiles:
    """The files of a folder, as gzip where the client says that it takes it. They are small enough to be kept."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: dict[str, File] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with one file. Raises HTTPException where there is none, or it is not read."""
        if scope["method"] not in ("GET", "HEAD"):
            raise HTTPException(405, headers={"allow": "GET, HEAD"})
        file = await self._file(scope["path"].removeprefix(scope.get("root_path", "")).lstrip("/"))
        asked = Headers(scope=scope)
        headers = {"etag": file.etag}
        if file.packed is not None:
            headers["vary"] = "accept-encoding"
        if _has(asked, file.etag):
            await Response(status_code=304, headers=headers)(scope, receive, send)
            return
        body = file.body
        if file.packed is not None and _takes_gzip(asked):
            body, headers["content-encoding"] = file.packed, "gzip"
        headers["content-length"] = str(len(body))
        body = body if scope["method"] == "GET" else b""
        await Response(body, headers=headers, media_type=file.kind)(scope, receive, send)

    async def _file(self, name: str) -> File:
        path = self._folder / name
        try:
            if not NAME.fullmatch(name) or not path.is_file():
                raise HTTPException(404)
            found = path.stat()
        except OSError:  # a name too long, or gone just now
            raise HTTPException(404) from None
        kept, stamp = self._kept.get(name), (found.st_mtime_ns, found.st_size)
        if kept is None or kept.stamp != stamp:
            kept = self._kept[name] = await asyncio.to_thread(_read, path, stamp)
        return kept


def _read(path: Path, stamp: tuple[int, int]) -> File:
    body = path.read_bytes()
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    is_worth = kind.startswith(PACKED) and len(body) >= WORTH
    packed = gzip.compress(body, compresslevel=9, mtime=0) if is_worth else None
    return File(stamp, body, packed, kind, f'W/"{hashlib.sha256(body).hexdigest()[:32]}"')


def _has(headers: Headers, etag: str) -> bool:
    known = [tag.strip() for tag in headers.get("if-none-match", "").split(",")]
    return "*" in known or etag in known


def _takes_gzip(headers: Headers) -> bool:
    parts = (part.partition(";") for part in headers.get("accept-encoding", "").split(","))
    return any(name.strip() == "gzip" and "q=0" not in rest.replace(" ", "").split(";") for name, _, rest in parts)
