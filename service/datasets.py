"""Data sets: the built-in ones, and the users' own files, checked when they come in."""

from collections.abc import AsyncIterator
from typing import Any

from fastapi import Response

from models.catalog import DATASETS
from service import quotas
from service.contents import CSV, NPZ, PARQUET, TASKS, TEXT, examine
from service.context import Context
from service.storage import DATASETS as SETS
from service.store import datasets as store
from service.store import usage
from service.store.tokens import Holder
from service.stored_file import stored_file
from trialbook.errors import Conflict, FieldError, Forbidden, Invalid, NotFound
from trialbook.spec import SLUG
from trialbook.wire import Dataset

SUFFIXES = {CSV: ".csv", PARQUET: ".parquet", NPZ: ".npz", TEXT: ".txt"}
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
            form=one.form,
            shape=one.shape,
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
    target: str | None,
    task: str | None,
) -> Dataset:
    """Check and keep a file. Raises Invalid naming the row, column or array at fault."""
    if not SLUG.fullmatch(name):
        raise Invalid(errors=[FieldError("/name", "must be 1 to 100 of a-z, 0-9, '.', '_', '-'")])
    if name in DATASETS:
        raise Conflict("That is the name of a built-in data set.")
    if task is not None and task not in TASKS:
        raise Invalid(errors=[FieldError("/task", f"must be one of {', '.join(TASKS)}")])
    room = await quotas.for_dataset(context.db, context.settings, holder.owner, name)
    upload = await context.files.receive(chunks, room, None)
    try:
        found = await examine(upload.path, kind, target, task)
    except BaseException:
        upload.path.unlink(missing_ok=True)
        raise
    row = {
        "name": name,
        "owner": holder.owner,
        "sha256": upload.sha256,
        "size": upload.size,
        "media_type": kind,
        "target": target,
        **found,
    }
    async with context.files.hold():  # until the row names the file
        await context.files.keep_dataset(upload)
        kept = await _keep(context, holder, row)
    if kept is None:
        raise Forbidden("That data set is somebody else's.")
    return kept


async def _keep(context: Context, holder: Holder, row: dict[str, Any]) -> Dataset | None:  # Any: its columns
    """Store a received set, unless others took its room meanwhile; the sweep takes its bytes then."""
    async with context.db.begin() as transaction:
        await usage.alone_with_datasets(transaction, holder.owner)
        room = await quotas.for_dataset(transaction, context.settings, holder.owner, row["name"])
        room.require(row["size"])
        return await store.put_dataset(transaction, row, anyone=holder.role == "admin")


async def send(context: Context, name: str, sha256: str | None) -> Response:
    """The file of an uploaded set; by hash, one that a study pinned before it was replaced."""
    found = await store.find_dataset(context.db, name)
    wanted = sha256 or (found.sha256 if found else None)
    if wanted is None or not await store.is_needed(context.db, wanted):
        raise NotFound(NO_SET)
    kind = found.media_type if found else "application/octet-stream"
    file = f"{name}{SUFFIXES.get(kind or '', '')}"
    return await stored_file(context.files, f"{SETS}/{wanted}", file, kind, {"etag": f'"{wanted}"'})


async def delete(context: Context, holder: Holder, name: str) -> None:
    """Delete a set. Studies that pinned it keep its bytes."""
    sha256 = await store.delete_dataset(context.db, name, holder.owner, anyone=holder.role == "admin")
    if sha256 is None:
        raise NotFound(NO_SET)
    await forget(context, sha256)


async def forget(context: Context, sha256: str) -> None:
    """Delete a set's bytes if no set and no study refers to them; while somebody holds them, the sweep will."""
    async with context.files.deleting() as may:
        if may and not await store.is_needed(context.db, sha256):
            await context.files.remove(f"{SETS}/{sha256}")
