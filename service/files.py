"""Bytes on a local folder: uploads are written aside, synced and renamed, so that no partial file is ever seen.

Whoever needs files to stay (a backup, or who is about to store a row that names one) holds the folder; deletions are
left for later meanwhile. The lock is the kernel's, so it goes with a process that is killed, and counts for all that
share the folder.
"""

import asyncio
import errno
import fcntl
import hashlib
import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from service.quotas import Room
from trialbook.errors import FieldError, Invalid, StorageFull

ABANDONED = 86400.0  # seconds
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
ARTIFACTS, DATASETS, INCOMING = "artifacts", "datasets", "incoming"
OWNER = "database-mark"
T = TypeVar("T")


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
        self._turn = asyncio.Lock()
        for folder in (ARTIFACTS, DATASETS, INCOMING):
            (root / folder).mkdir(parents=True, exist_ok=True, mode=0o700)

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
        with _storage():
            file = path.open("xb", buffering=0)  # a buffer would be written once more when a full disk's file is closed
        with file:
            async for chunk in chunks:
                size += len(chunk)
                room.require(size)
                digest.update(chunk)
                await _in_thread(_write_all, file.fileno(), chunk)
            await _in_thread(os.fsync, file.fileno())
        return size, digest.hexdigest()

    async def keep_artifact(self, upload: Upload) -> str:
        """Move an upload to the artifacts, for good once this returns; its name there. Raises StorageFull."""
        name = secrets.token_hex(16)
        await self._keep(upload, self.artifact(name))
        return name

    async def keep_dataset(self, upload: Upload) -> Path:
        """Move an upload to the data sets, under its hash. Raises StorageFull."""
        path = self.dataset(upload.sha256)
        await self._keep(upload, path)
        return path

    async def _keep(self, upload: Upload, path: Path) -> None:
        try:
            await _in_thread(move, upload.path, path)
        except BaseException:
            upload.path.unlink(missing_ok=True)
            raise

    def artifact(self, name: str) -> Path:
        """Where an artifact lies."""
        return self.root / ARTIFACTS / name

    def dataset(self, sha256: str) -> Path:
        """Where a data set lies."""
        return self.root / DATASETS / sha256

    async def forget_artifacts(self, names: Iterable[str | None]) -> None:
        """Delete artifacts' bytes; while somebody holds the folder they are left to the sweep of files without rows."""
        wanted = [self.artifact(name) for name in names if name]
        if wanted:
            async with self.deleting() as may:
                if may:
                    await asyncio.to_thread(_unlink, wanted)

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[None]:
        """As long as this is held, no file is deleted, by any process."""
        with self._lock() as lock:
            await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_SH)
            yield

    @asynccontextmanager
    async def deleting(self) -> AsyncIterator[bool]:
        """Whether files may be deleted now: nobody holds them, and nobody will before this ends. Never waits for a
        holder, since a backup may be one for an hour, nor for another process's deletion: the sweep comes anyway."""
        async with self._turn:
            with self._lock() as lock:
                yield _exclusive(lock)

    @contextmanager
    def _lock(self) -> Iterator[int]:
        lock = os.open(self.root / "files.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            yield lock
        finally:
            os.close(lock)

    def older(self, folder: str, before: float) -> list[str]:
        """The names in a folder (ARTIFACTS, DATASETS, INCOMING) that were last written before a time in seconds."""
        with os.scandir(self.root / folder) as found:
            return [one.name for one in found if _written(one) < before]

    def belongs_to(self, mark: str) -> bool:
        """Whether the folder is the database's that this mark stands for; one without an owner becomes its own."""
        owner = self.root / OWNER
        if not owner.exists():
            owner.write_text(mark)
        return owner.read_text() == mark

    def disown(self) -> None:
        """Leave the folder to the database whose server comes next."""
        (self.root / OWNER).unlink(missing_ok=True)

    def forget_abandoned(self, now: float) -> None:
        """Delete what uploads of a day ago or more left behind when their server was killed; `now` in seconds."""
        _unlink([self.root / INCOMING / name for name in self.older(INCOMING, now - ABANDONED)])


def sha256_of(path: Path) -> str | None:
    """A file's SHA-256 in hexadecimal digits; None where there is no file, or the disk can't read it."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def move(path: Path, to: Path) -> None:
    """Rename a synced file, so that a power cut can't undo it."""
    path.rename(to)
    sync_folder(to.parent)


def sync_folder(folder: Path) -> None:
    """Bring a folder's entries to the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _written(entry: "os.DirEntry[str]") -> float:
    try:
        return entry.stat(follow_symlinks=False).st_mtime
    except FileNotFoundError:  # another process was quicker
        return float("inf")


def _exclusive(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _unlink(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _write_all(descriptor: int, chunk: bytes) -> None:
    left = memoryview(chunk)
    while left:
        left = left[os.write(descriptor, left) :]


@contextmanager
def _storage() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise StorageFull from None
        raise


async def _in_thread(call: Callable[..., T], *arguments: object) -> T:
    with _storage():
        return await asyncio.to_thread(call, *arguments)
