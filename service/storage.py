"""Where whole files lie, under names of our own making: a protocol, and the folder that it is on one machine.

Whoever needs files to stay (a backup, or who is about to store a row that names one) has a guard hold them; deletions
are left for later meanwhile.
"""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

ARTIFACTS, DATASETS = "artifacts", "datasets"


class Bytes(Protocol):
    """A file that is open to be read, in any order. Its calls block."""

    def read(self, size: int = -1, /) -> bytes:
        """So many bytes, or all that are left."""
        ...

    def readinto(self, buffer: bytearray, /) -> int:
        """The next bytes, into a buffer; how many they were."""
        ...

    def readable(self) -> bool:
        """Always."""
        ...

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a place; which one it is from the beginning."""
        ...

    def tell(self) -> int:
        """The place where it is."""
        ...

    def seekable(self) -> bool:
        """Always."""
        ...

    def close(self) -> None:
        """Read no more."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...


class Storage(Protocol):
    """Files by `folder/name`. All calls block; each raises OSError, or Unavailable where the storage is away."""

    @property
    def address(self) -> str:
        """Where it is, for people."""
        ...

    def place(self, path: Path, name: str) -> None:
        """Move a local file there: whole and lasting once this returns, else not there at all."""
        ...

    def open(self, name: str) -> Bytes:
        """A file to read, in any order. Raises FileNotFoundError."""
        ...

    def require(self) -> None:
        """Raises what says why it can't be used, if so."""
        ...

    def remove(self, names: Iterable[str]) -> None:
        """Delete files; those that are gone already don't matter."""
        ...

    def older(self, folder: str, before: float) -> list[str]:
        """The names in a folder that were last written before a time in seconds."""
        ...

    def local(self, name: str) -> Path | None:
        """The file itself where it is one on this machine."""
        ...


class Guard(Protocol):
    """Between those who need files to stay and those who delete some, in all processes that share a storage."""

    def hold(self) -> AbstractAsyncContextManager[None]:
        """As long as this is held, no file is deleted."""
        ...

    def alone(self) -> AbstractAsyncContextManager[bool]:
        """Whether nobody holds files now, and nobody will before this ends. Never waits for a holder."""
        ...


class Folder:
    """A folder of this machine, or one that several share."""

    def __init__(self, root: Path) -> None:
        self._root = root
        for folder in (ARTIFACTS, DATASETS):
            (root / folder).mkdir(parents=True, exist_ok=True, mode=0o700)

    @property
    def address(self) -> str:
        """Its path."""
        return str(self._root)

    def place(self, path: Path, name: str) -> None:
        """Rename a synced file, so that a power cut can't undo it. The path is on the same file system."""
        move(path, self._root / name)

    def open(self, name: str) -> Bytes:
        """The file, opened."""
        return (self._root / name).open("rb")

    def require(self) -> None:
        """A folder that was just made can be used."""

    def remove(self, names: Iterable[str]) -> None:
        """Unlink them."""
        for name in names:
            (self._root / name).unlink(missing_ok=True)

    def older(self, folder: str, before: float) -> list[str]:
        """By the time of their last change."""
        return older_in(self._root / folder, before)

    def local(self, name: str) -> Path | None:
        """Always a path."""
        return self._root / name


class FolderGuard:
    """A lock of the kernel's on a file: it goes with a process that is killed, and counts for all that share it."""

    def __init__(self, root: Path) -> None:
        self._path = root / "files.lock"
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[None]:
        """Together with other holders."""
        with self._lock() as lock:
            await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_SH)
            yield

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[bool]:
        """A backup may hold files for an hour, and the sweep comes anyway: hence no waiting, also for another process's
        deletion."""
        async with self._turn:
            with self._lock() as lock:
                yield _exclusive(lock)

    @contextmanager
    def _lock(self) -> Iterator[int]:
        lock = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            yield lock
        finally:
            os.close(lock)


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


def older_in(folder: Path, before: float) -> list[str]:
    """The names in a folder that were last written before a time in seconds."""
    with os.scandir(folder) as found:
        return [one.name for one in found if _written(one) < before]


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
