"""What time alone brings about: outages noticed, last attempts that expired, studies that ran out of time."""

from dataclasses import dataclass

from sqlalchemy import text

from service.store.database import Database

FIRST = text("insert into server (secret) values (:secret) on conflict do nothing")
SECRET = text("select secret from server")

# A gap in the beats was an outage of the service, so leases that were alive when it began are as good as new after it.
# Whoever locks several trials does so in the order of their rows, or passes over those that others have locked: no two
# wait for each other then.
LAST_BEAT = text("select beat_at from server for update")
EXTEND = text("""
    with alive as materialized (
        select id from trials
        where state = 'running' and lease_until > :since
            and clock_timestamp() - cast(:since as timestamptz) > make_interval(secs => :tolerated)
        order by id for no key update
    )
    update trials t set lease_until = greatest(t.lease_until, clock_timestamp() + make_interval(secs => :ttl))
    from alive where t.id = alive.id
    returning t.id
""")
BEAT = text("update server set beat_at = clock_timestamp()")
EXPIRED_FOR_GOOD = text("""
    with lost as materialized (
        select t.id, t.study_id from trials t join studies s on s.id = t.study_id
        where t.state = 'running' and t.lease_until < clock_timestamp()
            and t.failures + 1 >= (s.spec #>> '{trial,max_attempts}')::int and not t.pauses
        for no key update of t skip locked
    ), over as (
        update trials t set state = 'failed', failures = t.failures + 1, lease_until = null,
            reason = 'its worker was lost in each of ' || t.attempt || ' attempts', finished_at = clock_timestamp()
        from lost where t.id = lost.id
        returning t.id, t.study_id, t.number, t.attempt
    ), closed as (
        update attempts a set ended_at = clock_timestamp(), outcome = 'expired'
        from over where a.trial_id = over.id and a.attempt = over.attempt
    ), told as (
        insert into events (study_id, kind, number, state) select study_id, 'trial', number, 'failed' from over
    )
    select s.name as study, over.number, over.attempt from over join studies s on s.id = over.study_id
""")
OUT_OF_TIME = text("""
    select id from studies where state = 'running' and timeout is not null
        and started_at + make_interval(secs => timeout) < clock_timestamp()
""")
MADE = text("select id from studies where state in ('running', 'paused') and counted >= n_trials")
ANY_EXPIRED = text(
    "select exists (select from trials where state = 'running' and lease_until < clock_timestamp()) as it"
)
# The oldest stand first in the primary key, so a look costs the same however many events there are.
FORGET = text("""
    delete from events where (xid, id) in (
        select o.xid, o.id from (select xid, id, at from events order by xid, id limit 1000) o
        where o.at < now() - interval '7 days'
    )
""")


async def server_secret(db: Database, proposal: bytes) -> bytes:
    """The secret that leases' ids are derived from; the first process's proposal becomes it."""
    await db.run(FIRST, {"secret": proposal})
    return bytes((await db.run(SECRET))[0]["secret"])


async def beat(db: Database, *, tolerated: float, ttl: float) -> int:
    """Note that the service lives; how many leases were made to last `ttl` seconds from now, because they were alive
    when an outage longer than `tolerated` seconds began."""
    async with db.begin() as connection:
        since = (await connection.run(LAST_BEAT))[0]["beat_at"]
        extended = await connection.run(EXTEND, {"since": since, "tolerated": tolerated, "ttl": ttl})
        await connection.run(BEAT)
        return len(extended)


@dataclass(frozen=True)
class Lost:
    """A trial that failed because the worker of its last allowed attempt was lost."""

    study: str
    number: int
    attempt: int


async def fail_expired(db: Database) -> list[Lost]:
    """Fail the trials whose last allowed attempt has expired."""
    return [Lost(**row) for row in await db.run(EXPIRED_FOR_GOOD)]


async def out_of_time(db: Database) -> list[int]:
    """The studies whose time is up."""
    return [row["id"] for row in await db.run(OUT_OF_TIME)]


async def fully_made(db: Database) -> list[int]:
    """The studies that will make no more trials."""
    return [row["id"] for row in await db.run(MADE)]


async def any_expired(db: Database) -> bool:
    """Whether some lease has expired, so that its trial may be granted again."""
    return bool((await db.run(ANY_EXPIRED))[0]["it"])


async def forget_old_events(db: Database) -> None:
    """Delete events of more than 7 days ago, the oldest first; asked each second, it keeps up with any service."""
    await db.run(FORGET)
