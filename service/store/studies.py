"""Studies: made, read, listed, changed, ended and deleted."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from service.store import cursors
from service.store.closing import end_open, end_spent, hold, standings
from service.store.database import Database, Transaction
from service.store.rows import parsed, study_of
from trialbook.wire import Study


@dataclass(frozen=True)
class NewStudy:
    """A study ready to be stored."""

    name: str
    owner: str
    spec: str  # JSON
    data: str | None  # JSON
    trainer: str
    priority: float
    n_trials: int | None
    timeout: float | None
    inline_until: int | None


@dataclass(frozen=True)
class StudyKey:
    """What is needed to find a study and to know whose it is."""

    id: int
    name: str
    owner: str
    state: str
    spec: dict[str, Any]  # Any: the study spec's JSON
    counted: int
    made: int


INSERT = text("""
    with made as (
        insert into studies (name, owner, spec, data, trainer, priority, n_trials, timeout, inline_until)
        values (:name, :owner, cast(:spec as json), cast(:data as jsonb), :trainer, :priority, :n_trials, :timeout,
            :inline_until)
        on conflict (name) do nothing returning id, state
    ), told as (
        insert into events (study_id, kind, state) select id, 'study', state from made
    )
    select id from made
""")
KEY = text("select id, name, owner, state, spec, counted, made from studies where name = :name")
ONE = text("select * from studies where name = :name")
PAGE = """
    select * from studies
    where (cast(:owner as text) is null or owner = :owner) and (cast(:state as text) is null or state = :state)
        and (cast(:q as text) is null or position(lower(cast(:q as text)) in
            lower(concat_ws(' ', name, spec ->> 'title', spec ->> 'tags', trainer, owner))) > 0)
        and id < :before order by id desc limit :limit
"""
COUNTS = text("""
    select study_id, state, count(*) as n from trials where study_id = any(cast(:ids as bigint[])) group by 1, 2
""")
BEST = text("""
    select s.id as study_id, b.number, b.value, b.params, b.finished_at, b.test,
        exists (select from evaluations e where e.trial_id = b.id and e.finished_at is null) as evaluating
    from unnest(cast(:ids as bigint[])) as s (id), lateral (
        select * from trials t where t.study_id = s.id and t.state = 'complete' and t.score < 'infinity'
        order by t.score, t.number limit 1
    ) b
""")
AT_WORK = text("""
    select study_id, count(distinct worker) as n from trials
    where study_id = any(cast(:ids as bigint[])) and state = 'running' group by 1
""")


async def insert_study(connection: Transaction, study: NewStudy) -> bool:
    """Store a study; False where the name is taken."""
    return await connection.one(INSERT, study.__dict__) is not None


async def study_key(db: Database, name: str) -> StudyKey | None:
    """Find a study by name."""
    rows = await db.run(KEY, {"name": name})
    return StudyKey(**{**rows[0], "spec": parsed(rows[0]["spec"])}) if rows else None


async def read_study(db: Database, name: str) -> Study | None:
    """One study with its counts and its best trial."""
    found = await _filled(db, await db.run(ONE, {"name": name}))
    return found[0] if found else None


async def read_study_on(connection: Transaction, name: str) -> Study:
    """A study just made in this transaction: it has no trials yet."""
    row = (await connection.run(ONE, {"name": name}))[0]
    budget = parsed(row["spec"])["budget"]
    spent = {"epochs": budget.get("max_epochs"), "idle": budget.get("patience")}
    return study_of(row, {}, None, 0, {name: None if limit is None else 0 for name, limit in spent.items()})


async def list_studies(
    db: Database, *, owner: str | None, state: str | None, q: str | None, cursor: str | None, limit: int
) -> tuple[list[Study], str | None]:
    """A page of studies that hold the text `q`, the newest first, and the cursor of the next page."""
    before = cursors.decode(cursor, [cursors.is_id])[0] if cursor else 2**63 - 1
    asked = {"owner": owner, "state": state, "q": q or None, "before": before, "limit": limit + 1}
    rows = await db.run(text(PAGE), asked)
    following = cursors.encode([rows[limit - 1]["id"]]) if len(rows) > limit else None
    return await _filled(db, rows[:limit]), following


async def _filled(db: Database, rows: Sequence[Any]) -> list[Study]:
    if not rows:
        return []
    ids = {"ids": [row["id"] for row in rows]}
    counts: dict[int, dict[str, int]] = {}
    for row in await db.run(COUNTS, ids):
        counts.setdefault(row["study_id"], {})[row["state"]] = row["n"]
    best = {row["study_id"]: {k: v for k, v in row.items() if k != "study_id"} for row in await db.run(BEST, ids)}
    busy = {row["study_id"]: row["n"] for row in await db.run(AT_WORK, ids)}
    spent = await standings(db, [row["id"] for row in rows if _is_limited(parsed(row["spec"])["budget"])])
    return [
        study_of(row, counts.get(n, {}), best.get(n), busy.get(n, 0), spent.get(n, {}))
        for row, n in ((row, row["id"]) for row in rows)
    ]


def _is_limited(budget: dict[str, Any]) -> bool:  # Any: JSON
    return budget.get("patience") is not None or budget.get("max_epochs") is not None


PAUSE = """
    with changed as (
        update studies s set state = :to, reason = :reason where s.id = :id and s.state = :from returning id, state
    )
    insert into events (study_id, kind, state, note) select id, 'study', state, :reason from changed returning study_id
