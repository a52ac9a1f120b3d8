"""Curves of many trials at once."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text

from service.store.database import Database


@dataclass(frozen=True)
class Curve:
    """A trial's steps with what was measured at each, and how long after the trial's start."""

    number: int
    state: str
    value: float | None
    reason: str | None  # why it was stopped early, or ended
    steps: list[tuple[int, dict[str, float]]]
    seconds: list[float | None]


NAMES = text("""
    select distinct name from study_metrics u join metric_sets m on m.id = u.metric_set, unnest(m.names) as name
    where u.study_id = :study_id order by name
""")
# Hashes of numbers are a sample that stays the same from one look to the next, and grows with the study.
SHOWN = text("""
    with reported as materialized (
        select number, state, score from trials where study_id = :study_id and last_step is not null
    ), best as materialized (
        select number from reported where state = 'complete' order by score, number limit :best
    ), latest as materialized (
        select number from reported where number not in (select number from best)
        order by number desc limit :latest - case when :fills then (select count(*) from best) else 0 end
    ), random as (
        select number from reported
        where number not in (select number from best) and number not in (select number from latest)
        order by hashint4(number), number limit :random
    )
    select number, kind, (select count(*) from reported) as reported from (
        select number, 'best' as kind from best
        union all select number, 'latest' from latest
        union all select number, 'random' from random
    ) shown order by number
""")
READ = text("""
    select t.number, t.state, t.value, coalesce(t.prune_reason, t.reason) as reason, r.step, m.names, r.vals,
        extract(epoch from r.at - t.started_at)::float8 as seconds
    from trials t join reports r on r.trial_id = t.id join metric_sets m on m.id = r.metric_set
    where t.study_id = :study_id and t.number = any(cast(:numbers as int[])) order by t.number, r.step
""")


@dataclass(frozen=True)
class Chosen:
    """The trials to show where not all can be, by why they were chosen, of how many that reported anything."""

    best: list[int]
    latest: list[int]
    random: list[int]
    reported: int

    @property
    def numbers(self) -> list[int]:
        """All of them, by number."""
        return sorted([*self.best, *self.latest, *self.random])


async def metric_names(db: Database, study_id: int) -> list[str]:
    """The names of all metrics that trials of this study reported."""
    return [row["name"] for row in await db.run(NAMES, {"study_id": study_id})]


async def best_and_latest(db: Database, study_id: int, limit: int) -> Chosen:
    """Up to half of the limit the best trials, and the latest of the others."""
    return await _choose(db, study_id, best=limit // 2, latest=limit, random=0, fills=True)


async def choose(db: Database, study_id: int, *, best: int, latest: int, random: int) -> Chosen:
    """So many of the best complete trials, of the latest of the others, and at random of those that are left."""
    return await _choose(db, study_id, best=best, latest=latest, random=random, fills=False)


async def _choose(db: Database, study_id: int, **asked: int) -> Chosen:
    rows = await db.run(SHOWN, {"study_id": study_id, **asked})
    kinds: dict[str, list[int]] = {"best": [], "latest": [], "random": []}
    for row in rows:
        kinds[row["kind"]].append(row["number"])
    return Chosen(**kinds, reported=rows[0]["reported"] if rows else 0)


async def read_curves(db: Database, study_id: int, numbers: Sequence[int]) -> list[Curve]:
    """The curves of these trials, by number; trials without a report are left out."""
    found: dict[int, Curve] = {}
    for row in await db.run(READ, {"study_id": study_id, "numbers": list(numbers)}):
        told = (row["number"], row["state"], row["value"], row["reason"])
        curve = found.setdefault(row["number"], Curve(*told, [], []))
        curve.steps.append((row["step"], dict(zip(row["names"], row["vals"], strict=True))))
        curve.seconds.append(row["seconds"])
    return list(found.values())
