"""Events: what changed, in an order that can be resumed.

Transactions commit out of id order, so events are read by (transaction id, id) and only below the oldest transaction
that still runs: nothing can appear behind a cursor later.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from service.store.database import Database
from service.store.rows import TRIAL_COLUMNS, trial_of
from trialbook.values import spell
from trialbook.wire import Trial


@dataclass(frozen=True, order=True)
class Cursor:
    """Where a stream stands."""

    xid: int
    id: int

    def __str__(self) -> str:
        return f"{self.xid}-{self.id}"


@dataclass(frozen=True)
class Event:
    """One change."""

    cursor: Cursor
    kind: str
    number: int | None
    data: dict[str, Any]  # Any: JSON


# A study's events as a range of its own index. Asked by `study_id = …`, the planner may take the primary key and
# walk through all other studies' events, again at each look.
SINCE = text("""
    select cast(cast(xid as text) as bigint) as xid, id, kind, number, state, note, first_step, last_step, at
    from events
    where (study_id, xid, id) > (:study_id, cast(cast(:xid as text) as xid8), :id)
        and (study_id, xid) < (:study_id, pg_snapshot_xmin(pg_current_snapshot()))
    order by events.study_id, events.xid, events.id limit 500
""")
LATEST = text("""
    select coalesce(max(cast(cast(xid as text) as bigint)), 0) as xid from (
        select xid from events
        where study_id >= :study_id and (study_id, xid) < (:study_id, pg_snapshot_xmin(pg_current_snapshot()))
        order by study_id desc, xid desc limit 1
    ) newest
""")
OLDEST = text("select cast(cast(xid as text) as bigint) as xid from events order by events.xid, events.id limit 1")


async def events_since(db: Database, study_id: int, cursor: Cursor) -> list[Event]:
    """The next events of a study after this cursor."""
    rows = await db.run(SINCE, {"study_id": study_id, "xid": str(cursor.xid), "id": cursor.id})
    return [_event(row) for row in rows]


async def latest(db: Database, study_id: int) -> Cursor:
    """Just after the newest event of a study that can be read."""
    return Cursor((await db.run(LATEST, {"study_id": study_id}))[0]["xid"], 2**62)


async def is_forgotten(db: Database, cursor: Cursor) -> bool:
    """Whether events after this cursor may have been deleted for their age."""
    rows = await db.run(OLDEST)
    return not rows or cursor.xid < rows[0]["xid"]


TRIALS = text(f"""
    select {TRIAL_COLUMNS} from trials t join studies s on s.id = t.study_id
    where t.study_id = :study_id and t.number = any(cast(:numbers as int[]))
""")  # noqa: S608  # column names of our own
STEPS = text("""
    select t.number, r.step, m.names, r.vals
    from unnest(cast(:numbers as int[]), cast(:firsts as int[]), cast(:lasts as int[])) as e (number, first, last)
        join trials t on t.study_id = :study_id and t.number = e.number
        join reports r on r.trial_id = t.id and r.step between e.first and e.last
        join metric_sets m on m.id = r.metric_set
""")
Steps = dict[int, dict[int, dict[str, float | str]]]  # trial's number → step → metrics, as they are spelled in JSON


async def trials(db: Database, study_id: int, numbers: Sequence[int]) -> dict[int, Trial]:
    """These trials as they are now, by number."""
    rows = await db.run(TRIALS, {"study_id": study_id, "numbers": list(numbers)})
    return {row["number"]: trial_of(row) for row in rows}


async def steps(db: Database, study_id: int, reported: Sequence[Event]) -> Steps:
    """What was reported, as it is stored now."""
    asked = {
        "study_id": study_id,
        "numbers": [one.number for one in reported],
        "firsts": [one.data["first_step"] for one in reported],
        "lasts": [one.data["last_step"] for one in reported],
    }
    found: Steps = {}
    for row in await db.run(STEPS, asked):
        metrics = {name: spell(value) for name, value in zip(row["names"], row["vals"], strict=True)}
        found.setdefault(row["number"], {})[row["step"]] = metrics
    return found


def _event(row: Any) -> Event:  # Any: a row by column name
    fields = ("number", "state", "note", "first_step", "last_step")
    data = {name: row[name] for name in fields if row[name] is not None} | {"at": row["at"].isoformat()}
    return Event(Cursor(row["xid"], row["id"]), row["kind"], row["number"], data)
