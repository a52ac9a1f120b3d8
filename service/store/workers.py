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
LIST = text("""
    select w.*, w.last_seen < clock_timestamp() - make_interval(secs => :silent) as is_silent,
        coalesce((
            select jsonb_agg(jsonb_build_object('study', s.name, 'number', t.number, 'attempt', t.attempt))
            from trials t join studies s on s.id = t.study_id where t.worker = w.name and t.state = 'running'
        ), '[]') as running
    from workers w order by w.last_seen desc, w.name limit 1000
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


async def list_workers(db: Database, *, silent_after: float) -> list[Worker]:
    """The workers of late, the last heard of first; one is silent after that many seconds without a call."""
    found = []
    for row in await db.run(LIST, {"silent": silent_after}):
        running = parsed(row["running"])
        state = "working" if running else "silent" if row["is_silent"] else "idle"
        known = {key: row[key] for key in ("name", "trainers", "version", "host", "first_seen", "last_seen")}
        found.append(Worker(**known, running=running, state=state))
    return found
