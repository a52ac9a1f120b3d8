"""Giving trials to workers. Each grant raises the trial's attempt, which locks the holder before it out."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from asyncpg import UniqueViolationError
from sqlalchemy import TextClause, text

from service.store.database import Database, Row, Transaction
from service.store.rows import parsed


@dataclass(frozen=True)
class Candidate:
    """A study that may have work for a worker, with what is known of it before anything is locked."""

    id: int
    name: str
    state: str
    has_waiting: bool
    has_expired: bool
    may_make: bool
    is_new: bool  # its first trial is still to be started
    works_ahead: bool  # its next trials come from the suggester


@dataclass(frozen=True)
class Request:
    """Who asks, and for how long a lease lasts. The same (token, request_id) is the same request."""

    token_id: str
    request_id: str
    worker: str
    ttl: float  # seconds
    can_pause: bool = False


@dataclass(frozen=True)
class Numbers:
    """What making trials took from the study's counters."""

    study_id: int
    spec: dict[str, Any]  # Any: the study spec's JSON
    numbers: tuple[int, ...]
    cells: tuple[int, ...]


@dataclass(frozen=True)
class Granted:
    """One granted attempt, with all that the worker needs to know."""

    trial_id: int
    study: str
    number: int
    attempt: int
    params: dict[str, Any]  # Any: JSON scalars
    spec: dict[str, Any]
    data: dict[str, Any] | None
    resume_step: int | None
    can_pause: bool
    waited: float | None = None  # seconds that it waited for a worker, where it waited
    expired: bool = False  # whether another worker's lease of it expired


CANDIDATES = """
    select s.id, s.name, s.state, running.n,
        exists (select from trials t where t.study_id = s.id and t.state = 'waiting') as has_waiting,
        exists (select from trials t where t.study_id = s.id and t.state = 'running'
            and t.lease_until < clock_timestamp()) as has_expired,
        (s.n_trials is null or s.counted < s.n_trials)
            and (s.inline_until is null or s.made < s.inline_until) as may_make,
        s.started_at is null as is_new, s.made >= s.inline_until is true as works_ahead
    from studies s, lateral (
        select count(*) as n from trials t where t.study_id = s.id and t.state = 'running'
    ) running
    where s.trainer = any(cast(:trainers as text[])) and (cast(:owner as text) is null or s.owner = :owner)
"""
FAIREST = text(CANDIDATES + " and s.state = 'running' order by running.n / s.priority, s.id")
NAMED = text(CANDIDATES + " and s.name = :study")


async def candidates(
    db: Database, trainers: Sequence[str], study: str | None, owner: str | None = None
) -> list[Candidate]:
    """The studies to try, the one with the fewest running trials for its priority first; or just the named one.
    With an owner, only theirs."""
    parameters: dict[str, Any] = {"trainers": list(trainers), "owner": owner}
    rows = (
        await db.run(NAMED, parameters | {"study": study}) if study is not None else await db.run(FAIREST, parameters)
    )
    return [Candidate(**{name: row[name] for name in Candidate.__dataclass_fields__}) for row in rows]


GRANTED_COLUMNS = "t.id as trial_id, s.name as study, t.number, t.params, s.spec, s.data"

EARLIER = text(f"""
    select {GRANTED_COLUMNS}, a.attempt, a.resume_step, a.can_pause
    from attempts a join trials t on t.id = a.trial_id join studies s on s.id = t.study_id
    where a.token_id = :token_id and a.request_id = :request_id
    order by a.ordinal
""")  # noqa: S608  # column names of our own


async def granted_before(db: Database, request: Request) -> list[Granted]:
    """What the same request was given when it came first."""
    rows = await db.run(EARLIER, {"token_id": request.token_id, "request_id": request.request_id})
    return [_granted(row) for row in rows]


# A model's suggestion is handed out only while it misses at most as many finished results as other workers are on the
# study, running a trial of it or just between two. Enqueued points, retries and rows of the samplers without a model
# have nothing to miss.
FRESH = """(
    t.source <> 'sampler' or t.attempt > 0 or s.inline_until is null or t.number < s.inline_until or (
        select count(*) from trials f where f.study_id = s.id and f.finish_seq > t.seen
    ) <= (
        select count(*) from (
            select r.worker from trials r where r.study_id = s.id and r.state = 'running'
            union
            select f.worker from trials f where f.study_id = s.id and f.finish_seq > t.seen
                and f.finished_at > clock_timestamp() - interval '10 s'
        ) others where others.worker <> :worker
    )
)"""

