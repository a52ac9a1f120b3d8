"""Where the best value of studies changed: a question of the list of studies, and of the head of each."""

from dataclasses import dataclass

from sqlalchemy import text

from service.store.database import Database

BESTS = text("""
    select name, number, value from (
        select s.name, t.number, t.value, t.score, min(t.score) over (
            partition by t.study_id order by t.number rows between unbounded preceding and 1 preceding
        ) as before
        from studies s join trials t on t.study_id = s.id
        where s.name = any(cast(:names as text[])) and t.state = 'complete' and t.score < 'infinity'
    ) as x
    where before is null or score < before order by number
""")


async def bests(db: Database, names: list[str]) -> dict[str, list[tuple[int, float]]]:
    """By study, the numbers and values of the trials that were better than all of a lower number."""
    found: dict[str, list[tuple[int, float]]] = {}
    for row in await db.run(BESTS, {"names": names}):
        found.setdefault(row["name"], []).append((row["number"], row["value"]))
    return found


IMPROVEMENTS = text("""
    select number, value, place, spared from (
        select number, value, score, state, spared_step is not null as spared, row_number() over finished as place,
            min(score) filter (where state = 'complete') over
                (finished rows between unbounded preceding and 1 preceding) as before
        from trials where study_id = :study and state in ('complete', 'pruned')
        window finished as (order by finished_at, number)
    ) as x
    where state = 'complete' and score < 'infinity' and (before is null or score < before) order by place
""")


@dataclass(frozen=True)
class Improvement:
    """A trial that was better than all that finished before it; `place` counts complete and pruned trials from 1."""

    number: int
    value: float
    place: int
    spared: bool = False  # whether it would have been stopped early, and ran on for the audit


async def improvements(db: Database, study_id: int) -> list[Improvement]:
    """Where a study's best value changed, in the order in which trials finished."""
    return [Improvement(**row) for row in await db.run(IMPROVEMENTS, {"study": study_id})]
