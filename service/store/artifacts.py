"""Artifacts of trials: what is known of each file. The bytes lie elsewhere, under a name of our own making."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from service.store.database import Database, Transaction
from trialbook.wire import Artifact


@dataclass(frozen=True)
class Stored:
    """An artifact and where its bytes are."""

    artifact: Artifact
    file: str
    media_type: str


@dataclass(frozen=True)
class Put:
    """What became of an upload: the artifact as it stands now, and a file that nobody needs any more."""

    artifact: Artifact | None
    unneeded: str | None


COLUMNS = "name, size, sha256, step, attempt, created_at, removed_at"
# The old row's file is read before it is replaced. Of checkpoints the last two are kept: should the newer one's bytes
# turn out to be damaged, the trial goes on from the other. A repeated upload pushes no predecessor out.
PUT = text(f"""
    with held as materialized (
        select t.id, t.study_id, t.number from trials t
        where t.id = :trial and t.attempt = :attempt and t.state = 'running' for no key update
    ), before as materialized (
        select file, previous_file, :name = 'checkpoint' and (sha256 <> :sha256 or step <> :step) as is_followed
        from artifacts where trial_id = :trial and name = :name
    ), stored as (
        insert into artifacts as a (trial_id, name, attempt, step, size, sha256, media_type, file)
        select id, :name, :attempt, cast(:step as int), :size, :sha256, :media_type, :file from held
        on conflict (trial_id, name) do update set attempt = excluded.attempt, step = excluded.step,
            size = excluded.size, sha256 = excluded.sha256, media_type = excluded.media_type, file = excluded.file,
            created_at = clock_timestamp(), removed_at = null,
            previous_file = case when (select is_followed from before) then a.file else a.previous_file end,
            previous = case when (select is_followed from before)
                then jsonb_build_object('attempt', a.attempt, 'step', a.step, 'size', a.size, 'sha256', a.sha256)
                else a.previous end
        returning {COLUMNS}
    ), told as (
        insert into events (study_id, kind, number, note) select study_id, 'artifact', number, :name from held
    )
    select stored.*, (select case when is_followed then previous_file else file end from before) as unneeded
    from stored
""")  # noqa: S608  # column names of our own
LIST = text(f"select {COLUMNS} from artifacts where trial_id = :trial order by name")  # noqa: S608  # our own names
ONE = text(f"""
    select {COLUMNS}, file, media_type from artifacts where trial_id = :trial and name = :name
""")  # noqa: S608  # column names of our own
# Only while the row still names that file: a newer checkpoint may have come meanwhile.
FALL_BACK = text("""
    with bad as materialized (
        select trial_id, previous_file is not null as has_previous from artifacts
        where trial_id = :trial and name = 'checkpoint' and file = :file for update
    ), fallen as (
        update artifacts a set file = a.previous_file, attempt = (a.previous ->> 'attempt')::int,
            step = (a.previous ->> 'step')::int, size = (a.previous ->> 'size')::bigint,
            sha256 = a.previous ->> 'sha256', previous = null, previous_file = null
        from bad where a.trial_id = bad.trial_id and a.name = 'checkpoint' and bad.has_previous
    ), gone as (
        delete from artifacts a using bad
        where a.trial_id = bad.trial_id and a.name = 'checkpoint' and not bad.has_previous
    ), told as (
        insert into events (study_id, kind, number, note)
        select t.study_id, 'artifact', t.number, :note from bad join trials t on t.id = bad.trial_id
    )
    select has_previous from bad
""")
DAMAGED = "the checkpoint is damaged; the one before it is used, if there is one"


async def put_artifact(db: Transaction, trial: int, attempt: int, file: str, described: dict[str, Any]) -> Put:
    """Note an uploaded file (name, step, size, sha256, media_type) under a lease; no artifact where it is lost."""
    rows = await db.run(PUT, {"trial": trial, "attempt": attempt, "file": file, **described})
    if not rows:
        return Put(None, file)
    row = dict(rows[0])
    unneeded = row.pop("unneeded")
    return Put(Artifact(**row), unneeded)


async def list_artifacts(db: Database, trial: int) -> list[Artifact]:
    """The artifacts of a trial by name."""
    return [Artifact(**row) for row in await db.run(LIST, {"trial": trial})]


async def find_artifact(db: Database, trial: int, name: str) -> Stored | None:
    """An artifact and where its bytes are."""
    rows = await db.run(ONE, {"trial": trial, "name": name})
    if not rows:
        return None
    row = dict(rows[0])
    file, media_type = row.pop("file"), row.pop("media_type")
    return Stored(Artifact(**row), file, media_type)


async def fall_back(db: Database, trial: int, file: str) -> bool:
    """Put a checkpoint whose file is damaged out of use, for the one before it; an event tells. False where another
    process was quicker."""
    return bool(await db.run(FALL_BACK, {"trial": trial, "file": file, "note": DAMAGED}))
