"""What early stopping did in a study: how many steps trials took, and those that would have been stopped but ran on."""

from collections import Counter
from dataclasses import dataclass, field

from sqlalchemy import text

from service.store.database import Database

# Results from elsewhere were not judged here, and what its own worker ended as pruned was not stopped by a pruner.
STEPS = text("""
    select case
            when spared_step is not null then 'spared'
            when state = 'pruned' and prune_step is null then 'other'
            else state
        end as kind, state, coalesce(last_step + 1, 0) as steps, count(*) as n
    from trials where study_id = :study_id and source <> 'import' and state <> 'waiting' group by 1, 2, 3
""")
BEST = text("""
    select number, value from trials
    where study_id = :study_id and state = 'complete' and spared_step is null and score < 'infinity'
    order by score, number limit 1
""")
SPARED = text("""
    select t.number, t.state, t.spared_step as step, t.spared_reason as reason, t.value, r.score
    from (
        select * from trials where study_id = :study_id and spared_step is not null
        order by hashint4(number) limit :most
    ) t left join reports r on r.trial_id = t.id and r.step = t.spared_step
    order by t.number
""")


@dataclass(frozen=True)
class Spared:
    """A trial that would have been pruned at a step; `score` is what it had there, `value` what came of it."""

    number: int
    state: str
    step: int
    reason: str
    score: float | None
    value: float | None


@dataclass(frozen=True)
class Stops:
    """How many trials took so many steps, by what became of them; `spared` is a sample where there are very many."""

    spent: int = 0  # steps of all trials
    pruned: Counter[int] = field(default_factory=Counter)
    complete: Counter[int] = field(default_factory=Counter)  # those that were not spared
    spared_steps: Counter[int] = field(default_factory=Counter)  # of complete ones
    spared_by_state: Counter[str] = field(default_factory=Counter)
    spared: tuple[Spared, ...] = ()
    best: tuple[int, float] | None = None  # number and value of the best one that was not spared


async def stops(db: Database, study_id: int, *, most: int) -> Stops:
    """All that early stopping did, with at most so many of the spared trials, by number."""
    asked = {"study_id": study_id}
    rows = await db.run(STEPS, asked)
    steps: dict[str, Counter[int]] = {kind: Counter() for kind in ("pruned", "complete", "spared")}
    states: Counter[str] = Counter()
    for row in rows:
        if row["kind"] == "spared":
            states[row["state"]] += row["n"]
        if row["kind"] in steps and (row["kind"] != "spared" or row["state"] == "complete"):
            steps[row["kind"]][row["steps"]] += row["n"]
    best = await db.run(BEST, asked)
    return Stops(
        spent=sum(row["steps"] * row["n"] for row in rows),
        pruned=steps["pruned"],
        complete=steps["complete"],
        spared_steps=steps["spared"],
        spared_by_state=states,
        spared=tuple(Spared(**row) for row in await db.run(SPARED, {**asked, "most": most})),
        best=(best[0]["number"], best[0]["value"]) if best else None,
    )
