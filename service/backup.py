"""Backup, restore and verify: a database and its files as one archive, out of a server at work and into an empty place.

The rows are those of one instant; the files that they name never change, and none is deleted while they are copied.
"""

import asyncio
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from service.archive import Manifest, Parts, Reader, Writer, opened, written_aside
from service.files import INCOMING, Files, sha256_of
from service.storage import ARTIFACTS, DATASETS, sync_folder
from service.store import transfer
from service.store.migrating import UnknownSchema, is_known, migrate
from service.store.transfer import Kept, NotEmpty, Table
from trialbook import __version__

# Around a stage of the work, by its name and size in bytes: what is told of how many bytes more are done.
Progress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]


class Unfinished(Exception):
    """A restore into this data folder was interrupted: run it again."""


class Incomplete(Exception):
    """What was restored is not what the backup holds."""


@dataclass(frozen=True)
class Summary:
    """What a backup holds or a restore has brought, and what was wrong with files already."""

    rows: dict[str, int]
    files: int
    size: int  # bytes of files
    lacking: dict[str, str]


@dataclass(frozen=True)
class Check:
    """A live data folder: files that are missing or not what was uploaded, by whose they are; files without a row."""

    files: int
    missing: tuple[str, ...]
    damaged: tuple[str, ...]
    unnamed: int


def archive_path(target: Path, now: datetime) -> Path:
    """Where a backup goes: the target, or a file named by the time in a folder."""
    return target / f"trialbook-{now:%Y%m%dT%H%M%SZ}.tar" if target.is_dir() else target


async def back_up(url: str, files: Files, path: Path, *, force: bool, progress: Progress) -> Summary:
    """Write an archive. Raises FileExistsError, UnknownSchema, or what the database or the disk says."""
    with written_aside(path, force=force) as file:
        async with files.hold():
            async with transfer.snapshot(url) as snapshot:
                manifest = Manifest(__version__, snapshot.revision, snapshot.database, datetime.now(UTC).isoformat())
                writer = Writer(file, manifest)
                for name in transfer.TABLES:
                    parts = Parts(writer, name)
                    if (table := await snapshot.copy(name, parts.write)) is not None:
                        parts.end()
                        manifest.tables[name] = {"columns": table.columns, "rows": table.rows, "parts": parts.count}
                wanted = [(ARTIFACTS, kept) for kept in await snapshot.artifacts()]
                wanted += [(DATASETS, kept) for kept in await snapshot.datasets()]
                manifest.sequences = await snapshot.sequences()
            with progress("files", sum(kept.size for _, kept in wanted)) as tell:
                for folder, kept in wanted:
                    found = writer.add_file(f"{folder}/{kept.file}", files.storage, tell)
                    if found != kept.sha256:
                        manifest.lacking[f"{folder}/{kept.file}"] = kept.owner
        writer.seal()
    return _summary(manifest)


def restore(url: str, files: Files, path: Path, *, force: bool, progress: Progress) -> Summary:
    """Put an archive into an empty database and data folder, or with `force` in the place of what is there.

    Nothing is touched before the whole archive is verified. Interrupted, it leaves a mark by which servers refuse the
    folder and another run begins anew. Raises Damaged, UnknownSchema, NotEmpty, InUse or Incomplete.
    """
    with progress("verifying", path.stat().st_size) as tell, opened(path, tell) as archive:
        manifest = archive.manifest
        if not is_known(manifest.revision):
            raise UnknownSchema("The backup was made by a newer version of Trialbook: restore it with that one.")
        mark = _Mark(files.root, url)
        again = force or mark.is_there()
        if not again and any(_present(files).values()):
            raise NotEmpty(
                f"{files.storage.address} holds files already: restore into an empty folder, or use --force."
            )
        asyncio.run(transfer.require_free(url, even_full=again))
        mark.set()
        asyncio.run(transfer.clear(url))
        migrate(url, manifest.revision)
        with progress("files", _size(manifest)) as placed:
            _place_files(archive, files, placed)
        tables = {name: Table(tuple(one["columns"]), one["rows"]) for name, one in manifest.tables.items()}
        asyncio.run(transfer.load(url, tables, archive.rows, manifest.sequences))
        migrate(url)
        asyncio.run(transfer.adjust(url))
        _require_all(asyncio.run(_compare(url, files, manifest)))
        files.disown()  # the next server has another secret
        mark.clear()
        return _summary(manifest)


