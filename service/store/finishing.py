"""The ends of attempts, and so of trials, each one guarded statement: by attempt and by state."""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import text

from service.store import closing
from service.store.database import Database
from service.store.rows import FINISHED_COLUMNS, TRIAL_COLUMNS, trial_of
from trialbook.wire import Trial


@dataclass(frozen=True)
class Result:
    """What a finish says, ready to be stored."""

    state: str
    value: float | None
    score: float | None
    error: str | None
    reason: str | None
    attributes: str  # JSON
    retry: bool
    digest: bytes  # of the body, so that a repeat is known
    last_step: int | None = None  # where the curve stood if the value was read from it: it counts only while that holds
    best_score: float | None = None
    measured: bool = False


@dataclass(frozen=True)
class Finished:
    """A trial after its finish, and whether its study may be over by it."""

    trial: Trial
    study_id: int
    budget_made: bool
    ended: closing.Ended | None = None  # the study, where this result has just spent its budget


FINISH = text(f"""
    with ended as (
        update trials t set
            state = case when again.yes then 'waiting' else :state end,
            failures = t.failures + case when :state = 'failed' then 1 else 0 end,
            value = cast(:value as float8), score = cast(:score as float8),
            error = :error, reason = coalesce(:reason, t.prune_reason),
            attributes = t.attributes || cast(:attributes as jsonb), lease_until = null,
            finished_at = case when again.yes or :state = 'paused' then null else clock_timestamp() end,
            finish_seq = case when :state in ('complete', 'pruned', 'paused') then nextval('finish_order') end,
            rung = case when :state = 'paused' then (
                select r.milestone from reports r where r.trial_id = t.id and r.step = t.prune_step
            ) else t.rung end
        from trials old join studies s on s.id = old.study_id, lateral (
            select :state = 'failed' and :retry and old.failures + 1 < (s.spec #>> '{{trial,max_attempts}}')::int as yes
        ) again
        where t.id = :trial and old.id = t.id and t.attempt = :attempt and t.state = 'running'
            and (:state <> 'paused' or t.pauses) and (not :measured or (t.last_step, t.best_score) is not distinct from
                (cast(:last_step as int), cast(:best_score as float8)))
        returning t.*, s.name as study, s.n_trials is not null and s.counted >= s.n_trials as budget_made
    ), closed as (
        update attempts a set ended_at = clock_timestamp(), outcome = :state, error = :error, digest = :digest,
            paused_step = case when :state = 'paused' then ended.prune_step end,
            paused_rung = case when :state = 'paused' then ended.rung end,
            paused_score = case when :state = 'paused' then ended.score end,
            paused_seq = case when :state = 'paused' then ended.finish_seq end
        from ended where a.trial_id = ended.id and a.attempt = :attempt
    ), told as (
        insert into events (study_id, kind, number, state) select study_id, 'trial', number, state from ended
    )
    select study_id, budget_made, {TRIAL_COLUMNS.replace("s.name as study", "t.study")} from ended t
""")  # noqa: S608  # column names of our own
KEEP_ANSWER = text("update attempts set answer = :answer where trial_id = :trial and attempt = :attempt")


async def finish(
    db: Database, trial: int, attempt: int, result: Result, *, limited: int | None = None
) -> Finished | None:
    """End an attempt; None when the lease is lost, the trial no longer runs, or its curve is no longer what the value
    was read from.

    `limited` is the trial's study if results can spend its budget: they are recorded one after another then, and the
    one that spends it ends the study in the same transaction.
    """
    asked = {"trial": trial, "attempt": attempt, **result.__dict__}
    goes_on = result.state in ("failed", "paused")
    if not goes_on and limited is None:  # the usual case: one statement, one round trip
        rows = await db.run(FINISH, asked)
        return _finished(rows[0]) if rows else None
    async with db.begin() as connection:
        if limited is not None:  # before the trial's row: whoever ends a study locks in this order
            await closing.hold(connection, limited)
        row = await connection.one(FINISH, asked)
        if row is None:
            return None
        ended = _finished(row)
        if ended.trial.state in (
            "waiting",
            "paused",
        ):  # the trial goes on some time, so its row will not tell this answer again
            answer = {"trial": trial, "attempt": attempt, "answer": ended.trial.model_dump_json()}
            await connection.run(KEEP_ANSWER, answer)
        elif limited is not None:
            ended = replace(ended, ended=(await closing.end_spent(connection, limited)).ended)
        return ended


def _finished(row: Any) -> Finished:  # Any: a row by column name
    return Finished(trial_of(row), row["study_id"], row["budget_made"])


@dataclass(frozen=True)
class Ending:
    """How an attempt stands: its outcome and, if it was finished, how to know and answer a repeat."""

    outcome: str | None
    current: bool
    digest: bytes | None
    answer: str | None
    trial: Trial


ENDING = text(f"""
    select a.outcome, t.attempt = a.attempt as is_current, a.digest, a.answer, {FINISHED_COLUMNS}
    from attempts a join trials t on t.id = a.trial_id join studies s on s.id = t.study_id
    where a.trial_id = :trial and a.attempt = :attempt
""")  # noqa: S608  # column names of our own


async def ending(db: Database, trial: int, attempt: int) -> Ending | None:
    """How this attempt stands; None when the trial was deleted."""
    rows = await db.run(ENDING, {"trial": trial, "attempt": attempt})
    if not rows:
        return None
    row = rows[0]
    return Ending(row["outcome"], row["is_current"], row["digest"], row["answer"], trial_of(row))


RELEASE = text(f"""
    with ended as (
        update trials t set state = 'waiting', lease_until = null, reason = :reason
        from studies s
        where t.id = :trial and t.attempt = :attempt and t.state = 'running' and s.id = t.study_id
        returning t.*, s.name as study
    ), closed as (
        update attempts a set ended_at = clock_timestamp(), outcome = 'released'
        from ended where a.trial_id = ended.id and a.attempt = :attempt
    ), told as (
        insert into events (study_id, kind, number, state) select study_id, 'trial', number, 'waiting' from ended
    )
    select {TRIAL_COLUMNS.replace("s.name as study", "t.study")} from ended t
""")  # noqa: S608  # column names of our own
RENEW = text(f"""
    update trials t set lease_until = clock_timestamp() + make_interval(secs => :ttl) from studies s
    where t.id = :trial and t.attempt = :attempt and t.state = 'running' and s.id = t.study_id
    returning {TRIAL_COLUMNS}
""")  # noqa: S608  # column names of our own


async def release(db: Database, trial: int, attempt: int, reason: str) -> Trial | None:
    """Give a trial back; it waits for the next attempt and no failure is counted."""
    rows = await db.run(RELEASE, {"trial": trial, "attempt": attempt, "reason": reason})
    return trial_of(rows[0]) if rows else None


async def renew(db: Database, trial: int, attempt: int, ttl: float) -> Trial | None:
    """Make the lease last `ttl` seconds from now."""
    rows = await db.run(RENEW, {"trial": trial, "attempt": attempt, "ttl": ttl})
    return trial_of(rows[0]) if rows else None