PICK = """
    select t.id, t.state, t.attempt, extract(epoch from clock_timestamp() - coalesce(t.lease_until, (
        select coalesce(a.promoted_at, a.ended_at) from attempts a where a.trial_id = t.id and a.attempt = t.attempt
    ), t.created_at))::float8 as waited from trials t join studies s on s.id = t.study_id
    where t.study_id = :study_id and s.state = 'running' and {which}
    order by t.number limit 1 for update of t skip locked
"""
WAITING = text(PICK.replace("{which}", f"t.state = 'waiting' and {FRESH}"))
EXPIRED = text(
    PICK.replace(
        "{which}",
        """t.state = 'running' and t.lease_until < clock_timestamp()
            and t.failures + 1 < (s.spec #>> '{trial,max_attempts}')::int and not t.pauses""",
    )
)
AGAIN = text("""
    with lost as (
        update attempts a set ended_at = clock_timestamp(), outcome = 'expired'
        where a.trial_id = :id and a.attempt = :attempt and :state = 'running'
    )
    update trials t set state = 'running', attempt = t.attempt + 1, worker = :worker,
        failures = t.failures + case when :state = 'running' then 1 else 0 end,
        lease_until = clock_timestamp() + make_interval(secs => :ttl), prune_step = null, prune_reason = null,
        pauses = false, started_at = clock_timestamp(), reason = null
    where t.id = :id
    returning t.id, t.study_id, t.number, t.attempt
""")
STARTED = text("update studies set started_at = clock_timestamp() where id = :study_id and started_at is null")

# The curve of an earlier attempt is kept up to its checkpoint, where this one goes on. That the trial was spared is
# kept with the report that it was decided on: without the audit it would have been over there, so that what comes after
# is not to be judged. Where that report is forgotten, it comes again and is judged anew.
REWIND = text("""
    with checkpoint as materialized (
        select (select step from artifacts where trial_id = :id and name = 'checkpoint') as step
    ), forgotten as (
        delete from reports r using checkpoint c where r.trial_id = :id and (c.step is null or r.step > c.step)
    )
    update trials t set last_step = c.step,
        best_score = (select min(r.score) from reports r where r.trial_id = t.id and r.step <= c.step),
        spared_step = case when t.spared_step <= c.step then t.spared_step end,
        spared_reason = case when t.spared_step <= c.step then t.spared_reason end
    from checkpoint c where t.id = :id returning c.step
""")

NOTE_ATTEMPT = text(f"""
    with noted as (
        insert into attempts (trial_id, attempt, worker, token_id, request_id, ordinal, resume_step, can_pause)
        values (:id, :attempt, :worker, :token_id, :request_id, :ordinal, :resume_step, :can_pause)
    ), told as (
        insert into events (study_id, kind, number, state) values (:study_id, 'trial', :number, 'running')
    )
    select {GRANTED_COLUMNS}, t.attempt, cast(:resume_step as int) as resume_step,
        cast(:can_pause as boolean) as can_pause
    from trials t join studies s on s.id = t.study_id where t.id = :id
""")  # noqa: S608  # column names of our own


async def grant_again(
    connection: Transaction, study_id: int, request: Request, ordinal: int, *, expired: bool
) -> Granted | None:
    """Grant a waiting trial, or one whose lease has expired; None where another was quicker or none is fresh."""
    asked: dict[str, Any] = {"study_id": study_id} if expired else {"study_id": study_id, "worker": request.worker}
    picked = await connection.one(EXPIRED if expired else WAITING, asked)
    if picked is None:
        return None
    asked = {**picked, "worker": request.worker, "ttl": request.ttl}
    found = (await connection.run(AGAIN, asked))[0]
    resume_step = None
    if found["attempt"] > 1:
        resume_step = (await connection.run(REWIND, {"id": found["id"]}))[0]["step"]
    else:
        await connection.run(STARTED, {"study_id": study_id})
    noted = {**found, **_asker(request), "ordinal": ordinal, "resume_step": resume_step}
    granted = _granted((await _run_once(connection, NOTE_ATTEMPT, noted))[0])
    return replace(granted, waited=picked["waited"], expired=expired)


