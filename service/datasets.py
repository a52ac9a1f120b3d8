"""Data sets: the built-in ones, and the users' own tables, checked when they come in."""

import asyncio
import csv
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import polars as pl
from fastapi.responses import FileResponse

from models.catalog import DATASETS
from service.context import Context
from service.store import datasets as store
from service.store.tokens import Holder
from trialbook.errors import Conflict, FieldError, Forbidden, Invalid, NotFound
from trialbook.spec import SLUG
from trialbook.wire import Dataset

LIMIT = 2 * 1024**3  # bytes
CSV, PARQUET = "text/csv", "application/vnd.apache.parquet"
SUFFIXES = {CSV: ".csv", PARQUET: ".parquet"}
TASKS = ("classification", "regression")
MOST_CLASSES = 20  # whole numbers of more different values count as a quantity, where no task is named
NO_SET = "There is no uploaded data set of that name."


def builtin() -> list[Dataset]:
    """The sets that come with the package."""
    return [
        Dataset(
            name=one.name,
            title=one.title,
            task=one.task,
            target=None,
            rows=one.rows,
            columns=one.features,
            classes=one.classes or None,
            size=None,
            sha256=None,
            media_type=None,
            builtin=True,
            owner=None,
            created_at=None,
        )
        for one in DATASETS.values()
    ]


async def list_all(context: Context) -> list[Dataset]:
    """The users' sets and the built-in ones."""
    return [*await store.list_datasets(context.db), *builtin()]


async def put(
    context: Context,
    holder: Holder,
    name: str,
    chunks: AsyncIterator[bytes],
    kind: str,
    target: str,
    task: str | None,
) -> Dataset:
    """Check and keep a table. Raises Invalid naming the row or column at fault."""
    if not SLUG.fullmatch(name):
        raise Invalid(errors=[FieldError("/name", "must be 1 to 100 of a-z, 0-9, '.', '_', '-'")])
    if name in DATASETS:
        raise Conflict("That is the name of a built-in data set.")
    if task is not None and task not in TASKS:
        raise Invalid(errors=[FieldError("/task", f"must be one of {', '.join(TASKS)}")])
    upload = await context.files.receive(chunks, LIMIT, None)
    try:
        found = await asyncio.to_thread(inspect, upload.path, kind, target, task)
    except Invalid:
        upload.path.unlink(missing_ok=True)
        raise
    context.files.keep_dataset(upload)
    row = {
        "name": name,
        "owner": holder.owner,
        "sha256": upload.sha256,
        "size": upload.size,
        "media_type": kind,
        "target": target,
        **found,
    }
    kept = await store.put_dataset(context.db, row, anyone=holder.role == "admin")
    if kept is None:
        raise Forbidden("That data set is somebody else's.")
    return kept


def inspect(path: Path, kind: str, target: str, task: str | None) -> dict[str, Any]:
    """Task, rows, columns and classes of a table. Raises Invalid for what cannot be trained on."""
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
    return {
        "task": task,
        "rows": frame.height,
        "columns": frame.width - 1,
        "classes": classes if task == "classification" else None,
    }


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
    except (pl.exceptions.PolarsError, OSError, UnicodeDecodeError, csv.Error) as error:
        reason = "is empty" if isinstance(error, pl.exceptions.NoDataError) else "could not be read as a table"
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


def _wrong(pointer: str, message: str) -> Invalid:
    return Invalid(errors=[FieldError(pointer, message)])


async def send(context: Context, name: str, sha256: str | None) -> FileResponse:
    """The file of an uploaded set; by hash, one that a study pinned before it was replaced."""
    found = await store.find_dataset(context.db, name)
    wanted = sha256 or (found.sha256 if found else None)
    if wanted is None or not await store.is_needed(context.db, wanted) or not context.files.dataset(wanted).exists():
        raise NotFound(NO_SET)
    kind = found.media_type if found else "application/octet-stream"
    headers = {"etag": f'"{wanted}"'}
    return FileResponse(
        context.files.dataset(wanted),
        media_type=kind,
        filename=f"{name}{SUFFIXES.get(kind or '', '')}",
        headers=headers,
    )


async def delete(context: Context, holder: Holder, name: str) -> None:
    """Delete a set. Studies that pinned it keep its bytes."""
    sha256 = await store.delete_dataset(context.db, name, holder.owner, anyone=holder.role == "admin")
    if sha256 is None:
        raise NotFound(NO_SET)
    if not await store.is_needed(context.db, sha256):
        context.files.dataset(sha256).unlink(missing_ok=True)
