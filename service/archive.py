"""A backup's file: a tar of rows, artifacts and data sets, with a manifest that knows each member's SHA-256.

Nothing in it is unpacked by its name: a member is known by the form of its name or refused.
"""

import gzip
import hashlib
import io
import json
import os
import re
import secrets
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from service.storage import Bytes, Storage, sync_folder

FORMAT = 1
MANIFEST, SEAL = "manifest.json", "manifest.sha256"
MEMBER = re.compile(r"tables/[a-z_]{1,50}/[0-9]{8}\.gz|artifacts/[0-9a-f]{32}|datasets/[0-9a-f]{64}")
PIECE = 1 << 20
Tell = Callable[[int], None]  # so many bytes more are done


class Damaged(Exception):
    """The file is not what was written: a part is missing or has changed."""


@dataclass(frozen=True)
class Member:
    """One file of the archive."""

    size: int
    sha256: str


@dataclass
class Manifest:
    """What a backup holds, and of what."""

    version: str  # Trialbook's
    revision: str  # the schema's
    database: str  # PostgreSQL's version
    made_at: str
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)  # Any: columns, rows, parts
    sequences: dict[str, int] = field(default_factory=dict)
    members: dict[str, Member] = field(default_factory=dict)
    lacking: dict[str, str] = field(default_factory=dict)  # files that were missing or damaged then, and whose
    format: int = FORMAT


class Writer:
    """An archive that is being written."""

    def __init__(self, file: IO[bytes], manifest: Manifest) -> None:
        self.manifest = manifest
        self._tar = tarfile.TarFile(fileobj=file, mode="w", format=tarfile.PAX_FORMAT)

    def add(self, name: str, content: bytes) -> None:
        """Add a member from memory."""
        self.manifest.members[name] = Member(len(content), hashlib.sha256(content).hexdigest())
        self._tar.addfile(_described(name, len(content)), io.BytesIO(content))

    def add_file(self, name: str, storage: Storage, tell: Tell) -> str | None:
        """Add a file that does not change any more; its SHA-256, or None where there is none to be read."""
        try:
            source = storage.open(name)
        except OSError:
            return None
        with source:
            size = source.seek(0, os.SEEK_END)
            source.seek(0)
            hashed = _Hashed(source, tell)
            self._tar.addfile(_described(name, size), hashed)
        self.manifest.members[name] = Member(size, hashed.hexdigest())
        return hashed.hexdigest()

    def seal(self) -> None:
        """Add the manifest, and what tells that it is whole."""
        text = json.dumps(asdict(self.manifest)).encode()
        self._tar.addfile(_described(MANIFEST, len(text)), io.BytesIO(text))
        seal = hashlib.sha256(text).hexdigest().encode()
        self._tar.addfile(_described(SEAL, len(seal)), io.BytesIO(seal))
        self._tar.close()


class Parts:
    """Rows on their way into an archive, some mebibytes at a time, so that no table need fit into memory."""

    LARGEST = 8 << 20

    def __init__(self, writer: Writer, table: str) -> None:
        self._writer, self._table = writer, table
        self._buffer = bytearray()
        self.count = 0

    async def write(self, piece: bytes) -> None:
        """Take a piece of the table's text."""
        self._buffer += piece
        if len(self._buffer) >= self.LARGEST:
            self.end()

    def end(self) -> None:
        """Write what has come together."""
        if self._buffer:
            name = f"tables/{self._table}/{self.count:08}.gz"
            self._writer.add(name, gzip.compress(bytes(self._buffer), compresslevel=1, mtime=0))
            self.count += 1
            self._buffer.clear()


