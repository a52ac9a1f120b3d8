"""What an uploaded file holds: a table (CSV, Parquet), arrays of images or sequences (NPZ), or running text.

Every file is read by its own kind's rules, never unpickled, and no more of it is unpacked than is allowed. Parquet is
read in a process of its own: on some damaged files its reader aborts the whole process.
"""

import asyncio
import csv
import json
import re
import sys
import zipfile
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path
from typing import IO, Any

import numpy as np
import polars as pl
from numpy.lib import format as npy

from trialbook.errors import FieldError, Invalid

CSV, PARQUET, NPZ, TEXT = "text/csv", "application/vnd.apache.parquet", "application/x-npz", "text/plain"
TASKS = ("classification", "regression", "labelling", "language")
MOST_CLASSES = 20  # whole numbers of more different values count as a quantity, where no task is named
UNPACKED_LIMIT = 8 * 1024**3  # bytes: an archive of a few kB can say that it holds more than any memory
FEWEST_WORDS, MOST_WORDS = 2_000, 2_000_000  # of a text, as the trainers count them
WORD = re.compile(r"[^\W\u3040-\u30ff\u3400-\u9fff]+|\S")  # a character of Chinese or Japanese is one by itself
FORMS = {2: "table", 3: "sequence", 4: "image"}  # by the dimensions of x
UNREADABLE = "could not be read as a table"
Found = dict[str, Any]  # Any: what is stored of a set, by column: task, rows, columns, classes, form, shape

READ_SECONDS = 120.0  # that reading a file in a process of its own may take
BOOT = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from service.contents import tell; tell(*sys.argv[2:])"
# What readers raise for a stranger's file has no common class: whatever it is, the file is at fault.
READER_ERRORS = (Exception, pl.exceptions.PanicException)


async def examine(path: Path, kind: str, target: str | None, task: str | None, *, boot: str = BOOT) -> Found:
    """As `inspect`, without holding up anybody."""
    if kind != PARQUET:
        return await asyncio.to_thread(inspect, path, kind, target, task)
    command = (sys.executable, "-c", boot, json.dumps(sys.path), json.dumps([str(path), kind, target, task]))
    process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL)
    try:
        async with asyncio.timeout(READ_SECONDS):
            said, _ = await process.communicate()
    except TimeoutError:
        raise _wrong("", "takes too long to be read") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    answer = json.loads(said) if process.returncode == 0 else {"pointer": "", "message": UNREADABLE}
    if "message" in answer:
        raise _wrong(**answer)
    return Found(answer)


def tell(asked: str) -> None:
    """The other side of `examine`: print as JSON what a file holds, or what is wrong with it."""
    path, kind, target, task = json.loads(asked)
    try:
        print(json.dumps(inspect(Path(path), kind, target, task)))
    except Invalid as error:
        print(json.dumps({"pointer": error.errors[0].pointer, "message": error.errors[0].message}))


def inspect(path: Path, kind: str, target: str | None, task: str | None) -> Found:
    """Task, form, rows, shape and classes of a file of that kind. Raises Invalid for what cannot be trained on."""
    if task is not None and task not in TASKS:
        raise _wrong("/task", f"must be one of {', '.join(TASKS)}")
    if kind == TEXT:
        return _inspect_text(path, task)
    if kind == NPZ:
        return _inspect_arrays(path, task)
    if target is None:
        raise _wrong("/target", "is required: the column to be learned")
    if task not in (None, "classification", "regression"):
        raise _wrong("/task", "of a table must be classification or regression")
    return _inspect_table(path, kind, target, task)


