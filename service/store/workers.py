"""Workers as last heard of."""

from collections.abc import Sequence

from sqlalchemy import text

from service.store.database import Database
from service.store.rows import parsed
from trialbook.wire import Worker

SEEN = text("""
    insert into workers (name, trainers, version, host, polling_until, polling_study)
    values (:name, cast(:trainers as text[]), :version, :host,
        clock_timestamp() + make_interval(secs => cast(:polling as float8)), :study)
    on conflict (name) do update set trainers = excluded.trainers, version = excluded.version, host = excluded.host,
        last_seen = clock_timestamp(), polling_until = excluded.polling_until, polling_study = excluded.polling_study
""")
# How many attempts ended in the last hour is known of the newest trials; where those began later, since then.
LOOKED = 5000
KNOWN = ("name", "trainers", "version", "host", "first_seen", "last_seen", "per_hour")
# A lease's last renewal is a sign of life too: during a long trial a worker asks for no other one. Trials of others'
# studies count as work, but are not named.
LIST = text("""
    with running as (
        select t.worker, count(*) as n, max(t.lease_until) - make_interval(secs => :lease) as renewed,
            coalesce(
                jsonb_agg(jsonb_build_object('study', s.name, 'number', t.number, 'attempt', t.attempt,
                    'since', a.started_at) order by s.name, t.number)
                filter (where cast(:owner as text) is null or s.owner = :owner),
            '[]') as named
        from trials t join studies s on s.id = t.study_id
            left join attempts a on a.trial_id = t.id and a.attempt = t.attempt
        where t.state = 'running' group by t.worker
    ), late as (
        select a.worker, a.started_at, a.ended_at from (select id from trials order by id desc limit :looked) newest
            join attempts a on a.trial_id = newest.id
    ), spans as (
        select greatest(clock_timestamp() - interval '1 hour',
            case when count(*) >= :looked then min(started_at) end) as since from late
    ), rates as (
        select worker, count(*) as n from late, spans where ended_at > since group by worker
    )
    select w.name, w.trainers, w.version, w.host, w.first_seen, coalesce(r.n, 0) as n, coalesce(r.named, '[]') as named,
        coalesce(rates.n, 0) * 3600 / extract(epoch from greatest(interval '1 minute',
            clock_timestamp() - greatest(spans.since, w.first_seen)))::float8 as per_hour,
        seen.last as last_seen, seen.last < clock_timestamp() - make_interval(secs => :silent) as is_silent
    from workers w cross join spans left join running r on r.worker = w.name
        left join rates on rates.worker = w.name
        cross join lateral (
            select greatest(w.last_seen, least(coalesce(r.renewed, w.last_seen), clock_timestamp())) as last
        ) seen
    order by is_silent, w.name limit 1000
""")


async def note_worker(
    db: Database,
    name: str,
    trainers: Sequence[str],
    *,
    version: str | None,
    host: str | None,
    polling: float | None,
    study: str | None,
) -> None:
    """Note that a worker called; `polling` is how many seconds it will go on waiting for work, if it does."""
    asked = {"name": name, "trainers": list(trainers), "version": version, "host": host, "polling": polling}
    await db.run(SEEN, {**asked, "study": study})


async def list_workers(db: Database, *, lease_seconds: float, owner: str | None) -> list[Worker]:
    """The workers, those that are there first; one is silent after a minute, or a lease, without a sign of life.

    What they run is named where it is of the owner's studies; of all where `owner` is None.
    """
    asked = {"lease": lease_seconds, "silent": max(60.0, lease_seconds), "owner": owner, "looked": LOOKED}
    found = []
    for row in await db.run(LIST, asked):
        state = "silent" if row["is_silent"] else "working" if row["n"] else "idle"
        known = {key: row[key] for key in KNOWN}
        found.append(Worker(**known, running=parsed(row["named"]), state=state))
    return found
