"""Bytes on a local folder: uploads are written aside and renamed, so that no partial file is ever seen."""

import asyncio
import errno
import hashlib
import os
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from trialbook.errors import FieldError, Invalid, StorageFull, TooLarge

ABANDONED = 86400.0  # seconds


@dataclass(frozen=True)
class Upload:
    """A finished upload: where it lies, and what it is."""

    path: Path
    size: int
    sha256: str


class Files:
    """A folder of artifacts and data sets; names on disk are of our own making, never a user's."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in ("artifacts", "datasets", "incoming"):
            (root / folder).mkdir(parents=True, exist_ok=True, mode=0o700)

    def forget_abandoned(self, now: float) -> None:
        """Delete what uploads of a day ago or more left behind when their server was killed; `now` in seconds."""
        for left in (self.root / "incoming").iterdir():
            if left.stat().st_mtime < now - ABANDONED:
                left.unlink(missing_ok=True)

    async def receive(self, chunks: AsyncIterator[bytes], limit: int, sha256: str | None) -> Upload:
        """Write a body to a file aside. Raises TooLarge, StorageFull, or Invalid where the hash differs."""
        path = self.root / "incoming" / secrets.token_hex(16)
        try:
            size, digest = await self._write(path, chunks, limit)
            if sha256 is not None and digest != sha256.lower():
                raise Invalid(errors=[FieldError("/sha256", "is not the SHA-256 of the body")])
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return Upload(path, size, digest)

    async def _write(self, path: Path, chunks: AsyncIterator[bytes], limit: int) -> tuple[int, str]:
        size, digest = 0, hashlib.sha256()
        with path.open("xb") as file:
            async for chunk in chunks:
                size += len(chunk)
                if size > limit:
                    raise TooLarge
                digest.update(chunk)
                await _checked(file.write, chunk)
            await _checked(file.flush)
            await _checked(os.fsync, file.fileno())
        return size, digest.hexdigest()

    def keep_artifact(self, upload: Upload) -> str:
        """Move an upload to the artifacts; its name there."""
        name = secrets.token_hex(16)
        upload.path.rename(self.artifact(name))
        return name

    def keep_dataset(self, upload: Upload) -> Path:
        """Move an upload to the data sets, under its hash."""
        upload.path.rename(self.dataset(upload.sha256))
        return self.dataset(upload.sha256)

    def artifact(self, name: str) -> Path:
        """Where an artifact lies."""
        return self.root / "artifacts" / name

    def dataset(self, sha256: str) -> Path:
        """Where a data set lies."""
        return self.root / "datasets" / sha256

    def forget_artifact(self, name: str | None) -> None:
        """Delete an artifact's bytes."""
        if name is not None:
            self.artifact(name).unlink(missing_ok=True)


async def _checked(call: Callable[..., object], *arguments: object) -> None:
    try:
        await asyncio.to_thread(call, *arguments)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull from None
        raise