"""


async def pause_study(db: Database, study_id: int) -> bool:
    """Give out no more trials; False where the study does not run."""
    asked = {"id": study_id, "from": "running", "to": "paused", "reason": "paused by a user"}
    return bool(await db.run(text(PAUSE), asked))


async def resume_study(db: Database, study_id: int) -> bool:
    """Go on with a paused study; False where it is not paused."""
    asked = {"id": study_id, "from": "paused", "to": "running", "reason": None}
    return bool(await db.run(text(PAUSE), asked))


SIZE = "least(cast(:n_trials as int), cast(:cells as int) + s.counted - s.next_cell)"  # a grid ends with its cells
REOPENS = f"(:budget and s.state = 'completed' and coalesce({SIZE} > s.counted, true))"
CHANGE = text(f"""
    with changed as (
        update studies s set spec = (
                select json_object_agg(p.name, coalesce(cast(:changes as json) -> p.name, p.value) order by p.place)
                from json_each(s.spec) with ordinality as p (name, value, place)
            ),
            n_trials = case when :budget then {SIZE} else s.n_trials end,
            timeout = case when :budget then cast(:timeout as float8) else s.timeout end,
            state = case when {REOPENS} then 'running' else s.state end,
            reason = case when {REOPENS} then null else s.reason end,
            finished_at = case when {REOPENS} then null else s.finished_at end
        where s.id = :id and (not :budget or (s.state <> 'cancelled' and coalesce({SIZE}, s.counted) >= s.counted))
        returning s.id, s.state
    )
    insert into events (study_id, kind, state, note) select id, 'study', state, 'changed' from changed
    returning study_id
""")  # noqa: S608  # an expression of our own


@dataclass(frozen=True)
class Change:
    """New values for parts of a spec; `budget` says whether the budget is among them."""

    changes: dict[str, Any]  # Any: JSON
    budget: bool
    n_trials: int | None
    cells: int | None  # of the study's grid
    timeout: float | None


async def change_study(db: Database, study_id: int, change: Change) -> bool:
    """Change a study; a larger budget reopens a completed one. False where the new budget is below what was made."""
    asked = {**change.__dict__, "changes": json.dumps(change.changes), "id": study_id}
    async with db.begin() as connection:
        if await connection.one(CHANGE, asked) is None:
            return False
        if change.budget:  # one that is spent in another way ends the study again, before anyone gets a trial of it
            await end_spent(connection, study_id)
        return True


DELETE = text("delete from studies where id = :id returning id")
FILES = text("""
    select unnest(array[file, previous_file]) as file from artifacts a join trials t on t.id = a.trial_id
    where t.study_id = :id
""")
FORGET_EVENTS = text("delete from events where study_id = :id")


async def delete_study(db: Database, study_id: int) -> list[str | None] | None:
    """Delete a study and all that belongs to it; the files that its artifacts were kept in. None: it was gone."""
    async with db.begin() as connection:
        await hold(connection, study_id)
        await end_open(connection, study_id, "the study was deleted", completes=False)
        files = [row["file"] for row in await connection.run(FILES, {"id": study_id})]
        deleted = await connection.one(DELETE, {"id": study_id})
        await connection.run(FORGET_EVENTS, {"id": study_id})
        return None if deleted is None else files
