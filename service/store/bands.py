"""Where the curves of most trials run: the quantiles of a metric at each step, over all trials or a sample of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from sqlalchemy import text

from service.store.database import Database

TRIALS = 1000  # at most, in the sample
LEAST = 20  # trials in the sample even where their curves are very long
REPORTS = 200_000  # about as many are read
PLACES = 100  # steps at which the band is told, at most


@dataclass(frozen=True)
class Place:
    """A step, or a stretch of steps by its middle: how many trials got there, and their quantiles."""

    step: float
    trials: int
    low: float
    median: float
    high: float


@dataclass(frozen=True)
class Band:
    """The 10th to the 90th percentile over `sampled` of the `trials` that reported anything."""

    trials: int
    sampled: int
    places: Sequence[Place]


SIZES = text("""
    select count(*) as trials, coalesce(max(last_step), 0) + 1 as longest, coalesce(sum(last_step + 1), 0) as steps
    from trials where study_id = :study_id and last_step is not null
""")
QUANTILES = text("""
    with sampled as materialized (
        select id from trials where study_id = :study_id and last_step is not null
        order by hashint4(number), number limit :sampled
    ), measured as (
        select r.trial_id, r.step, r.vals[array_position(m.names, cast(:metric as text))] as value
        from sampled s join reports r on r.trial_id = s.id join metric_sets m on m.id = r.metric_set
    )
    select avg(step)::float8 as step, count(distinct trial_id) as trials,
        percentile_cont(array[0.1, 0.5, 0.9]) within group (order by value) as quantiles
    from measured where value > '-infinity' and value < 'infinity'
    group by step / cast(:width as int) order by step / cast(:width as int)
""")


async def read_band(db: Database, study_id: int, metric: str) -> Band:
    """The band of a metric; the sample is the same from one look to the next, but for what new trials change in it."""
    [sizes] = await db.run(SIZES, {"study_id": study_id})
    if not sizes["trials"]:
        return Band(0, 0, [])
    sampled = min(sizes["trials"], TRIALS, max(LEAST, REPORTS * sizes["trials"] // int(sizes["steps"])))
    width = ceil(sizes["longest"] / PLACES)
    rows = await db.run(QUANTILES, {"study_id": study_id, "metric": metric, "sampled": sampled, "width": width})
    places = [Place(row["step"], row["trials"], *row["quantiles"]) for row in rows]
    return Band(sizes["trials"], sampled, places)
