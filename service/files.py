"""Files of trials and data sets: written aside, synced, and only then placed, so that no partial file is ever seen.

Where they lie, and who holds them there, is for a storage and its guard to know.
"""

import asyncio
import errno
import hashlib
import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from service.objects import Objects
from service.quotas import Room
from service.settings import Settings
from service.storage import ARTIFACTS, DATASETS, Bytes, Folder, FolderGuard, Guard, Storage, older_in
from service.store.holding import DatabaseGuard
from trialbook.errors import FieldError, Invalid, StorageFull

ABANDONED = 86400.0  # seconds
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
INCOMING = "incoming"
OWNER = "database-mark"
THREADS = 16  # calls of a storage at a time; an object store takes its time, and others need the loop's own threads
T = TypeVar("T")


@dataclass(frozen=True)
class Upload:
    """A finished upload: where it lies, and what it is."""

    path: Path
    size: int
    sha256: str


class Files:
    """Artifacts and data sets; their names are of our own making, never a user's. Uploads come to a local folder."""

    def __init__(self, root: Path, storage: Storage | None = None, guard: Guard | None = None) -> None:
        self.root = root
        (root / INCOMING).mkdir(parents=True, exist_ok=True, mode=0o700)
        self.storage = storage or Folder(root)
        self._guard = guard or FolderGuard(root)
        self._threads = ThreadPoolExecutor(THREADS, "files")

    async def receive(self, chunks: AsyncIterator[bytes], room: Room, sha256: str | None) -> Upload:
        """Write a body to a file aside. Raises what the room says, StorageFull, or Invalid where the hash differs."""
        path = self.root / INCOMING / secrets.token_hex(16)
        try:
            size, digest = await self._write(path, chunks, room)
            if sha256 is not None and digest != sha256.lower():
                raise Invalid(errors=[FieldError("/sha256", "is not the SHA-256 of the body")])
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return Upload(path, size, digest)

    async def _write(self, path: Path, chunks: AsyncIterator[bytes], room: Room) -> tuple[int, str]:
        size, digest = 0, hashlib.sha256()
        with _disk():
            file = path.open("xb", buffering=0)  # a buffer would be written once more when a full disk's file is closed
        with file:
            async for chunk in chunks:
                size += len(chunk)
                room.require(size)
                digest.update(chunk)
                await self.run(_write_all, file.fileno(), chunk)
            await self.run(os.fsync, file.fileno())
        return size, digest.hexdigest()

    async def keep_artifact(self, upload: Upload) -> str:
        """Place an upload among the artifacts, for good once this returns; its name there. Raises StorageFull."""
        name = secrets.token_hex(16)
        await self._keep(upload, f"{ARTIFACTS}/{name}")
        return name

    async def keep_dataset(self, upload: Upload) -> None:
        """Place an upload among the data sets, under its hash. Raises StorageFull."""
        await self._keep(upload, f"{DATASETS}/{upload.sha256}")

    async def _keep(self, upload: Upload, name: str) -> None:
        try:
            await self.run(self.storage.place, upload.path, name)
        except BaseException:
            upload.path.unlink(missing_ok=True)
            raise

    async def open(self, name: str) -> Bytes:
        """A file by `folder/name`. Raises FileNotFoundError."""
        return await self.run(self.storage.open, name)

    async def sha256(self, name: str) -> str | None:
        """A file's SHA-256; None where there is none, or its bytes can't be read."""
        return await self.run(sha256_of, self.storage, name)

    async def forget_artifacts(self, names: Iterable[str | None]) -> None:
        """Delete artifacts' bytes; while somebody holds files they are left to the sweep of files without rows."""
        wanted = [f"{ARTIFACTS}/{name}" for name in names if name]
        if wanted:
            async with self.deleting() as may:
                if may:
                    await self.run(self.storage.remove, wanted)

    def deleting(self) -> AbstractAsyncContextManager[bool]:
        """Whether files may be deleted now: nobody holds them, and nobody will before this ends. Never waits for a
        holder: the sweep comes anyway."""
        return self._guard.alone()

    async def remove(self, name: str) -> None:
        """Delete a file by `folder/name`; within `deleting` alone."""
        await self.run(self.storage.remove, [name])

    def hold(self) -> AbstractAsyncContextManager[None]:
        """As long as this is held, no file is deleted, by any process."""
        return self._guard.hold()

    async def older(self, folder: str, before: float) -> list[str]:
        """The names in a folder that were last written before a time in seconds."""
        return await self.run(self.storage.older, folder, before)

    def belongs_to(self, mark: str) -> bool:
        """Whether the files are the database's that this mark stands for; those without an owner become its own."""
        try:
            with self.storage.open(OWNER) as file:
                return file.read().decode() == mark
        except FileNotFoundError:
            aside = self.root / INCOMING / secrets.token_hex(16)
            try:
                aside.write_text(mark)
                self.storage.place(aside, OWNER)
            finally:
                aside.unlink(missing_ok=True)  # a storage that was away took nothing
            return True

    def disown(self) -> None:
        """Leave the files to the database whose server comes next."""
        self.storage.remove([OWNER])

    def forget_abandoned(self, now: float) -> None:
        """Delete what uploads of a day ago or more left behind when their server was killed; `now` in seconds."""
        for name in older_in(self.root / INCOMING, now - ABANDONED):
            (self.root / INCOMING / name).unlink(missing_ok=True)

    async def run(self, call: Callable[..., T], *arguments: object) -> T:
        """Make a blocking call. Raises StorageFull where the disk is."""
        with _disk():
            return await asyncio.get_running_loop().run_in_executor(self._threads, call, *arguments)


def files_of(settings: Settings, database_url: str) -> Files:
    """The files of a service, as its settings say. Raises ValueError where what they need is not installed."""
    guard = FolderGuard(settings.data) if settings.artifacts is None else DatabaseGuard(database_url)
    return Files(settings.data, storage_of(settings), guard)


def storage_of(settings: Settings) -> Storage:
    """Where files lie, as the settings say. Raises ValueError where what that needs is not installed."""
    if settings.artifacts is None:
        return Folder(settings.data)
    try:
        return Objects(settings.artifacts)
    except ImportError:
        raise ValueError("an object store needs the extra s3: pip install 'trialbook[s3]'.") from None


def sha256_of(storage: Storage, name: str) -> str | None:
    """A file's SHA-256 in hexadecimal digits; None where there is no file, or the disk can't read it."""
    try:
        with storage.open(name) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _write_all(descriptor: int, chunk: bytes) -> None:
    left = memoryview(chunk)
    while left:
        left = left[os.write(descriptor, left) :]


@contextmanager
def _disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise StorageFull from None
        raise
