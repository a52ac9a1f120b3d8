"""Uploaded data sets, kept in a folder by their hash: each is downloaded once, whatever uses it."""

import hashlib
import re
import tempfile
from pathlib import Path
from typing import IO, Any, Protocol

HASH = re.compile("[0-9a-f]{64}")


class DataChanged(Exception):
    """The data set is no longer what it was when the study was submitted."""


class Downloading(Protocol):
    """The call that is needed; trialbook's Client has it."""

    def get_dataset(self, name: str, to: IO[bytes] | None = None, *, sha256: str | None = None) -> bytes: ...


def fetch(client: Downloading, data: dict[str, Any], cache: Path) -> Path:  # Any: the lease's JSON
    """The file of a data set {name, sha256, …}. Raises DataChanged where the download has another hash.

    Processes may fetch the same at once: each writes a file of its own, and the name is taken in one step.
    """
    sha256 = str(data["sha256"])
    if not HASH.fullmatch(sha256):
        raise DataChanged(f"the server gave no sha256 of the data set {data['name']!r}")
    folder = cache / "data"
    path = folder / sha256
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, prefix=f"{sha256[:8]}-", delete=False) as file:
        try:
            client.get_dataset(str(data["name"]), file.file, sha256=sha256)
            file.flush()
            _check(Path(file.name), sha256, str(data["name"]))
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
    return path


def _check(path: Path, sha256: str, name: str) -> None:
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
            raise DataChanged(f"the data set {name!r} is no longer the one that the study was submitted with")
