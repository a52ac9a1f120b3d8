"""Folders for what an attempt at a trial needs on disk. What a killed worker leaves the next deletes."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "trialbook-run-"


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A new folder, deleted at the end. Its lock is the kernel's and ends with this process, however that ends."""
    folder, lock = _made()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def sweep() -> int:
    """Delete such folders of this user that no process holds; returns how many."""
    return sum(_delete_abandoned(folder) for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"))


def _made() -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        with suppress(FileNotFoundError):  # a sweep came between
            lock = os.open(folder, os.O_RDONLY)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if folder.is_dir():
                return folder, lock
            os.close(lock)


def _delete_abandoned(folder: Path) -> bool:
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
    except OSError:  # another's, or gone
        return False
    try:
        if os.fstat(lock).st_uid != os.getuid():
            return False
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder)
    except OSError:  # held, or another sweep was quicker
        return False
    finally:
        os.close(lock)
    return True
