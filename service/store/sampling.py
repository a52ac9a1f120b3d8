"""Trials as figures need them: what was tried and what came of it, of a large study those that tell most."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from service.store.database import Database
from service.store.rows import parsed


@dataclass(frozen=True)
class Tried:
    """What was tried, and the finite value that came of it."""

    number: int
    state: str
    value: float
    params: dict[str, Any]  # Any: scalars


# The hash makes a sample that looks random, and stays the same while trials come.
SAMPLE = text("""
    with valued as materialized (
        select number, state, score from trials
        where study_id = :study_id and score < 'infinity' and (state = 'complete' or not :complete)
    ), best as (
        select number from valued where state = 'complete' order by score, number limit :best
    ), other as (
        select number from valued where number not in (select number from best)
        order by hashint4(number), number limit :most - (select count(*) from best)
    )
    select number, state, value, params, (select count(*) from valued) as total from trials
    where study_id = :study_id and number in (select number from best union all select number from other)
    order by number
""")
VALUES = text("""
    select state, value from trials where study_id = :study_id and score < 'infinity' order by score, number
""")


async def sample(db: Database, study_id: int, *, best: int, most: int, complete: bool) -> tuple[list[Tried], int]:
    """At most `most` trials with a finite value, by number, and how many there are: so many of the best complete ones,
    and others at random; of complete ones alone if asked."""
    asked = {"study_id": study_id, "best": best, "most": most, "complete": complete}
    rows = await db.run(SAMPLE, asked)
    found = [Tried(row["number"], row["state"], row["value"], parsed(row["params"])) for row in rows]
    return found, rows[0]["total"] if rows else 0


async def values_by_state(db: Database, study_id: int) -> dict[str, list[float]]:
    """All finite values by the trials' state, the best first."""
    found: dict[str, list[float]] = {}
    for row in await db.run(VALUES, {"study_id": study_id}):
        found.setdefault(row["state"], []).append(row["value"])
    return found
