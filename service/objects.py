"""An object store that speaks S3 as the place of whole files, so that servers on many machines share them.

Address and credentials of the service are what every S3 client takes from its environment: AWS_ENDPOINT_URL,
AWS_ACCESS_KEY_ID, AWS_SHARED_CREDENTIALS_FILE, a machine's role. An object is there as a whole or not at all; what is
read and written goes through memory piece by piece.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from service.storage import Bytes
from trialbook.errors import Unavailable

PIECE = 8 << 20  # bytes that a request reads or writes; an upload has two under way
ATTEMPTS, CONNECT_SECONDS, READ_SECONDS = 3, 5, 30
DIGITS = "0123456789abcdef"
AWAY = "The artifact store does not answer as it should: try again in a moment."


@contextmanager
def _passing(*, may_lack: bool = False) -> Iterator[None]:
    """Whatever a store says is a fault of it that may pass, but that there is no object where one `may_lack`."""
    try:
        yield
    except Exception as error:  # s3fs and botocore have no root of their own
        if may_lack and isinstance(error, FileNotFoundError):
            raise
        raise Unavailable(AWAY) from error


class Objects:
    """A bucket, or what begins with a prefix in it: `s3://bucket/prefix`. Needs the extra `s3`."""

    def __init__(self, address: str) -> None:
        import s3fs

        self.address = address
        self._root = address.removeprefix("s3://").rstrip("/")
        times = {"connect_timeout": CONNECT_SECONDS, "read_timeout": READ_SECONDS}
        self._files = s3fs.S3FileSystem(
            config_kwargs={**times, "retries": {"max_attempts": ATTEMPTS}},
            default_block_size=PIECE,
            default_fill_cache=False,
            use_listings_cache=False,
            skip_instance_cache=True,
        )

    @_passing()
    def place(self, path: Path, name: str) -> None:
        """Upload a local file and remove it here; of a large one the parts become an object at the end."""
        self._files.put_file(str(path), self._path(name), chunksize=PIECE, max_concurrency=2)
        path.unlink(missing_ok=True)

    @_passing(may_lack=True)
    def open(self, name: str) -> Bytes:
        """An object, read by ranges."""
        return _Passing(self._files.open(self._path(name), "rb"))

    @_passing()
    def remove(self, names: Iterable[str]) -> None:
        """A thousand by a request."""
        if paths := [self._path(name) for name in names]:
            self._files.rm(paths)

    @_passing()
    def older(self, folder: str, before: float) -> list[str]:
        """By the store's clock. Listed by first digits, so that of a million objects not all are described at once."""
        found: list[str] = []
        for digit in DIGITS:
            listed = self._files.find(self._path(folder), prefix=digit, detail=True)
            found += [path.rpartition("/")[2] for path, one in listed.items() if _written(one) < before]
        return found

    def local(self, name: str) -> Path | None:
        """Never a path."""
        return None

    @_passing(may_lack=True)
    def require(self) -> None:
        """Raises FileNotFoundError where there is no such bucket, Unavailable where it can't be listed."""
        self._files.call_s3("list_objects_v2", Bucket=self._root.partition("/")[0], MaxKeys=1)

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"


class _Passing:
    """An object's reader, whose faults may pass too."""

    def __init__(self, file: Any) -> None:  # Any: fsspec's files have no types
        self._file = file

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes."""
        with _passing():
            return bytes(self._file.read(size))

    def readinto(self, buffer: bytearray, /) -> int:
        """The next bytes, into a buffer."""
        piece = self.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def readable(self) -> bool:
        """Always."""
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Asks the store for nothing."""
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        """Asks the store for nothing either."""
        return int(self._file.tell())

    def seekable(self) -> bool:
        """Always."""
        return True

    def close(self) -> None:
        """Forget what was read ahead."""
        self._file.close()


def _written(described: dict[str, Any]) -> float:  # Any: what S3 says of an object
    return float(described["LastModified"].timestamp())
