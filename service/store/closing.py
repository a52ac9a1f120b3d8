"""The ends of studies: by a budget that is spent, or by a user. What still waits or runs is cancelled with them.

Trials that are paused have had what they were worth: with a study that completes they are pruned, and only a user who
cancels it cancels them too.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from service.store.database import Database, Transaction
from service.store.evaluating import ASKED
from service.store.rows import parsed


@dataclass(frozen=True)
class Ended:
    """A study that has just ended, and how many of its trials were ended with it."""

    study: str
    state: str
    reason: str | None
    cancelled: int = 0
    pruned: int = 0  # of those that were paused


CANCEL = """
    with ended as (
        update trials t set lease_until = null, finished_at = clock_timestamp(),
            state = case when {prunes} then 'pruned' else 'cancelled' end,
            reason = case when {prunes} then t.prune_reason else :reason end,
            value = case when {prunes} then t.value end, score = case when {prunes} then t.score end,
            finish_seq = case when {prunes} then t.finish_seq end
        where t.study_id = :study_id and t.state in ('waiting', 'running', 'paused') {which}
        returning t.id, t.attempt, t.number, t.study_id, t.state
    ), closed as (
        update attempts a set ended_at = clock_timestamp(), outcome = 'cancelled'
        from ended where a.trial_id = ended.id and a.attempt = ended.attempt and a.outcome is null
    ), told as (
        insert into events (study_id, kind, number, state) select study_id, 'trial', number, state from ended
    )
    select state from ended
""".replace("{prunes}", "t.state = 'paused' and cast(:completes as boolean)")
CANCEL_ONE = text(CANCEL.replace("{which}", "and t.number = :number"))
CANCEL_OPEN = text(CANCEL.replace("{which}", ""))
# Trials are locked by a statement before the one that cancels them: that one then sees the attempt of a grant that it
# had to wait for, and closes it too. In the order of their rows, so that no two such statements wait for each other.
HOLD_TRIALS = """
    select from trials t where t.study_id = :study_id and t.state in ('waiting', 'running', 'paused') {which}
    order by t.id for no key update
"""
HOLD_ONE = text(HOLD_TRIALS.replace("{which}", "and t.number = :number"))
HOLD_OPEN = text(HOLD_TRIALS.replace("{which}", ""))


async def cancel_trial(db: Database, study_id: int, number: int, reason: str) -> bool:
    """Cancel one trial that waits, runs or is paused; False where it was already over."""
    asked = {"study_id": study_id, "number": number}
    async with db.begin() as connection:
        await connection.run(HOLD_ONE, asked)
        return bool(await connection.run(CANCEL_ONE, {**asked, "reason": reason, "completes": False}))


async def end_open(connection: Transaction, study_id: int, reason: str, *, completes: bool) -> Counter[str]:
    """End all trials of a study that are not over; how many were cancelled and pruned. The study's row is locked
    already, so that no new ones come."""
    await connection.run(HOLD_OPEN, {"study_id": study_id})
    asked = {"study_id": study_id, "reason": reason, "completes": completes}
    return Counter(row["state"] for row in await connection.run(CANCEL_OPEN, asked))


# The limits that results and reports may reach. The best trial is the first complete one with the best value; what
# comes after it, in the order in which results were recorded, brought no improvement. Imported results are history:
# they can be the best, but neither reach a target nor try anyone's patience nor spend epochs.
SPENT = """
    limits as (
        select s.id, (b.budget ->> 'target_value')::float8 as target, (b.budget ->> 'patience')::int as patience,
            (b.budget ->> 'max_epochs')::bigint as max_epochs,
            case s.spec #>> '{objective,direction}' when 'maximize' then -1 else 1 end as sign
        from studies s, lateral (select s.spec -> 'budget' as budget) b
        where {which} and coalesce(b.budget ->> 'target_value', b.budget ->> 'patience', b.budget ->> 'max_epochs')
            is not null
    ), spent as (
        select l.id, l.max_epochs - used.epochs as epochs_left, used.epochs, idle.n as idle, case
            when reached.number is not null
                then format('the target %s is reached by trial %s', l.target, reached.number)
            when idle.n >= l.patience then 'no improvement' || coalesce(' on trial ' || best.number, '') || ' in '
                || idle.n || case idle.n when 1 then ' finished trial' else ' finished trials' end
            when used.epochs >= l.max_epochs then used.epochs || ' epochs of ' || l.max_epochs || ' are reported'
        end as reason
        from limits l left join lateral (
            select t.number from trials t
            where t.study_id = l.id and t.state = 'complete' and t.score <= l.target * l.sign and t.source <> 'import'
            order by t.score, t.number limit 1
        ) reached on true left join lateral (
            select t.number, t.finish_seq from trials t
            where t.study_id = l.id and t.state = 'complete' and t.score < 'infinity' and l.patience is not null
            order by t.score, t.finish_seq limit 1
        ) best on true left join lateral (
            select count(*) as n from trials t
            where t.study_id = l.id and t.finish_seq > coalesce(best.finish_seq, 0) and t.source <> 'import'
                and t.state <> 'paused'
            having l.patience is not null
        ) idle on true left join lateral (
            select coalesce(sum(t.last_step::bigint + 1), 0)::bigint as epochs from trials t
            where t.study_id = l.id and t.source <> 'import' and l.max_epochs is not null
            having l.max_epochs is not null
        ) used on true
    )
"""
ONE = SPENT.replace("{which}", "s.id = :study_id")
MAY_SETTLE = text("""
    select s.spec from studies s
    where s.id = :study_id and s.state in ('running', 'paused') and s.n_trials is not null and s.counted >= s.n_trials
        and not exists (select from trials t where t.study_id = s.id and t.state in ('waiting', 'running'))
