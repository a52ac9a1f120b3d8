"""The users' data sets: what is known of each; the bytes lie under their SHA-256."""

from typing import Any

from sqlalchemy import text

from service.store.database import Database, Transaction
from trialbook.wire import Dataset

COLUMNS = "name, owner, sha256, size, media_type, task, target, rows, columns, classes, created_at, form, shape"
PUT = text(f"""
    insert into datasets (name, owner, sha256, size, media_type, task, target, rows, columns, classes,
        form, shape)
    values (:name, :owner, :sha256, :size, :media_type, :task, :target, :rows, :columns, :classes, :form, :shape)
    on conflict (name) do update set sha256 = excluded.sha256, size = excluded.size, task = excluded.task,
        media_type = excluded.media_type, target = excluded.target, rows = excluded.rows, columns = excluded.columns,
        classes = excluded.classes, form = excluded.form, shape = excluded.shape, created_at = clock_timestamp()
        where datasets.owner = excluded.owner or :anyone
    returning {COLUMNS}
""")  # noqa: S608  # column names of our own
LIST = text(f"select {COLUMNS} from datasets order by name")  # noqa: S608  # column names of our own
ONE = text(f"select {COLUMNS} from datasets where name = :name")  # noqa: S608  # column names of our own
DELETE = text("delete from datasets where name = :name and (owner = :owner or :anyone) returning sha256")
NEEDED = text("""
    select exists (select from datasets where sha256 = :sha256)
        or exists (select from studies where data ->> 'sha256' = :sha256) as needed
""")


async def put_dataset(db: Transaction, row: dict[str, Any], *, anyone: bool) -> Dataset | None:
    """Store or replace a set; None where the name is somebody else's."""
    rows = await db.run(PUT, {**row, "anyone": anyone})
    return _dataset(rows[0]) if rows else None


async def list_datasets(db: Database) -> list[Dataset]:
    """All uploaded sets by name."""
    return [_dataset(row) for row in await db.run(LIST)]


async def find_dataset(db: Database, name: str) -> Dataset | None:
    """One uploaded set."""
    rows = await db.run(ONE, {"name": name})
    return _dataset(rows[0]) if rows else None


async def delete_dataset(db: Database, name: str, owner: str, *, anyone: bool) -> str | None:
    """Delete a set; its SHA-256, or None where there is none of this owner's."""
    rows = await db.run(DELETE, {"name": name, "owner": owner, "anyone": anyone})
    return str(rows[0]["sha256"]) if rows else None


async def is_needed(db: Database, sha256: str) -> bool:
    """Whether a set or a study still refers to these bytes."""
    return bool((await db.run(NEEDED, {"sha256": sha256}))[0]["needed"])


def _dataset(row: Any) -> Dataset:  # Any: a row by column name
    return Dataset(**row, builtin=False)
