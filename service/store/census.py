"""What the database holds at large, cheaply: nothing here costs more where more trials are stored."""

from dataclasses import dataclass

from sqlalchemy import text

from service.store.database import Database

MOST = 100_000  # waiting trials are counted up to so many
SCHEMA = text("select version_num from alembic_version")
TRIALS = text("""
    select (select count(*) from trials t where t.state = 'running') as running, (
        select count(*) from (
            select from studies s join trials t on t.study_id = s.id and t.state = 'waiting'
            where s.state in ('running', 'paused') limit :most
        ) found
    ) as waiting
""")
STUDIES = text("select state, count(*) as n from studies group by state")


@dataclass(frozen=True)
class Census:
    """How many there are, by state; of trials only those that are not over."""

    trials: dict[str, int]
    studies: dict[str, int]


async def schema_version(db: Database) -> str | None:
    """The version that the database's tables are of."""
    rows = await db.run(SCHEMA)
    return rows[0]["version_num"] if rows else None


async def take_census(db: Database) -> Census:
    """Count."""
    trials = (await db.run(TRIALS, {"most": MOST}))[0]
    studies = {row["state"]: row["n"] for row in await db.run(STUDIES)}
    return Census(dict(trials), {**dict.fromkeys(("running", "paused", "completed", "cancelled"), 0), **studies})
