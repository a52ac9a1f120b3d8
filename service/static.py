"""Scripts and styles, sent packed to whoever takes that: packed once, and kept in memory. A browser asks again for each
and is told that nothing changed."""

import asyncio
import gzip
from functools import lru_cache
from pathlib import Path

from fastapi import Response
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import Headers
from starlette.responses import FileResponse
from starlette.types import Scope

WORTH = 1000  # bytes from which on packing is worth it
PACKED = ("text/", "application/javascript", "image/svg+xml")


class PackedFiles(StaticFiles):
    """Files of a folder, as gzip where the client says that it takes it and wants the whole."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """One file. Raises HTTPException where there is none."""
        found = await super().get_response(path, scope)
        if not isinstance(found, FileResponse) or not (found.media_type or "").startswith(PACKED):
            return found
        found.headers["vary"] = "accept-encoding"
        asked = Headers(scope=scope)
        if not _takes_gzip(asked) or "range" in asked or int(found.headers["content-length"]) < WORTH:
            return found
        body = await asyncio.to_thread(_packed, str(found.path), found.headers["etag"])
        kept = {name: found.headers[name] for name in ("last-modified", "vary")}
        tag = {"etag": f"W/{found.headers['etag']}"}  # other bytes, the same file
        return Response(body, headers={**kept, **tag, "content-encoding": "gzip"}, media_type=found.media_type)


def _takes_gzip(headers: Headers) -> bool:
    parts = (part.partition(";") for part in headers.get("accept-encoding", "").split(","))
    return any(name.strip() == "gzip" and "q=0" not in rest.replace(" ", "").split(";") for name, _, rest in parts)


@lru_cache(maxsize=200)
def _packed(path: str, etag: str) -> bytes:
    """The bytes of a file as it is at this etag."""
    return gzip.compress(Path(path).read_bytes(), compresslevel=9, mtime=0)