class Reader:
    """An archive that was verified: every member is there, and is what was written."""

    def __init__(self, tar: tarfile.TarFile, manifest: Manifest) -> None:
        self._tar, self.manifest = tar, manifest

    def rows(self, table: str) -> Iterator[bytes]:
        """A table's text, in pieces."""
        for part in range(self.manifest.tables[table]["parts"]):
            yield gzip.decompress(self._read(f"tables/{table}/{part:08}.gz").read())

    def files(self, folder: str) -> Iterator[tuple[str, Iterator[bytes]]]:
        """The names in a folder (artifacts, datasets), each with its content in pieces."""
        for name in self.manifest.members:
            if name.startswith(f"{folder}/"):
                yield name.rpartition("/")[2], _pieces(self._read(name))

    def _read(self, name: str) -> IO[bytes]:
        file = self._tar.extractfile(name)
        if file is None:
            raise Damaged(f"{name} is missing.")
        return file


@contextmanager
def opened(path: Path, tell: Tell) -> Iterator[Reader]:
    """Open an archive and verify all of it. Raises Damaged, naming the part at fault, or OSError."""
    try:
        with tarfile.open(path, "r:") as tar:
            yield Reader(tar, _verified(tar, tell))
    except tarfile.TarError as error:
        raise Damaged(f"{path.name} is no backup, or cut off: {error}") from error


@contextmanager
def written_aside(path: Path, *, force: bool) -> Iterator[IO[bytes]]:
    """A file that appears under its name when it is whole and on the disk, readable to this account only; on an error
    nothing is left. Raises FileExistsError, unless `force`, for one that is there."""
    if path.exists() and not force:
        raise FileExistsError(f"{path} is there already: choose another name, or use --force to replace it.")
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with os.fdopen(os.open(aside, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if force:
            aside.replace(path)
        else:
            os.link(aside, path)  # unlike a rename, it never replaces what has come meanwhile
        sync_folder(path.parent)
    finally:
        aside.unlink(missing_ok=True)


def _verified(tar: tarfile.TarFile, tell: Tell) -> Manifest:
    found: dict[str, Member] = {}
    texts: dict[str, bytes] = {}
    for info in tar:
        name = info.name
        file = tar.extractfile(info) if info.isreg() else None
        if file is None or name in found or not (MEMBER.fullmatch(name) or name in (MANIFEST, SEAL)):
            raise Damaged(f"{name[:100]!a} is no part of a backup.")
        if name in (MANIFEST, SEAL):
            texts[name] = file.read()
        found[name] = _hashed(file, tell)
    manifest = _manifest(texts)
    for name, member in manifest.members.items():
        if name not in found:
            raise Damaged(f"{name} is missing.")
        if found[name] != member:
            raise Damaged(f"{name} is damaged: its SHA-256 is not the manifest's.")
    if unknown := set(found) - {MANIFEST, SEAL, *manifest.members}:
        raise Damaged(f"{min(unknown)} is not in the manifest.")
    return manifest


def _manifest(texts: dict[str, bytes]) -> Manifest:
    for name in (MANIFEST, SEAL):
        if name not in texts:
            raise Damaged(f"{name} is missing: the backup is cut off, or none.")
    if hashlib.sha256(texts[MANIFEST]).hexdigest().encode() != texts[SEAL]:
        raise Damaged(f"{MANIFEST} is damaged.")
    values = json.loads(texts[MANIFEST])
    if values.get("format") != FORMAT:
        raise Damaged("The backup's format is newer than this version of Trialbook.")
    values["members"] = {name: Member(**member) for name, member in values["members"].items()}
    return Manifest(**values)


def _hashed(file: IO[bytes], tell: Tell) -> Member:
    size, digest = 0, hashlib.sha256()
    for piece in _pieces(file):
        size += len(piece)
        digest.update(piece)
        tell(len(piece))
    return Member(size, digest.hexdigest())


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(PIECE):
        yield piece


def _described(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info


class _Hashed:
    """A file that is hashed as it is read."""

    def __init__(self, file: Bytes, tell: Tell) -> None:
        self._file, self._tell = file, tell
        self._digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        piece = self._file.read(size)
        self._digest.update(piece)
        self._tell(len(piece))
        return piece

    def hexdigest(self) -> str:
        """Of what was read so far."""
        return self._digest.hexdigest()