""")
SETTLE = text(f"""
    with over as (
        update studies s set state = 'completed', finished_at = clock_timestamp(),
            reason = case when s.counted < coalesce((s.spec #>> '{{budget,n_trials}}')::int, s.counted + 1)
                then 'all cells of the grid are done' else 'all trials of the budget are done' end
        where s.id = :study_id and s.state in ('running', 'paused') and s.n_trials is not null
            and s.counted >= s.n_trials
            and not exists (select from trials t where t.study_id = s.id and t.state in ('waiting', 'running'))
        returning s.id, s.state, s.reason, s.trainer, s.name
    ), {ASKED}, told as (
        insert into events (study_id, kind, state, note) select id, 'study', state, reason from over
    )
    select name as study, state, reason from over
""")  # noqa: S608  # parts of our own
END = text(f"""
    with over as (
        update studies s set state = :state, finished_at = clock_timestamp(), reason = :reason
        where s.id = :study_id and s.state in ('running', 'paused')
        returning s.id, s.state, s.reason, s.trainer, s.name
    ), {ASKED}, told as (
        insert into events (study_id, kind, state, note) select id, 'study', state, reason from over
    )
    select name as study, state, reason from over
""")  # noqa: S608  # parts of our own


LOCK = text("select from studies where id = :study_id for no key update")
END_SPENT = text(f"""
    with {ONE}, over as (
        update studies s set state = 'completed', finished_at = clock_timestamp(), reason = spent.reason
        from spent where s.id = spent.id and spent.reason is not null and s.state in ('running', 'paused')
        returning s.id, s.state, s.reason, s.trainer, s.name
    ), {ASKED}, told as (
        insert into events (study_id, kind, state, note) select id, 'study', state, reason from over
    )
    select spent.epochs_left, over.name as study, over.state, over.reason from spent left join over on true
""")  # noqa: S608  # parts of our own
STANDINGS = text(f"""
    with {SPENT.replace("{which}", "s.id = any(cast(:ids as bigint[]))")} select id, epochs, idle from spent
""")  # noqa: S608  # as above
RUNNING = text(f"""
    with {SPENT.replace("{which}", "s.state = 'running'")} select id, epochs_left, reason from spent
""")  # noqa: S608  # as above


async def may_settle(db: Database | Transaction, study_id: int) -> dict[str, Any] | None:
    """The spec (JSON) of a study whose budget is made and of whose trials none waits or runs; None where that is not
    so."""
    rows = await db.run(MAY_SETTLE, {"study_id": study_id})
    return parsed(rows[0]["spec"]) if rows else None


async def settle(connection: Transaction, study_id: int) -> Ended | None:
    """Complete such a study; None where it has become another. Its row is locked already."""
    await connection.run(HOLD_OPEN, {"study_id": study_id})  # so that none of them is promoted meanwhile
    row = await connection.one(SETTLE, {"study_id": study_id})
    if row is None:
        return None
    return Ended(**row, pruned=(await end_open(connection, study_id, row["reason"], completes=True))["pruned"])


async def end_study(db: Database, study_id: int, state: str, reason: str) -> Ended | None:
    """End a study before its budget is spent, and its open trials with it. None: it was over."""
    async with db.begin() as connection:
        asked = {"study_id": study_id, "state": state, "reason": reason}
        if (row := await connection.one(END, asked)) is None:
            return None
        ended = await end_open(connection, study_id, reason, completes=state == "completed")
        return Ended(**row, cancelled=ended["cancelled"], pruned=ended["pruned"])


async def hold(connection: Transaction, study_id: int) -> None:
    """Let no other result of this study be recorded until the commit."""
    await connection.run(LOCK, {"study_id": study_id})


@dataclass(frozen=True)
class Spending:
    """What is left of a budget: epochs, None where nothing limits them; and the study's end if that has just come."""

    epochs_left: int | None = None
    ended: Ended | None = None


async def end_spent(connection: Transaction, study_id: int) -> Spending:
    """Complete a study that has reached a limit of its budget, and end its open trials."""
    found = await connection.one(END_SPENT, {"study_id": study_id})
    if found is None:
        return Spending()
    if found["reason"] is None:
        return Spending(found["epochs_left"])
    ended = await end_open(connection, study_id, found["reason"], completes=True)
    study = Ended(found["study"], found["state"], found["reason"], ended["cancelled"], ended["pruned"])
    return Spending(found["epochs_left"], study)


async def end_if_spent(db: Database, study_id: int) -> Spending:
    """As `end_spent`, in a transaction of its own."""
    async with db.begin() as connection:
        await hold(connection, study_id)
        return await end_spent(connection, study_id)


@dataclass(frozen=True)
class Limited:
    """A running study with limits that results or reports may reach."""

    study_id: int
    is_spent: bool
    epochs_left: int | None


async def limited(db: Database) -> list[Limited]:
    """The running studies with such limits."""
    rows = await db.run(RUNNING)
    return [Limited(row["id"], row["reason"] is not None, row["epochs_left"]) for row in rows]


async def standings(db: Database, study_ids: Sequence[int]) -> dict[int, dict[str, int | None]]:
    """Of studies whose budgets limit them: `epochs` reported, and `idle`, finished trials since the best one."""
    rows = await db.run(STANDINGS, {"ids": list(study_ids)}) if study_ids else []
    return {row["id"]: {"epochs": row["epochs"], "idle": row["idle"]} for row in rows}