async def _run_once(connection: Transaction, statement: TextClause, asked: dict[str, Any]) -> Sequence[Row]:
    """Execute what may be done once per request. Raises RequestRepeated the second time."""
    try:
        return await connection.run(statement, asked)
    except UniqueViolationError as error:
        if error.constraint_name == "uq_attempts_request":
            raise RequestRepeated from None
        raise


class RequestRepeated(Exception):
    """The same request was granted trials before."""


# One update, not a lock and then an update: the row's newest version and the one in the statement's snapshot would be
# two tuples to queue for, and two such statements can wait for each other.
TAKE_NUMBERS = text("""
    update studies s set made = s.made + :n, counted = s.counted + :n, next_cell = s.next_cell + :n,
        started_at = coalesce(s.started_at, clock_timestamp())
    where s.id = :id and s.state = 'running' and (s.n_trials is null or s.counted + :n <= s.n_trials)
        and (s.inline_until is null or s.made + :n <= s.inline_until)
    returning s.spec, s.made - :n as first_number, s.next_cell - :n as first_cell
""")

NEW = text("""
    with made as (
        insert into trials (study_id, number, state, source, cell, params, explanation, attempt, worker,
            lease_until, started_at)
        select :study_id, r.number, 'running', 'sampler', r.cell, r.params, r.explanation, 1, :worker,
            clock_timestamp() + make_interval(secs => :ttl), clock_timestamp()
        from json_to_recordset(cast(:rows as json))
            as r (number int, cell int, params json, explanation jsonb, ordinal int)
        returning id, number
    ), noted as (
        insert into attempts (trial_id, attempt, worker, token_id, request_id, ordinal, can_pause)
        select id, 1, :worker, :token_id, :request_id, :ordinal + number - :first_number, :can_pause from made
    ), told as (
        insert into events (study_id, kind, number, state) select :study_id, 'trial', number, 'running' from made
    )
    select made.id as trial_id, made.number, s.spec, s.data, s.name as study
    from made join studies s on s.id = :study_id order by made.number
""")


async def take_numbers(connection: Transaction, study_id: int, wanted: int) -> Numbers | None:
    """Take the next numbers (and cells) of a study within its budget; its row stays locked until the commit."""
    while wanted > 0:
        row = await connection.one(TAKE_NUMBERS, {"id": study_id, "n": wanted})
        if row is not None:
            numbers = tuple(range(row["first_number"], row["first_number"] + wanted))
            cells = tuple(range(row["first_cell"], row["first_cell"] + wanted))
            return Numbers(study_id, parsed(row["spec"]), numbers, cells)
        wanted //= 2  # near the end of a budget there is room for fewer
    return None


async def grant_new(
    connection: Transaction, taken: Numbers, rows: Sequence[dict[str, Any]], request: Request, ordinal: int
) -> list[Granted]:
    """Make trials (number, cell, params, explanation each) and grant them at once."""
    asked = {
        "study_id": taken.study_id,
        "ttl": request.ttl,
        "ordinal": ordinal,
        "first_number": taken.numbers[0],
        "rows": json.dumps(rows),
        **_asker(request),
    }
    made = await _run_once(connection, NEW, asked)
    params = {row["number"]: row["params"] for row in rows}
    first = {"attempt": 1, "resume_step": None, "can_pause": request.can_pause}
    return [_granted({**row, **first, "params": params[row["number"]]}) for row in made]


def _asker(request: Request) -> dict[str, Any]:
    names = ("worker", "token_id", "request_id", "can_pause")
    return {name: getattr(request, name) for name in names}


def _granted(row: Any) -> Granted:  # Any: a row by column name
    plain = {name: row[name] for name in ("trial_id", "study", "number", "attempt", "resume_step", "can_pause")}
    return Granted(**plain, params=parsed(row["params"]), spec=parsed(row["spec"]), data=parsed(row["data"]))