def _inspect_table(path: Path, kind: str, target: str, task: str | None) -> Found:
    frame = _read(path, kind)
    if frame.height == 0 or frame.width == 0:
        raise _wrong("", "has no rows")
    if target not in frame.columns:
        near = ", ".join(frame.columns[:20])
        raise _wrong("/target", f"names no column; the columns are {near}")
    if frame.width < 2:
        raise _wrong("/target", "is the only column: there is nothing to learn from")
    column = frame.get_column(target)
    if column.null_count() == frame.height:
        raise _wrong("/target", "has no values at all")
    for name in frame.columns:
        if frame.get_column(name).null_count() == frame.height:
            raise _wrong("", f"column {name!r} has no values at all")
    classes = column.drop_nulls().n_unique()
    task = task or _likely_task(column, classes)
    if task == "classification" and classes < 2:
        raise _wrong("/target", "has one class only")
    if task == "regression" and not column.dtype.is_numeric():
        raise _wrong("/target", "is not a column of numbers, as regression needs")
    return _found("table", task, frame.height, (frame.width - 1,), classes if task == "classification" else None)


def _likely_task(target: pl.Series, distinct: int) -> str:
    is_quantity = target.dtype.is_float() or (target.dtype.is_integer() and distinct > MOST_CLASSES)
    return "regression" if is_quantity else "classification"


def _read(path: Path, kind: str) -> pl.DataFrame:
    try:
        if kind == PARQUET:
            return pl.read_parquet(path)
        if (ragged := _ragged_row(path)) is not None:
            raise _wrong("", ragged)
        return pl.read_csv(path, infer_schema_length=None)
    except Invalid:
        raise
    except READER_ERRORS as error:
        reason = "is empty" if isinstance(error, pl.exceptions.NoDataError) else UNREADABLE
        raise _wrong("", reason) from None


def _ragged_row(path: Path) -> str | None:
    """What is wrong with a CSV's header or the first row of another length."""

    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.reader(file)
        header = next(rows, None)
        if not header:
            return "is empty"
        if len(set(header)) < len(header) or any(not name.strip() for name in header):
            return "row 1 must be a header with a different name for each column"
        if all(_is_number(name) for name in header):
            return "row 1 must be a header with the columns' names; it holds numbers"
        for row in rows:
            if row and len(row) != len(header):
                return f"row {rows.line_num} has {len(row)} fields, the header {len(header)}"
    return None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _inspect_arrays(path: Path, task: str | None) -> Found:
    shapes = _headers(path)
    for name in ("x", "y"):
        if name not in shapes:
            raise _wrong("", f"holds no array {name!r}; it holds {', '.join(shapes) or 'nothing'}")
    (x_shape, x_type), (y_shape, _) = shapes["x"], shapes["y"]
    if len(x_shape) not in FORMS or 0 in x_shape:
        raise _wrong("", f"x is {x_shape}; it must be (N, F), (N, T, F) for sequences or (N, C, H, W) for images")
    if x_type.kind not in "fiub":
        raise _wrong("", f"x holds {x_type}, which are no numbers")
    y = _read_array(path, "y")
    task = task or _task_of(y, len(x_shape))
    _check_targets(y, y_shape, x_shape, task)
    if "lengths" in shapes:
        _check_lengths(_read_array(path, "lengths"), x_shape)
    asked = y[y >= 0] if task == "labelling" else y
    classes = None if task == "regression" else len(np.unique(asked))
    if classes is not None and classes < 2:
        raise _wrong("", "y has one class only")
    return _found(FORMS[len(x_shape)], task, x_shape[0], x_shape[1:], classes)


