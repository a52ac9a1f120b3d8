"""Curves of many trials at once."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text

from service.store.database import Database


@dataclass(frozen=True)
class Curve:
    """A trial's steps with what was measured at each."""

    number: int
    state: str
    value: float | None
    steps: list[tuple[int, dict[str, float]]]


NAMES = text("""
    select distinct name from study_metrics u join metric_sets m on m.id = u.metric_set, unnest(m.names) as name
    where u.study_id = :study_id order by name
""")
SHOWN = text("""
    with best as (
        select number from trials where study_id = :study_id and state = 'complete' and last_step is not null
        order by score, number limit :half
    ), latest as (
        select number from trials
        where study_id = :study_id and last_step is not null and number not in (select number from best)
        order by number desc limit :limit - (select count(*) from best)
    )
    select number from best union all select number from latest order by number
""")
READ = text("""
    select t.number, t.state, t.value, r.step, m.names, r.vals
    from trials t join reports r on r.trial_id = t.id join metric_sets m on m.id = r.metric_set
    where t.study_id = :study_id and t.number = any(cast(:numbers as int[])) order by t.number, r.step
""")


async def metric_names(db: Database, study_id: int) -> list[str]:
    """The names of all metrics that trials of this study reported."""
    return [row["name"] for row in await db.run(NAMES, {"study_id": study_id})]


async def shown_numbers(db: Database, study_id: int, limit: int) -> list[int]:
    """The trials to show where not all can be: the best ones, up to half of the limit, and the latest of the others."""
    rows = await db.run(SHOWN, {"study_id": study_id, "half": limit // 2, "limit": limit})
    return [row["number"] for row in rows]


async def read_curves(db: Database, study_id: int, numbers: Sequence[int]) -> list[Curve]:
    """The curves of these trials, by number; trials without a report are left out."""
    found: dict[int, Curve] = {}
    for row in await db.run(READ, {"study_id": study_id, "numbers": list(numbers)}):
        curve = found.setdefault(row["number"], Curve(row["number"], row["state"], row["value"], []))
        curve.steps.append((row["step"], dict(zip(row["names"], row["vals"], strict=True))))
    return list(found.values())
