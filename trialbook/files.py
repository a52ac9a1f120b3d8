"""Files on this side of the wire: what is sent is hashed, and a trained model is brought home whole or not at all."""

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from io import FileIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, Protocol

from trialbook.errors import NotFound, Removed, TrialbookError
from trialbook.wire import Artifact

MODEL = ("model.safetensors", "model.json")  # the parameters, and what else is needed to predict
MEDIA_TYPES = {
    ".csv": "text/csv",
    ".parquet": "application/vnd.apache.parquet",
    ".npz": "application/x-npz",
    ".txt": "text/plain",
}
Progress = Callable[[int, int], None]  # so many bytes are here, of so many


class Serving(Protocol):
    """The calls that a download needs; Client has them."""

    def list_artifacts(self, study: str, number: int) -> list[Artifact]: ...
    def get_artifact(self, study: str, number: int, name: str, to: IO[bytes] | None = None) -> bytes: ...


def sha256_of(content: bytes | Path) -> str:
    """The hash of bytes, or of a file's, in hexadecimal digits."""
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def media_type_of(content: bytes | Path) -> str:
    """A data set's media type by its path's suffix; CSV where that says nothing."""
    return MEDIA_TYPES.get(content.suffix.lower() if isinstance(content, Path) else "", "text/csv")


def download_model(client: Serving, study: str, number: int, folder: Path, progress: Progress) -> None:
    """Bring a trial's model into a folder, whole or not at all, in place of one that is there.

    Raises FileExistsError for a folder that holds other things alone, NotFound where the trial keeps no model,
    Removed where it has kept one.
    """
    _require_place(folder)
    files = [one for one in client.list_artifacts(study, number) if one.name in MODEL]
    if any(one.removed_at is not None for one in files):
        raise Removed
    if len(files) < len(MODEL):
        raise NotFound(
            f"Trial {number} of {study} keeps no model; complete and pruned trials of the book's trainers do."
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=".trialbook-") as aside:
        _fetch(client, study, number, files, Path(aside), progress)
        folder.mkdir(exist_ok=True)
        for name in MODEL:
            (Path(aside) / name).replace(folder / name)


def _require_place(folder: Path) -> None:
    there = {path.name for path in folder.iterdir()} if folder.exists() else set()
    if there and there.isdisjoint(MODEL):
        raise FileExistsError(f"{folder} holds other things than a model: name a folder that is empty or not there.")


def _fetch(
    client: Serving, study: str, number: int, files: Sequence[Artifact], aside: Path, progress: Progress
) -> None:
    total, before = sum(one.size for one in files), 0
    for one in files:
        path = aside / one.name
        with Watched(path, partial(_tell, progress, before, total)) as file:
            client.get_artifact(study, number, one.name, file)
        if sha256_of(path) != one.sha256:
            raise TrialbookError(f"{one.name} was not received as it was stored; try again.")
        before += one.size


def _tell(progress: Progress, before: int, total: int, size: int) -> None:
    progress(before + size, total)


class Watched(FileIO):
    """A file that tells its size as it is written."""

    def __init__(self, path: Path, tell: Callable[[int], None]) -> None:
        super().__init__(path, "wb")
        self._told = tell

    def write(self, piece: Any) -> int:  # Any: bytes, in typeshed's words a ReadableBuffer
        written = super().write(piece)
        self._told(self.tell())
        return written
