"""A file as an answer: one that is deleted while it is asked for is a missing one."""

from fastapi.responses import FileResponse
from starlette.types import Message, Receive, Scope, Send

from trialbook.errors import NotFound


class StoredFile(FileResponse):
    """A file of artifacts or data sets, which a row named a moment ago. Sending it raises NotFound where it is gone."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file."""
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
            raise NotFound("The file was deleted.") from None