def _headers(path: Path) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:  # Any: whatever an array holds
    """Shape and type of each array in an NPZ file, of which only the heads are read."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [one for one in archive.infolist() if one.filename.endswith(".npy")]
            if sum(one.file_size for one in members) > UNPACKED_LIMIT:
                raise _wrong("", f"unpacks to more than {UNPACKED_LIMIT / 1024**3:g} GiB")
            return {one.filename.removesuffix(".npy"): _header(archive, one) for one in members}
    except Invalid:
        raise
    except READER_ERRORS:
        raise _wrong("", "could not be read as NPZ") from None


def _header(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> tuple[tuple[int, ...], np.dtype[Any]]:
    with archive.open(member) as file:
        shape, _, dtype = array_head(file)
        if member.file_size < int(np.prod(shape, dtype=object)) * dtype.itemsize:
            raise ValueError(f"{member.filename} is shorter than its header says")
        return shape, dtype


def array_head(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:  # Any: whatever an array holds
    """Shape, whether the first index changes fastest, and type of the array whose file this is; its numbers follow."""
    version = npy.read_magic(file)
    return npy.read_array_header_1_0(file) if version == (1, 0) else npy.read_array_header_2_0(file)


def _read_array(path: Path, name: str) -> Any:  # Any: an array of whatever numbers
    try:
        with np.load(path, allow_pickle=False) as arrays:
            found = arrays[name]
    except READER_ERRORS:
        raise _wrong("", f"array {name!r} could not be read") from None
    if found.dtype.kind not in "fiub":
        raise _wrong("", f"{name} holds {found.dtype}, which are no numbers")
    return found


def _task_of(y: Any, x_dimensions: int) -> str:  # Any: an array
    if y.ndim == 2 and x_dimensions == 3:
        return "labelling"
    return "regression" if y.dtype.kind == "f" else "classification"


def _check_targets(y: Any, y_shape: tuple[int, ...], x_shape: tuple[int, ...], task: str) -> None:  # Any: an array
    if task == "language":
        raise _wrong("/task", "language is learned from running text")
    wanted = x_shape[:2] if task == "labelling" else x_shape[:1]
    if task == "labelling" and len(x_shape) != 3:
        raise _wrong("/task", "labelling needs sequences: x of (N, T, F)")
    if y_shape != wanted:
        raise _wrong("", f"y is {y_shape}, but for {task} of x {x_shape} it must be {wanted}")
    if task != "regression" and y.dtype.kind == "f" and not np.equal(np.mod(y, 1), 0).all():
        raise _wrong("", f"y holds fractions, which are no classes for {task}")
    if task == "regression" and not np.isfinite(y).all():
        raise _wrong("", "y holds values that are not finite")


def _check_lengths(lengths: Any, x_shape: tuple[int, ...]) -> None:  # Any: an array
    if len(x_shape) != 3:
        raise _wrong("", "lengths belong to sequences: x of (N, T, F)")
    if lengths.shape != x_shape[:1] or lengths.dtype.kind not in "iu":
        raise _wrong("", f"lengths must be {x_shape[:1]} whole numbers, not {lengths.shape} of {lengths.dtype}")
    if lengths.min() < 1 or lengths.max() > x_shape[1]:
        raise _wrong("", f"lengths must be from 1 to {x_shape[1]}, the steps of x")


def _inspect_text(path: Path, task: str | None) -> Found:
    if task not in (None, "language"):
        raise _wrong("/task", "of running text must be language")
    words = 0
    try:
        with path.open(encoding="utf-8-sig") as file:
            for line in file:
                if "\0" in line:
                    raise _wrong("", "holds a NUL character: it is no text")
                words += len(WORD.findall(line))
    except UnicodeDecodeError as error:
        raise _wrong("", f"is not UTF-8 text: byte {error.start} of a line cannot be read") from None
    if not FEWEST_WORDS <= words <= MOST_WORDS:
        raise _wrong("", f"has {words:,} words; it must have from {FEWEST_WORDS:,} to {MOST_WORDS:,}")
    return _found("text", "language", words, (), None)


def _found(form: str, task: str, rows: int, shape: tuple[int, ...], classes: int | None) -> Found:
    columns = shape[0] if form == "table" else None
    return {"form": form, "task": task, "rows": rows, "shape": list(shape), "columns": columns, "classes": classes}


def _wrong(pointer: str, message: str) -> Invalid:
    return Invalid(errors=[FieldError(pointer, message)])
