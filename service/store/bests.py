"""Where the best value of studies changed: a question of the list of studies."""

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
