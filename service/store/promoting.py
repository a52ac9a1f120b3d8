"""Paused trials: the best of each rung, its rivals there, and its way back to those that wait for a worker."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from service.store.database import Database, Transaction
from service.store.rows import parsed


@dataclass(frozen=True)
class Paused:
    """A trial that is paused, and the report that it was paused at."""

    trial: int
    attempt: int
    rung: int
    step: int
    score: float


BEST = text("""
    select best.* from unnest(cast(:rungs as int[])) as r (rung), lateral (
        select t.id as trial, t.attempt, t.rung, t.prune_step as step, t.score from trials t
        where t.study_id = :study_id and t.state = 'paused' and t.rung = r.rung and t.score < 'infinity'
        order by t.score, t.number limit 1
    ) best order by best.rung desc
""")
# Of trials with one score the first goes on first, so those that are paused beside it stand behind it.
RIVALS = text("""
    select case when recent.score = :score and exists (
        select from trials t where t.id = recent.trial_id and t.state = 'paused' and t.rung = :rung
    ) then 'infinity' else recent.score end as score
    from (
        select r.score, r.trial_id from reports r
        where r.study_id = :study_id and r.milestone = :rung and r.trial_id <> :trial
        order by r.trial_id desc limit 1000
    ) recent
""")
# A trial that went on without a checkpoint has lost its report until it comes there again.
ANEW = text("""
    select a.paused_score as score from trials t join attempts a on a.trial_id = t.id and a.paused_rung = :rung
    where t.study_id = :study_id and t.state = 'running' and t.rung >= :rung
        and not exists (select from reports r where r.trial_id = t.id and r.step = a.paused_step)
""")
PROMOTE = text("""
    with promoted as (
        update trials t set state = 'waiting', reason = :reason, value = null, score = null, finish_seq = null
        where t.id = :trial and t.attempt = :attempt and t.state = 'paused'
        returning t.id, t.attempt, t.study_id, t.number
    ), noted as (
        update attempts a set promoted_at = clock_timestamp(), promoted_against = cast(:against as float8)
        from promoted p where a.trial_id = p.id and a.attempt = p.attempt
    ), told as (
        insert into events (study_id, kind, number, state) select study_id, 'trial', number, 'waiting' from promoted
    )
    select number from promoted
""")

# The decision was stored with the report that it was made on, and stands without the worker that was told of it.
PAUSE_EXPIRED = text("""
    with lost as materialized (
        select t.id, r.milestone, r.score,
            r.score * case s.spec #>> '{objective,direction}' when 'maximize' then -1 else 1 end + 0.0 as value
        from trials t join studies s on s.id = t.study_id cross join lateral (
            select score, milestone from reports where trial_id = t.id and step = t.prune_step limit 1
        ) r
        where t.state = 'running' and t.lease_until < clock_timestamp() and t.pauses
        for no key update of t skip locked
    ), paused as (
        update trials t set state = 'paused', lease_until = null, reason = t.prune_reason, value = lost.value,
            score = lost.score, finish_seq = nextval('finish_order'), rung = lost.milestone
        from lost where t.id = lost.id
        returning t.*
    ), closed as (
        update attempts a set ended_at = clock_timestamp(), outcome = 'expired', paused_step = p.prune_step,
            paused_rung = p.rung, paused_score = p.score, paused_seq = p.finish_seq
        from paused p where a.trial_id = p.id and a.attempt = p.attempt
    ), told as (
        insert into events (study_id, kind, number, state) select study_id, 'trial', number, 'paused' from paused
    )
    select p.study_id, s.spec, s.name as study, p.number, p.attempt, p.value, p.prune_step as step
    from paused p join studies s on s.id = p.study_id
""")


@dataclass(frozen=True)
class PausedAlone:
    """A trial that is paused without the worker that was told to pause it, which was lost."""

    study_id: int
    spec: dict[str, Any]  # Any: the study spec's JSON
    study: str
    number: int
    attempt: int
    value: float
    step: int


async def pause_expired(db: Database) -> list[PausedAlone]:
    """Pause the trials that were told to pause and whose leases have expired."""
    return [PausedAlone(**{**row, "spec": parsed(row["spec"])}) for row in await db.run(PAUSE_EXPIRED)]


async def best(db: Database | Transaction, study_id: int, rungs: Sequence[int]) -> list[Paused]:
    """The best paused trial of each rung, the highest rung first."""
    rows = await db.run(BEST, {"study_id": study_id, "rungs": list(rungs)})
    return [Paused(**row) for row in rows]


async def rival_scores(db: Database | Transaction, study_id: int, one: Paused) -> list[float]:
    """The scores of at most 1,000 recent other trials at its rung; infinite for those that wait there for their turn
    after it."""
    asked = {"study_id": study_id, "trial": one.trial, "rung": one.rung, "score": one.score}
    found = [row["score"] for row in await db.run(RIVALS, asked) if row["score"] is not None]
    return found + await scores_of_those_anew(db, study_id, one.rung)


async def scores_of_those_anew(db: Database | Transaction, study_id: int, rung: int) -> list[float]:
    """The scores of trials that were promoted from a rung and are still to come there again."""
    return [row["score"] for row in await db.run(ANEW, {"study_id": study_id, "rung": rung})]


async def promote(db: Database | Transaction, one: Paused, reason: str, against: float | None) -> int | None:
    """Let a paused trial wait for a worker again; its number, None where it is no longer paused."""
    asked = {"trial": one.trial, "attempt": one.attempt, "reason": reason, "against": against}
    rows = await db.run(PROMOTE, asked)
    return rows[0]["number"] if rows else None
