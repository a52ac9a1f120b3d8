"""Curves: the metrics of a trial's steps, written by the holder of its lease."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from asyncpg import NotNullViolationError
from sqlalchemy import text

from service.store.database import Database, Row, Transaction
from service.store.rows import parsed, spared_of
from trialbook.wire import Measured, Spared

Metrics = Mapping[str, float]


@dataclass(frozen=True)
class Place:
    """Where a trial stands before a report is judged."""

    study_id: int
    number: int
    spec: dict[str, Any]  # Any: the study spec's JSON
    state: str
    attempt: int
    last_step: int | None
    best_score: float | None
    prune_step: int | None
    prune_reason: str | None
    pauses: bool  # whether that decision is a pause
    spared: Spared | None  # where it would have been pruned, but runs on for the audit
    rung: int | None  # the milestone at which the trial was last paused
    reason: str | None
    study_state: str
    can_pause: bool


@dataclass(frozen=True)
class Step:
    """A report ready to be stored."""

    step: int
    metrics: Metrics
    score: float | None
    milestone: int | None = None
    compared: float | None = None


PLACE = text("""
    select t.study_id, t.number, s.spec, t.state, t.attempt, t.last_step, t.best_score, t.prune_step, t.prune_reason,
        t.pauses, t.spared_step, t.spared_reason, t.rung, t.reason, s.state as study_state,
        coalesce(a.can_pause, false) as can_pause
    from trials t join studies s on s.id = t.study_id
        left join attempts a on a.trial_id = t.id and a.attempt = t.attempt
    where t.id = :trial
""")


async def place(db: Database, trial: int) -> Place | None:
    """Where this trial stands; None when it (or its study) was deleted."""
    rows = await db.run(PLACE, {"trial": trial})
    return _place(rows[0]) if rows else None


def _place(row: Row) -> Place:
    plain = {name: row[name] for name in Place.__dataclass_fields__ if name not in ("spec", "spared")}
    return Place(**plain, spec=parsed(row["spec"]), spared=spared_of(row))


# A spared trial is no rival where those that were pruned are none: the audit changes no other trial's decision.
# Not `exists`, for which the planner would read all trials of all studies into a hash.
RIVALS = text("""
    select recent.score
    from (
        select r.score, r.trial_id from reports r
        where r.study_id = :study_id and r.milestone = :milestone and r.trial_id <> :trial
        order by r.trial_id desc limit 1000
    ) recent
    where :all_states or (
        select t.state = 'complete' and t.spared_step is null from trials t where t.id = recent.trial_id
    )
""")


async def rival_scores(db: Database, study_id: int, trial: int, milestone: int, *, only_complete: bool) -> list[float]:
    """The scores of at most 1,000 recent other trials at this milestone."""
    asked = {"study_id": study_id, "trial": trial, "milestone": milestone, "all_states": not only_complete}
    return [row["score"] for row in await db.run(RIVALS, asked) if row["score"] is not None]


class MetricSets:
    """The numbers of the sets of metric names that reports come with; what was looked up once is kept."""

    ADD = text("insert into metric_sets (names) values (cast(:names as text[])) on conflict do nothing")
    FIND = text("select id from metric_sets where names = cast(:names as text[])")
    USED = text("""
        insert into study_metrics (study_id, metric_set)
        select id, cast(:set as int) from studies where id = :study_id for key share
        on conflict do nothing
    """)  # of a study that is being deleted nothing is noted

    def __init__(self, db: Database) -> None:
        self._db = db
        self._numbers: dict[tuple[str, ...], int] = {}
        self._used: set[tuple[int, int]] = set()

    async def number(self, study_id: int, names: tuple[str, ...]) -> int:
        """The number of this set, which the study is noted to use."""
        found = self._numbers.get(names) or await self._look_up(names)
        if (study_id, found) not in self._used:
            await self._db.run(self.USED, {"study_id": study_id, "set": found})
            self._used.add((study_id, found))
        return found

    async def look_up(self, study_id: int, steps: Sequence[Step]) -> None:
        """Learn the numbers of all these steps' sets, so that `number` needs no connection for them."""
        for names in {tuple(sorted(step.metrics)) for step in steps}:
            await self.number(study_id, names)

    async def _look_up(self, names: tuple[str, ...]) -> int:
        asked = {"names": list(names)}
        if not (rows := await self._db.run(self.FIND, asked)):
            await self._db.run(self.ADD, asked)
            rows = await self._db.run(self.FIND, asked)
        self._numbers[names] = rows[0]["id"]
        return self._numbers[names]


