"""Attempts over many trials: who tried which one, from when to when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from service.store.database import Database

# The last trials up to a number, and those before them that still run.
BARS = text("""
    with meant as (
        (select id, number, value from trials t where t.study_id = :study_id and t.number <= :last
            order by number desc limit :most)
        union
        (select id, number, value from trials t
            where t.study_id = :study_id and t.state = 'running' and t.number <= :last
            order by number desc limit :most)
    )
    select m.number, m.value, a.attempt, a.worker, coalesce(a.outcome, 'running') as state, a.started_at, a.ended_at
    from meant m join attempts a on a.trial_id = m.id
    order by a.started_at, m.number, a.attempt
""")
NOW = text("select clock_timestamp() as now")


@dataclass(frozen=True)
class Bar:
    """One attempt: `state` is its outcome, `running` until it has one; `value` is the trial's."""

    number: int
    attempt: int
    worker: str
    state: str
    started_at: datetime
    ended_at: datetime | None
    value: float | None


async def bars(db: Database, study_id: int, *, last: int, most: int) -> Sequence[Bar]:
    """The attempts at the latest `most` trials up to the number `last`, and at those that run, by their starts."""
    rows = await db.run(BARS, {"study_id": study_id, "last": last, "most": most})
    return [Bar(**row) for row in rows]


async def now(db: Database) -> datetime:
    """The time by the database's clock, which attempts are told by."""
    found: datetime = (await db.run(NOW))[0]["now"]
    return found
