"""What samplers know of studies: read whole once and kept, so that only trials that changed since are read again.

Whatever changes a trial's state writes an event in the same transaction, and an event carries the transaction's id.
Each look notes the oldest transaction that still runs: what this look cannot see has that id or a later one, however
late it commits. So the next look reads again all trials with events from that id on, whatever became of them.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import text

from service.search.protocol import History, Observation, Pending
from service.store.database import Database, Row
from service.store.rows import parsed

MOST_STUDIES = 100  # kept
MOST_TRIALS = 200_000  # kept, of all studies together
MOST_CHANGES = 10_000  # events of one look; after more of them a study is read whole


@dataclass(frozen=True)
class Known:
    """A study's history at one instant, with what identifies it for a replay."""

    spec: dict[str, Any]  # Any: the study spec's JSON
    history: History
    seen: int  # the last finish_seq in it
    renewable: tuple[int, ...]  # waiting suggestions that may be made anew


# Of events, the oldest that is still stored; a server that was started anew may have lost what another had told.
LOOK = text("""
    select spec, cast(cast(pg_snapshot_xmin(pg_current_snapshot()) as text) as bigint) as xid,
        pg_postmaster_start_time() as server, (
            select cast(cast(xid as text) as bigint) from events order by events.xid, events.id limit 1
        ) as oldest
    from studies where id = :study_id
""")
# A trial that is paused is known as far as it came, also when it went on later and was lost or cancelled.
TRIALS = """
    select t.number, t.params, t.state, t.attempt, t.source, case when own.is_result then t.score else pause.score end
        as score, case when own.is_result then t.finish_seq else pause.seq end as finish_seq
    from trials t cross join lateral (
        select t.state in ('complete', 'pruned', 'paused') and t.score is not null as is_result
    ) own left join lateral (
        select a.paused_score as score, a.paused_seq as seq from attempts a
        where a.trial_id = t.id and a.paused_seq is not null
            and not own.is_result and t.state not in ('waiting', 'running')
        order by a.attempt desc limit 1
    ) pause on true
"""
WHOLE = text(f"""
    {TRIALS} where t.study_id = :study_id
        and (t.state in ('waiting', 'running') or own.is_result or pause.score is not null)
""")
# One statement, so one instant: a trial that ends meanwhile must not be missed among both its pending and its finished.
# `limit` and `offset 0` keep the planner to the indexes, since it expects half of all events behind any place.
CHANGED = text(f"""
    with recent as materialized (
        select number, kind from events
        where (study_id, xid) >= (:study_id, cast(cast(:xid as text) as xid8)) and study_id <= :study_id
        order by events.study_id, events.xid, events.id limit :most
    ), chosen as materialized (
        select number from recent where kind = 'trial'
        union
        select number from trials where study_id = :study_id and state in ('waiting', 'running')
    )
    select counted.changes, found.* from (select count(*) as changes from recent) counted left join (
        select one.* from chosen cross join lateral (
            {TRIALS} where t.study_id = :study_id and t.number = chosen.number offset 0
        ) one
    ) found on true
""")  # noqa: S608  # a statement of our own


@dataclass
class _Kept:
    """A study's results by number, each with its place in the order of results; and of when they are."""

    xid: int
    server: datetime
    results: dict[int, tuple[int, Observation]] = field(default_factory=dict)

    def take(self, rows: Sequence[Row]) -> None:
        """Replace what is known of these trials."""
        for row in rows:
            self.results.pop(row["number"], None)
            if row["finish_seq"] is not None:
                one = Observation(row["number"], parsed(row["params"]), row["score"], observed(row["state"]))
                self.results[row["number"]] = (row["finish_seq"], one)


class Histories:
    """The histories that were read last, by study: at most so many studies, and so many trials of all together.

    histories = Histories()
    known = await histories.known(db, study_id)
    """

    def __init__(self, *, studies: int = MOST_STUDIES, trials: int = MOST_TRIALS, changes: int = MOST_CHANGES) -> None:
        self._studies, self._trials, self._changes = studies, trials, changes
        self._kept: OrderedDict[int, _Kept] = OrderedDict()  # by row id, which no other study gets; the latest last

    async def known(self, db: Database, study_id: int) -> Known | None:
        """What a sampler may know of a study now; suggestions that may be made anew are not pending."""
        looks = await db.run(LOOK, {"study_id": study_id})
        kept = self._kept.pop(study_id, None)  # not kept where what follows fails
        if not looks:
            return None
        [look] = looks
        rows: Sequence[Row] | None = None
        if kept is not None and _holds(kept, look):
            rows = await self._changed(db, study_id, kept)
        if kept is None or rows is None:
            kept = _Kept(look["xid"], look["server"])
            rows = await db.run(WHOLE, {"study_id": study_id})
        kept.take(rows)
        kept.xid = look["xid"]
        self._keep(study_id, kept)
        return _known(parsed(look["spec"]), kept, [row for row in rows if row["state"] in ("waiting", "running")])

    async def _changed(self, db: Database, study_id: int, kept: _Kept) -> list[Row] | None:
        """The trials that changed since, and all that are pending; None where it is too many."""
        asked = {"study_id": study_id, "xid": str(kept.xid), "most": self._changes}
        rows = await db.run(CHANGED, asked)
        return None if rows[0]["changes"] >= self._changes else [row for row in rows if row["number"] is not None]

    def _keep(self, study_id: int, kept: _Kept) -> None:
        self._kept[study_id] = kept
        while len(self._kept) > self._studies or sum(len(one.results) for one in self._kept.values()) > self._trials:
            self._kept.popitem(last=False)


def _holds(kept: _Kept, look: Row) -> bool:
    """Whether all that happened since can be read from events: none was forgotten, and the server is the same."""
    return kept.server == look["server"] and look["oldest"] is not None and look["oldest"] <= kept.xid <= look["xid"]


def _known(spec: dict[str, Any], kept: _Kept, pending: list[Row]) -> Known:  # Any: as above
    finished = sorted(kept.results.values(), key=lambda one: one[0])
    pending = sorted(pending, key=lambda row: int(row["number"]))
    renewable = tuple(
        row["number"]
        for row in pending
        if row["state"] == "waiting" and row["attempt"] == 0 and row["source"] == "sampler"
    )
    history = History(
        tuple(one for _, one in finished),
        tuple(Pending(row["number"], parsed(row["params"])) for row in pending if row["number"] not in renewable),
    )
    return Known(spec, history, finished[-1][0] if finished else 0, renewable)


def observed(state: str) -> Literal["complete", "pruned"]:
    """How a sampler sees a result: what did not run to its end came only so far."""
    return "complete" if state == "complete" else "pruned"
