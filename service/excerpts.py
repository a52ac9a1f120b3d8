"""What stands first in an uploaded file that was found to be sound: no more of it is read than that takes."""

import csv
import io
import math
import re
import zipfile
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import polars as pl

from service.contents import CSV, NPZ, READER_ERRORS, array_head
from service.storage import Bytes, Storage
from trialbook.errors import TrialbookError

HEAD = 1 << 20  # bytes of a table or text that are read
UNPACKED = 32 << 20  # bytes of an array that are unpacked
NUMBER = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d+)?([eE][-+]?\d{1,3})?")  # as JSON and a page's script can hold it
UNREADABLE = "The file could not be read."
LARGE = f"One example is larger than the {UNPACKED >> 20} MiB that are read of a file."
LONG = f"One row is longer than the {HEAD >> 20} MiB that are read of a file."


@dataclass(frozen=True)
class Excerpt:
    """`x`: rows of cells, an array of numbers, or texts; `y`: as many targets. `note`: why there are none."""

    x: Any  # Any: by form
    y: list[Any]  # Any: by task
    columns: tuple[str, ...] = ()
    lengths: list[int] | None = None
    note: str = ""


def nothing(note: str) -> Excerpt:
    """No example, and why."""
    return Excerpt([], [], note=note)


def read(storage: Storage, name: str, kind: str, target: str | None, rows: int) -> Excerpt:
    """The first rows of a file that is no Parquet. Raises FileNotFoundError, and Unavailable where its storage is."""
    with storage.open(name) as file:
        try:
            if kind == NPZ:
                return of_arrays(file, rows)
            head = file.read(HEAD)
            text = head.decode("utf-8-sig", errors="ignore")  # its last character may be cut
            whole = len(head) < HEAD
            return of_csv(text, target or "", rows, whole=whole) if kind == CSV else of_text(text, rows)
        except TrialbookError:  # the storage is away, which passes
            raise
        except READER_ERRORS:
            return nothing(UNREADABLE)


def of_csv(text: str, target: str, rows: int, *, whole: bool) -> Excerpt:
    """The rows of a table's beginning; of one that is cut, the last row is left out."""
    reader = (row for row in csv.reader(io.StringIO(text, newline="")) if row)
    header = next(reader)
    found = list(islice(reader, rows + 1))
    if not whole and len(found) <= rows:
        found = found[:-1]
    if not found:
        return nothing(LONG)
    return _table(header, [[_cell(text) for text in row] for row in found[:rows]], target)


def of_parquet(source: Path | bytes, target: str, rows: int) -> Excerpt:
    """The first rows of a Parquet file; on some damaged ones the reader ends the whole process."""
    frame = pl.read_parquet(source, n_rows=rows)
    return _table(frame.columns, [list(row) for row in frame.rows()], target)


def _table(header: list[str], found: list[list[Any]], target: str) -> Excerpt:  # Any: cells
    at = header.index(target)
    y = [row.pop(at) for row in found]
    return Excerpt(found, y, tuple(header[:at] + header[at + 1 :]))


def _cell(text: str) -> str | float | int | None:
    """A number where it is spelled as one, else the text as it stands: 007 is none."""
    if not text:
        return None
    if not (found := NUMBER.fullmatch(text)):
        return text
    return float(text) if found[2] or found[3] else int(text)


def of_arrays(file: Bytes, rows: int) -> Excerpt:
    """The first examples of arrays, as many of them as may be unpacked."""
    with zipfile.ZipFile(cast(IO[bytes], file)) as archive:
        x = _first(archive, "x", rows)
        if not len(x):
            return nothing(LARGE)
        y = _first(archive, "y", len(x))
        has_lengths = "lengths.npy" in archive.namelist()
        lengths = _first(archive, "lengths", len(x)).tolist() if has_lengths else None
    columns = tuple(f"x{i}" for i in range(x.shape[1])) if x.ndim == 2 else ()
    return Excerpt(x, y.tolist(), columns, lengths)


def _first(archive: zipfile.ZipFile, name: str, rows: int) -> Any:  # Any: an array of whatever numbers
    with archive.open(f"{name}.npy") as file:
        shape, columns_first, dtype = array_head(file)
        row = math.prod(shape[1:]) * dtype.itemsize
        if columns_first and len(shape) > 1:  # each example is spread over the whole array
            if row * shape[0] > UNPACKED:
                return np.empty((0, *shape[1:]), dtype)
            return np.frombuffer(file.read(row * shape[0]), dtype).reshape(shape, order="F")[:rows]
        taken = min(rows, shape[0], UNPACKED // row)
        return np.frombuffer(file.read(taken * row), dtype).reshape(taken, *shape[1:])


def of_text(text: str, rows: int) -> Excerpt:
    """The first lines that hold anything."""
    lines = list(islice((line.strip() for line in text.splitlines() if line.strip()), rows))
    return Excerpt(lines, [None] * len(lines))
