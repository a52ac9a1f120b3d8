"""What is kept no longer: files that no study wants, files and rows that nothing needs any more. In batches."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text

from service.store.database import Database

BATCH = 1000


@dataclass(frozen=True)
class Keeping:
    """A study that keeps the files of its best trials only, and of how many."""

    study_id: int
    best: int


# A finished trial is never run again, so nobody will go on from its checkpoint.
CHECKPOINTS = text("""
    with over as (
        select a.trial_id from artifacts a join trials t on t.id = a.trial_id
        where a.name = 'checkpoint' and t.state in ('complete', 'pruned', 'failed', 'cancelled') limit :batch
    ), gone as (
        delete from artifacts a using over where a.trial_id = over.trial_id and a.name = 'checkpoint'
        returning a.file, a.previous_file
    )
    select unnest(array[file, previous_file]) as file from gone
""")
KEEPING = text("""
    select id as study_id, (spec #>> '{artifacts,keep_best}')::int as best from studies
    where spec #>> '{artifacts,keep_best}' is not null order by id
""")
# A trial once beyond the best k stays there, as finished trials never change. Infinite scores are no results.
BEYOND = text("""
    with last as materialized (
        select t.score, t.number from trials t
        where t.study_id = :study_id and t.state = 'complete' and t.score < 'infinity'
        order by t.score, t.number offset :best - 1 limit 1
    ), beyond as (
        select a.trial_id, a.name, a.file from trials t join artifacts a on a.trial_id = t.id
        where t.study_id = :study_id and t.state in ('complete', 'pruned', 'failed', 'cancelled')
            and a.name not in ('output.txt', 'checkpoint') and a.removed_at is null
            and not (t.state = 'complete' and t.score < 'infinity'
                and (not exists (select from last) or (t.score, t.number) <= (select score, number from last)))
            and not exists (select from evaluations e where e.trial_id = t.id and e.finished_at is null)
        limit :batch for update of a skip locked
    ), marked as (
        update artifacts a set removed_at = clock_timestamp(), file = ''
        from beyond where a.trial_id = beyond.trial_id and a.name = beyond.name
    )
    select file from beyond
""")
UNKNOWN_ARTIFACTS = text("""
    select f.name from unnest(cast(:names as text[])) as f (name)
    where not exists (select from artifacts a where a.file = f.name)
        and not exists (select from artifacts a where a.previous_file = f.name)
""")
UNKNOWN_DATASETS = text("""
    select f.name from unnest(cast(:names as text[])) as f (name)
    where not exists (select from datasets d where d.sha256 = f.name)
        and not exists (select from studies s where s.data ->> 'sha256' = f.name)
""")
FORGET = [
    text(statement)
    for statement in (
        """delete from workers w where last_seen < clock_timestamp() - interval '30 days'
            and not exists (select from trials t where t.state = 'running' and t.worker = w.name)""",
        "delete from sessions where expires_at < clock_timestamp()",
        "delete from login_links where expires_at < clock_timestamp()",
        "delete from answers where created_at < clock_timestamp() - interval '7 days'",
        "delete from tokens where least(revoked_at, expires_at) < clock_timestamp() - interval '90 days'",
    )
]


async def drop_checkpoints(db: Database) -> list[str | None]:
    """Forget checkpoints of finished trials; the files that they were kept in."""
    return [row["file"] for row in await db.run(CHECKPOINTS, {"batch": BATCH})]


async def keeping(db: Database) -> list[Keeping]:
    """The studies that keep the files of their best trials only."""
    return [Keeping(**row) for row in await db.run(KEEPING)]


async def remove_beyond(db: Database, rule: Keeping) -> list[str]:
    """Note as removed the files of finished trials beyond the study's best, but for what they printed; the files."""
    asked = {"study_id": rule.study_id, "best": rule.best, "batch": BATCH}
    return [row["file"] for row in await db.run(BEYOND, asked)]


async def unknown_artifacts(db: Database, names: Sequence[str]) -> list[str]:
    """Of these files the ones that no artifact is kept in."""
    return [row["name"] for row in await db.run(UNKNOWN_ARTIFACTS, {"names": list(names)})]


async def unknown_datasets(db: Database, names: Sequence[str]) -> list[str]:
    """Of these hashes the ones that no data set and no study refers to."""
    return [row["name"] for row in await db.run(UNKNOWN_DATASETS, {"names": list(names)})]


async def forget_old_rows(db: Database) -> None:
    """Delete workers of 30 days ago, sessions and links that are over, answers of 7 days ago (a repeated request comes
    within minutes), and tokens revoked or expired for 90 days."""
    for statement in FORGET:
        await db.run(statement)