# A batch is judged by where its trial stands: of two at once the second is judged again, and told what is stored.
#
# The trial's row is locked by `held`, so reports of one trial come one after another. A step that is there with other
# values stops the whole batch; one that is there with the same values is left as it is. What another report has stored
# while this one waited for the row is not seen by `held`, but by the insert, which then fails on purpose.
RECORD = text("""
    with sent as materialized (
        select s.step, s.metric_set, s.score, s.milestone, s.compared,
            (cast(:vals as float8[]))[s.first : s.first + s.n - 1] as vals
        from unnest(
            cast(:steps as int[]), cast(:sets as int[]), cast(:firsts as int[]), cast(:lengths as int[]),
            cast(:scores as float8[]), cast(:milestones as int[]), cast(:compared as float8[])
        ) as s (step, metric_set, first, n, score, milestone, compared)
    ), held as materialized (
        update trials t set
            lease_until = clock_timestamp() + make_interval(secs => :ttl),
            last_step = greatest(t.last_step, (
                select max(step) from sent where step <= coalesce(t.prune_step, :prune_step, step)
            )),
            best_score = least(t.best_score, (
                select min(score) from sent where step <= coalesce(t.prune_step, :prune_step, step)
            )),
            prune_step = coalesce(t.prune_step, :prune_step), prune_reason = coalesce(t.prune_reason, :prune_reason),
            pauses = t.pauses or (t.prune_step is null and :pauses),
            spared_step = coalesce(t.spared_step, :spared_step),
            spared_reason = coalesce(t.spared_reason, :spared_reason)
        where t.id = :trial and t.attempt = :attempt and t.state = 'running'
            and t.last_step is not distinct from cast(:last_step as int)
            and not exists (
                select from sent join reports r on r.trial_id = :trial and r.step = sent.step
                where r.metric_set <> sent.metric_set or r.vals <> sent.vals
            )
        returning t.study_id, t.number, t.prune_step, t.prune_reason, t.pauses, t.spared_step, t.spared_reason
    ), stored as (
        insert into reports as r (trial_id, step, attempt, metric_set, vals, score, study_id, milestone, compared)
        select :trial, sent.step, :attempt, sent.metric_set, sent.vals, sent.score, held.study_id, sent.milestone,
            sent.compared
        from held, sent
        where sent.step <= coalesce(held.prune_step, sent.step)
        on conflict (trial_id, step) do update set vals = null
            where r.metric_set <> excluded.metric_set or r.vals <> excluded.vals
        returning step
    ), told as (
        insert into events (study_id, kind, number, first_step, last_step)
        select held.study_id, 'report', held.number, min(stored.step), max(stored.step)
        from held, stored group by held.study_id, held.number
    )
    select held.*, (select count(*) from stored) as stored from held
""")


@dataclass(frozen=True)
class Recorded:
    """What became of a batch: how many of its steps were new, and the prune decision that stands, if any, or the one
    that the trial was spared."""

    stored: int
    prune_step: int | None
    prune_reason: str | None
    pauses: bool
    spared: Spared | None


