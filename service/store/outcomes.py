"""How a study's trials came out: all of them, or of very many those that tell most."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text

from service.store.database import Database


@dataclass(frozen=True)
class Outcome:
    """A trial's value, with the best complete one's score up to it (smaller is better)."""

    number: int
    state: str
    value: float | None
    best: float | None


@dataclass(frozen=True)
class Outcomes:
    """Some of a study's trials by number: how many there are in all, and why each part of them is among these."""

    total: int
    items: Sequence[Outcome]
    improvements: int
    improvements_shown: int


# Hashes of numbers are a sample that stays the same from one look to the next, and grows with the study.
READ = text("""
    with told as materialized (
        select number, state, value, score,
            min(score) filter (where state = 'complete' and score < 'infinity') over before as best_before,
            min(score) filter (where state = 'complete' and score < 'infinity') over upto as best
        from trials
        where study_id = :study_id and number between :first and :last
        window before as (order by number rows between unbounded preceding and 1 preceding), upto as (order by number)
    ), sizes as (
        select count(*) as total from told
    ), better as (
        select number, row_number() over (order by number desc) as place, count(*) over () as n
        from told where state = 'complete' and score < coalesce(best_before, 'infinity')
    ), chosen as (
        select number from told where (select total from sizes) <= :most
        union
        select number from better where (place - 1) % greatest(1, ceil(n / (:most * 0.5))::int) = 0
        union
        (select number from told where state = 'complete' order by score, number limit :extremes)
        union
        (select number from told where score < 'infinity' order by score desc, number limit :extremes)
        union
        (select number from told order by number desc limit :extremes)
    ), filled as (
        select number from chosen
        union
        (select number from told where number not in (select number from chosen) order by hashint4(number), number
            limit greatest(0, :most - (select count(*) from chosen)))
    )
    select number, state, value, best, (select total from sizes) as total,
        (select count(*) from better) as improvements,
        (select count(*) from better where number in (select number from chosen)) as improvements_shown
    from told where number in (select number from filled) order by number
""")


async def read_outcomes(db: Database, study_id: int, *, most: int, first: int, last: int) -> Outcomes:
    """The trials numbered `first` to `last`; of more than `most` every improvement of the best (of very many the last
    and evenly chosen others, up to half of `most`), the best, the worst and the latest, and others at random."""
    asked = {"study_id": study_id, "most": most, "first": first, "last": last, "extremes": most // 20}
    rows = await db.run(READ, asked)
    if not rows:
        return Outcomes(0, [], 0, 0)
    items = [Outcome(row["number"], row["state"], row["value"], row["best"]) for row in rows]
    return Outcomes(rows[0]["total"], items, rows[0]["improvements"], rows[0]["improvements_shown"])
