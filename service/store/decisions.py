"""What is stored of a study's decisions: suggestions with what their sampler knew, and what its pruner compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from service.search.protocol import History, Observation, Pending
from service.store.database import Database
from service.store.histories import observed
from service.store.rows import parsed

TRIALS = text("""
    select number, source, cell, params, explanation, state, score, finish_seq
    from trials where study_id = :study_id order by number
""")
# What samplers saw of trials while they were paused.
PAUSES = text("""
    select t.number, t.params, 'pruned' as state, a.paused_score as score, a.paused_seq as finish_seq
    from trials t join attempts a on a.trial_id = t.id
    where t.study_id = :study_id and a.paused_seq is not null order by a.paused_seq
""")
JUDGED = text("""
    select t.number, r.step, r.score, r.milestone, r.compared, r.best_score, coalesce(a.can_pause, false) as can_pause,
        r.step is not distinct from coalesce(a.paused_step, t.prune_step, t.spared_step) as pruned,
        r.attempt < t.attempt and a.paused_step is null and t.spared_step is null as from_earlier
    from trials t join (
        select trial_id, step, score, milestone, compared, attempt,
            min(score) over (partition by trial_id order by step) as best_score
        from reports where study_id = :study_id
    ) r on r.trial_id = t.id left join attempts a on a.trial_id = t.id and a.attempt = r.attempt
    where r.milestone is not null and r.score is not null order by t.number, r.step
""")


@dataclass(frozen=True)
class Suggested:
    """A sampler's suggestion as it is stored."""

    number: int
    cell: int | None
    params: dict[str, Any]  # Any: JSON scalars
    explanation: dict[str, Any]


@dataclass(frozen=True)
class Judged:
    """A report that a pruner has judged, and whether it pruned the trial there, or would have: then it was spared."""

    number: int
    step: int
    score: float
    milestone: int
    compared: float | None
    best_score: float  # of the steps up to this one
    pruned: bool
    from_earlier: bool  # of an attempt that was lost, and its decision with it; a spared trial's goes on standing
    can_pause: bool  # whether that attempt's worker could


@dataclass(frozen=True)
class Promoted:
    """A trial that went on from where it was paused, and what it was compared with then."""

    number: int
    step: int
    score: float
    milestone: int
    compared: float | None


class Decisions:
    """A study's trials, and from them the history that a sampler saw at any time."""

    def __init__(self, rows: Sequence[Mapping[str, Any]], pauses: Sequence[Mapping[str, Any]] = ()) -> None:
        # Any: columns
        self._params = {row["number"]: parsed(row["params"]) for row in rows}
        recorded = [*pauses, *rows]
        finished = [row for row in recorded if row["finish_seq"] is not None and row["score"] is not None]
        self._finished = sorted(finished, key=lambda row: int(row["finish_seq"]))
        self.suggested = [
            Suggested(row["number"], row["cell"], self._params[row["number"]], parsed(row["explanation"]))
            for row in rows
            if row["source"] == "sampler"
        ]

    def history(self, seen: int, pending: Sequence[int]) -> History:
        """What was known when the last finish was `seen` and these trials were still to come.

        A result can take its place in the order before it is seen; its trial was then among the pending ones.
        """
        waited_for = set(pending)
        latest = {
            row["number"]: row
            for row in self._finished
            if row["finish_seq"] <= seen and row["number"] not in waited_for
        }
        finished = [
            Observation(number, self._params[number], row["score"], observed(row["state"]))
            for number, row in sorted(latest.items(), key=lambda item: int(item[1]["finish_seq"]))
        ]
        return History(tuple(finished), tuple(Pending(number, self._params[number]) for number in pending))


async def decisions(db: Database, study_id: int) -> Decisions:
    """All suggestions of a study."""
    asked = {"study_id": study_id}
    return Decisions(await db.run(TRIALS, asked), await db.run(PAUSES, asked))


async def judged(db: Database, study_id: int) -> list[Judged]:
    """All reports that a pruner has judged, in their order."""
    return [Judged(**row) for row in await db.run(JUDGED, {"study_id": study_id})]


PROMOTIONS = text("""
    select t.number, a.paused_step as step, a.paused_score as score, a.paused_rung as milestone,
        a.promoted_against as compared
    from trials t join attempts a on a.trial_id = t.id
    where t.study_id = :study_id and a.promoted_at is not null order by t.number, a.attempt
""")


async def promoted(db: Database, study_id: int) -> list[Promoted]:
    """All promotions of a study."""
    return [Promoted(**row) for row in await db.run(PROMOTIONS, {"study_id": study_id})]