async def record(
    db: Database,
    sets: MetricSets,
    trial: int,
    attempt: int,
    place: Place,
    steps: Sequence[Step],
    *,
    ttl: float,
    prune_reason: str | None,
    pauses: bool = False,
    spared: Spared | None = None,
) -> Recorded | None:
    """Store steps under a lease and renew it; with a prune_reason the last of them is where the trial is pruned
    (with `pauses`, for now); `spared` is where it would have been, but runs on.

    None: nothing was stored, since the lease is lost, the trial no longer runs or has come further than `place` says,
    or a step is there with other values.
    """
    names = [tuple(sorted(step.metrics)) for step in steps]
    vals = [step.metrics[name] for step, known in zip(steps, names, strict=True) for name in known]
    ends = _running_sum(len(known) for known in names)
    asked: dict[str, Any] = {
        "trial": trial,
        "attempt": attempt,
        "last_step": place.last_step,
        "ttl": ttl,
        "vals": vals,
        "steps": [step.step for step in steps],
        "sets": [await sets.number(place.study_id, known) for known in names],
        "firsts": [end - len(known) + 1 for end, known in zip(ends, names, strict=True)],
        "lengths": [len(known) for known in names],
        "scores": [step.score for step in steps],
        "milestones": [step.milestone for step in steps],
        "compared": [step.compared for step in steps],
        "prune_step": steps[-1].step if prune_reason and steps else None,
        "prune_reason": prune_reason,
        "pauses": pauses,
        "spared_step": spared.step if spared else None,
        "spared_reason": spared.reason if spared else None,
    }
    try:
        rows = await db.run(RECORD, asked)
    except NotNullViolationError:
        return None
    if not rows:
        return None
    plain = {name: rows[0][name] for name in ("stored", "prune_step", "prune_reason", "pauses")}
    return Recorded(**plain, spared=spared_of(rows[0]))


def _running_sum(lengths: Any) -> list[int]:  # Any: an iterable of int
    total, sums = 0, []
    for length in lengths:
        total += length
        sums.append(total)
    return sums


IMPORT = text("""
    insert into reports (trial_id, step, attempt, metric_set, vals, score, study_id)
    values (:trial, :step, 0, :set, cast(:vals as float8[]), :score, :study_id)
""")
IMPORTED = text("""
    update trials set last_step = :last, best_score = (select min(score) from reports where trial_id = :trial)
    where id = :trial
""")


async def record_import(
    connection: Transaction, sets: MetricSets, study_id: int, trial: int, steps: Sequence[Step]
) -> None:
    """Store the curve of a trial that was run elsewhere."""
    rows = []
    for step in steps:
        names = tuple(sorted(step.metrics))
        vals = [step.metrics[name] for name in names]
        number = await sets.number(study_id, names)
        rows.append({"trial": trial, "step": step.step, "set": number, "vals": vals, "score": step.score})
    if rows:
        await connection.run_each(IMPORT, [{**row, "study_id": study_id} for row in rows])
        await connection.run(IMPORTED, {"trial": trial, "last": max(step.step for step in steps)})


CURVE = text("""
    select r.step, m.names, r.vals from reports r join metric_sets m on m.id = r.metric_set
    where r.trial_id = :trial order by r.step
""")
THESE_STEPS = text("""
    select r.step, m.names, r.vals, r.attempt from reports r join metric_sets m on m.id = r.metric_set
    where r.trial_id = :trial and r.step = any(cast(:steps as int[]))
""")


async def curve(db: Database, trial: int) -> list[Measured]:
    """All reports of a trial, by step."""
    return [_measured(row) for row in await db.run(CURVE, {"trial": trial})]


async def stored_steps(db: Database, trial: int, steps: Sequence[int]) -> dict[int, Metrics]:
    """What is stored at these steps."""
    rows = await db.run(THESE_STEPS, {"trial": trial, "steps": list(steps)})
    return {row["step"]: dict(zip(row["names"], row["vals"], strict=True)) for row in rows}


def _measured(row: Any) -> Measured:  # Any: a row by column name
    metrics = dict(zip(row["names"], row["vals"], strict=True))
    return Measured.model_construct(step=row["step"], metrics=metrics)
