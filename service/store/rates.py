"""How often of late, by key: counted within a window that begins with the first, by all servers together."""

from sqlalchemy import text

from service.store.database import Database

# Of one key's many requests at once each waits for the one before, so exactly `most` are let through. Rows whose window
# is long over go with the next count; whoever else is at them is not waited for, so no two can block each other.
COUNT = text("""
    with over as (
        delete from rates where key in (
            select key from rates where key <> :key and since < clock_timestamp() - interval '1 hour'
            limit 100 for update skip locked
        )
    )
    insert into rates as r (key, since, n) values (:key, clock_timestamp(), 1)
    on conflict (key) do update set
        since = case when r.since < clock_timestamp() - make_interval(secs => :window) then clock_timestamp()
            else r.since end,
        n = case when r.since < clock_timestamp() - make_interval(secs => :window) then 1 else r.n + 1 end
    where r.n < :most or r.since < clock_timestamp() - make_interval(secs => :window)
    returning n
""")
LEFT = text("""
    select extract(epoch from since - clock_timestamp())::float8 + :window as left from rates where key = :key
""")
GIVE_BACK = text("update rates set n = n - 1 where key = :key and n > 0")


async def count(db: Database, key: str, *, most: int, window: float) -> float:
    """Count one more where there were fewer than `most` in `window` seconds: 0, else the seconds to wait."""
    if await db.run(COUNT, {"key": key, "most": most, "window": window}):
        return 0.0
    rows = await db.run(LEFT, {"key": key, "window": window})
    return max(0.1, rows[0]["left"]) if rows else 0.1


async def give_back(db: Database, key: str) -> None:
    """Let one count no longer."""
    await db.run(GIVE_BACK, {"key": key})
