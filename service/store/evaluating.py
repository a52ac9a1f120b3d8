"""The last look at a completed study's best trial, on data that no trial has seen: asked for, claimed, measured once.

What is found stands in a column of its own beside the trial's attributes, so that a repeated finish of the trial is
answered as ever.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from service.store.database import Database
from service.store.rows import TRIAL_COLUMNS, parsed, trial_of
from trialbook.wire import Trial

MOST_TRIES = 3
LOST = f"its worker was lost in each of {MOST_TRIES} tries"

# For the statements that end studies, after their `over (id, state, trainer)`. Only the book's trainers keep a model.
ASKED = """
    best as (
        select b.id as trial_id, over.id as study_id, over.trainer from over, lateral (
            select t.id, t.attempt from trials t
            where t.study_id = over.id and t.state = 'complete' and t.score < 'infinity'
            order by t.score, t.number limit 1
        ) b
        where over.state = 'completed' and over.trainer <> 'external' and position(':' in over.trainer) = 0
            and exists (select from artifacts a
                where a.trial_id = b.id and a.attempt = b.attempt and a.name = 'model.safetensors')
    ), outdated as (
        delete from evaluations e using over
        where e.study_id = over.id and e.finished_at is null and e.trial_id not in (select trial_id from best)
    ), asked as (
        insert into evaluations (trial_id, study_id, trainer) select trial_id, study_id, trainer from best
        on conflict (trial_id) do nothing
    )
"""


@dataclass(frozen=True)
class Claim:
    """Who asks, for which trainers, for how many seconds nobody else gets what is claimed."""

    token_id: str
    request_id: str
    trainers: Sequence[str]
    study: str | None
    ttl: float
    owner: str | None  # whose studies' alone


@dataclass(frozen=True)
class Claimed:
    """An evaluation to be done: of which trial, the how manieth try it is, and what the study trains on."""

    trial_id: int
    tries: int
    study: str
    number: int
    spec: dict[str, Any]  # Any: the study spec's JSON
    data: dict[str, Any] | None


# The same request finds its claim again. The lock is on what was committed last, whatever the snapshot of `open` says.
CLAIM = text("""
    with open as materialized (
        select e.trial_id from evaluations e join studies s on s.id = e.study_id
        where e.finished_at is null and e.trainer = any(cast(:trainers as text[])) and s.state = 'completed'
            and (cast(:study as text) is null or s.name = :study)
            and (cast(:owner as text) is null or s.owner = :owner)
    ), picked as materialized (
        select e.trial_id, coalesce(e.token_id = :token_id and e.request_id = :request_id, false) as again
        from evaluations e
        where e.trial_id in (select trial_id from open) and e.finished_at is null and (
            (e.token_id = :token_id and e.request_id = :request_id)
            or (e.tries < :most and (e.until is null or e.until < clock_timestamp()))
        )
        order by 2 desc, 1 limit 1 for update of e skip locked
    ), claimed as (
        update evaluations e set token_id = :token_id, request_id = :request_id,
            tries = e.tries + case when p.again then 0 else 1 end,
            until = clock_timestamp() + make_interval(secs => :ttl)
        from picked p where e.trial_id = p.trial_id
        returning e.trial_id, e.tries
    )
    select (select count(*) from open) as open, c.trial_id, c.tries, s.name as study, t.number, s.spec, s.data
    from (select) as one left join claimed c on true left join trials t on t.id = c.trial_id
        left join studies s on s.id = t.study_id
""")
IS_CLAIMED = text("""
    select t.id from evaluations e join trials t on t.id = e.trial_id join studies s on s.id = t.study_id
    where s.name = :study and t.number = :number and e.token_id = :token_id and e.finished_at is null
""")


async def claim(db: Database, asked: Claim) -> tuple[Claimed | None, bool]:
    """Claim an evaluation that nobody does, and whether there are any, claimed by others or not."""
    row = (await db.run(CLAIM, {**asked.__dict__, "trainers": list(asked.trainers), "most": MOST_TRIES}))[0]
    if row["trial_id"] is None:
        return None, row["open"] > 0
    plain = {name: row[name] for name in ("trial_id", "tries", "study", "number")}
    return Claimed(**plain, spec=parsed(row["spec"]), data=parsed(row["data"])), True


async def is_claimed(db: Database, study: str, number: int, token_id: str) -> int | None:
    """The row of a trial that is being evaluated under this token, else None."""
    rows = await db.run(IS_CLAIMED, {"study": study, "number": number, "token_id": token_id})
    return int(rows[0]["id"]) if rows else None


# What follows the `ended (trial_id, test)` of a statement that ends evaluations.
KEPT = """
    kept as (
        update trials t set test = cast(ended.test as jsonb) from ended where t.id = ended.trial_id
        returning t.study_id, t.number, t.state
    )
    insert into events (study_id, kind, number, state) select study_id, 'trial', number, state from kept
    returning study_id
"""
MEASURED = text(f"""
    with ended as (
        update evaluations set finished_at = clock_timestamp(), error = null
        where trial_id = :trial and finished_at is null
        returning trial_id, cast(:test as jsonb) as test
    ), {KEPT}
""")  # noqa: S608  # parts of our own; values are bound
GIVEN_BACK = text("""
    update evaluations set until = null, error = :error
    where trial_id = :trial and tries = :tries and tries < :most and finished_at is null
    returning trial_id
""")
FAILED = text(f"""
    with ended as (
        update evaluations set finished_at = clock_timestamp(), error = :error
        where trial_id = :trial and tries = :tries and tries >= :most and finished_at is null
        returning trial_id, jsonb_build_object('evaluation_error', error) as test
    ), {KEPT}
""")  # noqa: S608  # as above
EXPIRED = text(f"""
    with ended as (
        update evaluations set finished_at = clock_timestamp(), error = coalesce(error, :lost)
        where finished_at is null and tries >= :most and until < clock_timestamp()
        returning trial_id, jsonb_build_object('evaluation_error', error) as test
    ), {KEPT}
""")  # noqa: S608  # as above
TRIAL = text(f"""
    select {TRIAL_COLUMNS} from evaluations e join trials t on t.id = e.trial_id join studies s on s.id = t.study_id
    where e.trial_id = :trial
""")  # noqa: S608  # column names of our own


async def record(db: Database, trial: int, test: str) -> bool:
    """Store what was measured (JSON), whoever's claim it is; False where there is a result, or no evaluation."""
    return bool(await db.run(MEASURED, {"trial": trial, "test": test}))


async def record_error(db: Database, trial: int, tries: int, error: str) -> bool:
    """A try that failed: the next one may begin, or it was the last. False where that try is over."""
    asked = {"trial": trial, "tries": tries, "error": error, "most": MOST_TRIES}
    return bool(await db.run(GIVEN_BACK, asked) or await db.run(FAILED, asked))


async def give_up_expired(db: Database) -> None:
    """Record as failed what the workers of all tries were lost with."""
    await db.run(EXPIRED, {"most": MOST_TRIES, "lost": LOST})


async def evaluated_trial(db: Database, trial: int) -> Trial | None:
    """The trial of an evaluation as it is now; None where there is none."""
    rows = await db.run(TRIAL, {"trial": trial})
    return trial_of(rows[0]) if rows else None
