"""What happened in a study, the newest first. Events are kept for some days only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from service.store import cursors
from service.store.database import Database

SCANNED = 5000  # events that one page looks through: reports outnumber all others
LAST = 2**62
# Read below the oldest transaction that still runs, as streams are. The last event that was looked at comes along
# whatever it is, so that the next page can begin there. Of a trial's event: who held the trial then.
PAST = text("""
    with recent as (
        select found.*, row_number() over (order by xid desc, id desc) as place from (
            select xid, id, kind, number, state, note, first_step, last_step, at from events
            where study_id >= :study_id and (study_id, xid, id) < (:study_id, cast(cast(:xid as text) as xid8), :id)
                and (study_id, xid) < (:study_id, pg_snapshot_xmin(pg_current_snapshot()))
            order by study_id desc, xid desc, id desc limit :scanned
        ) found
    ), chosen as materialized (
        select * from (
            select *, kind = any(cast(:kinds as text[]))
                and (cast(:number as int) is null or number is not distinct from cast(:number as int)) as is_meant
            from recent
        ) judged
        where is_meant or place = :scanned order by place limit :limit
    )
    select c.kind, c.number, c.state, c.note, c.first_step, c.last_step, c.at, c.is_meant, c.place,
        cast(cast(c.xid as text) as bigint) as xid, c.id, t.value, t.reason,
        right(t.error, 300) as error, a.worker, a.attempt, a.outcome
    from chosen c left join trials t on t.study_id = :study_id and t.number = c.number
        left join lateral (
            select worker, attempt, outcome from attempts a where a.trial_id = t.id and a.started_at <= c.at
            order by attempt desc limit 1
        ) a on true
    order by c.place
""")


@dataclass(frozen=True)
class Past:
    """An event, and what is known of its trial: value, reason and error as of now, worker and attempt as of then."""

    xid: int
    id: int
    kind: str
    number: int | None
    state: str | None
    note: str | None
    first_step: int | None
    last_step: int | None
    at: datetime
    value: float | None
    reason: str | None
    error: str | None  # its end, which says what happened
    worker: str | None
    attempt: int | None
    outcome: str | None


async def list_past(
    db: Database, study_id: int, *, kinds: Sequence[str], number: int | None, cursor: str | None, limit: int
) -> tuple[list[Past], str | None]:
    """A page of events of these kinds, and if so asked of one trial; it may be short, though others follow."""
    xid, row = cursors.decode(cursor, (cursors.is_id, cursors.is_id)) if cursor else (LAST, LAST)
    asked = {"study_id": study_id, "xid": str(xid), "id": row, "kinds": list(kinds), "number": number}
    rows = await db.run(PAST, {**asked, "scanned": SCANNED, "limit": limit + 1})
    told = rows[:limit]
    goes_on = len(rows) > limit or any(one["place"] == SCANNED for one in told)
    following = cursors.encode([told[-1]["xid"], told[-1]["id"]]) if goes_on else None
    found = [Past(**{name: one[name] for name in Past.__dataclass_fields__}) for one in told if one["is_meant"]]
    return found, following