async def verify(url: str, files: Files, *, progress: Progress) -> Check:
    """Compare rows and files. Raises UnknownSchema."""
    async with files.hold():
        # Files first: one that comes meanwhile has no row yet, and is none that nobody names.
        present = _present(files)
        async with transfer.snapshot(url) as snapshot:
            named = {ARTIFACTS: await snapshot.artifacts(), DATASETS: await snapshot.datasets()}
        missing: list[str] = []
        damaged: list[str] = []
        with progress("files", sum(kept.size for all_kept in named.values() for kept in all_kept)) as tell:
            for folder, kept in ((folder, kept) for folder, all_kept in named.items() for kept in all_kept):
                if not _is_whole(files, folder, kept):
                    (missing if _is_missing(files, folder, kept) else damaged).append(kept.owner)
                tell(kept.size)
    unnamed = sum(len(present[folder] - {kept.file for kept in named[folder]}) for folder in present)
    return Check(sum(map(len, named.values())), tuple(missing), tuple(damaged), unnamed)


def require_finished(data: Path) -> None:
    """Raises Unfinished for a data folder that a restore has begun to fill."""
    if (data / _Mark.NAME).exists():
        raise Unfinished(Unfinished.__doc__)


class _Mark:
    """A file that stands in the data folder from a restore's first change to its end, and names the database."""

    NAME = "restoring.json"

    def __init__(self, data: Path, url: str) -> None:
        self._path = data / self.NAME
        self._text = json.dumps({"database": hashlib.sha256(url.encode()).hexdigest()})

    def is_there(self) -> bool:
        """Whether an interrupted restore into this very database left it."""
        return self._path.exists() and self._path.read_text() == self._text

    def set(self) -> None:
        with written_aside(self._path, force=True) as file:
            file.write(self._text.encode())

    def clear(self) -> None:
        self._path.unlink()
        sync_folder(self._path.parent)


def _place_files(archive: Reader, files: Files, tell: Callable[[int], None]) -> None:
    """Write all files into their places, and delete others that are there."""
    for folder in (ARTIFACTS, DATASETS):
        kept = set()
        for name, pieces in archive.files(folder):
            _write(files, f"{folder}/{name}", pieces, tell)
            kept.add(name)
        files.storage.remove(f"{folder}/{name}" for name in _present(files)[folder] - kept)


def _write(files: Files, name: str, pieces: Iterator[bytes], tell: Callable[[int], None]) -> None:
    aside = files.root / INCOMING / name.rpartition("/")[2]
    with aside.open("wb") as file:
        for piece in pieces:
            file.write(piece)
            tell(len(piece))
        file.flush()
        os.fsync(file.fileno())
    files.storage.place(aside, name)


def _present(files: Files) -> dict[str, set[str]]:
    """The names of all files that are there, by folder."""
    return {folder: set(files.storage.older(folder, float("inf"))) for folder in (ARTIFACTS, DATASETS)}


async def _compare(url: str, files: Files, manifest: Manifest) -> list[str]:
    """What is not as the manifest says."""
    counts = await transfer.count(url, list(manifest.tables))
    wrong = [f"{name}: {n} rows" for name, n in counts.items() if n != manifest.tables[name]["rows"]]
    async with transfer.snapshot(url) as snapshot:
        named = [(ARTIFACTS, kept) for kept in await snapshot.artifacts()]
        named += [(DATASETS, kept) for kept in await snapshot.datasets()]
    return wrong + [
        kept.owner
        for folder, kept in named
        if f"{folder}/{kept.file}" not in manifest.lacking and not _is_whole(files, folder, kept)
    ]


def _is_whole(files: Files, folder: str, kept: Kept) -> bool:
    return sha256_of(files.storage, f"{folder}/{kept.file}") == kept.sha256


def _is_missing(files: Files, folder: str, kept: Kept) -> bool:
    try:
        files.storage.open(f"{folder}/{kept.file}").close()
    except FileNotFoundError:
        return True
    except OSError:  # it is there, and can't be read
        return False
    return False


def _require_all(wrong: list[str]) -> None:
    if wrong:
        raise Incomplete(f"{Incomplete.__doc__} Not as it was: {', '.join(wrong[:20])}")


def _size(manifest: Manifest) -> int:
    return sum(one.size for name, one in manifest.members.items() if not name.startswith("tables/"))


def _summary(manifest: Manifest) -> Summary:
    files = sum(not name.startswith("tables/") for name in manifest.members)
    rows = {name: table["rows"] for name, table in manifest.tables.items()}
    return Summary(rows, files, _size(manifest), manifest.lacking)
