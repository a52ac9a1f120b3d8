"""A file as an answer: one that is deleted while it is asked for is a missing one."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import quote

from fastapi import Response
from fastapi.responses import FileResponse, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from service.files import Files
from service.storage import Bytes
from trialbook.errors import NotFound

PIECE = 1 << 20  # bytes
GONE = "The file was deleted."


async def stored_file(files: Files, name: str, shown: str, kind: str | None, headers: dict[str, str]) -> Response:
    """The answer that holds a file (`folder/name`), as an attachment by the name that is shown. Raises NotFound."""
    if (path := files.storage.local(name)) is not None:
        return _Local(path, media_type=kind, filename=shown, headers=headers)
    try:
        file = await files.open(name)
    except FileNotFoundError:
        raise NotFound(GONE) from None
    about = {"content-disposition": _attachment(shown), "content-length": str(file.seek(0, 2))}
    file.seek(0)
    return StreamingResponse(_pieces(files, file), media_type=kind, headers={**about, **headers})


class _Local(FileResponse):
    """A file of this machine, which a row named a moment ago."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file. Raises NotFound where it is gone."""
        begun = False

        async def noting(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await super().__call__(scope, receive, noting)
        except (RuntimeError, FileNotFoundError):  # the former is how Starlette says so
            if begun:
                raise
            raise NotFound(GONE) from None


async def _pieces(files: Files, file: Bytes) -> AsyncIterator[bytes]:
    """An object as it comes; one that changes or ends early cuts the answer off."""
    try:
        while piece := await files.run(file.read, PIECE):
            yield piece
    finally:
        await asyncio.shield(files.run(file.close))


def _attachment(name: str) -> str:
    """As Starlette spells it for files."""
    quoted = quote(name)
    return f'attachment; filename="{name}"' if quoted == name else f"attachment; filename*=utf-8''{quoted}"
