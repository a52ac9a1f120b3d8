"""A study's past, written straight into the database: finished trials with their curves, attempts and events."""

from collections.abc import Sequence

import asyncpg
from sqlalchemy.engine import make_url

METRICS = ("loss", "train_loss")
STEPS = 5
PER_STATEMENT = 50_000  # trials
# Every tenth trial was pruned, every fiftieth failed. A trial's first report is where a pruner compares it.
FILL = """
    with made as (
        insert into trials (study_id, number, state, source, params, attempt, worker, last_step, best_score, value,
            score, finish_seq, started_at, finished_at)
        select $1, n, kind.state, 'sampler', json_build_object('x', random(), 'y', random()), 1, 'w' || n % 32, $4 - 1,
            v.value, case when kind.state <> 'failed' then v.value end,
            case when kind.state <> 'failed' then v.value end,
            case when kind.state <> 'failed' then nextval('finish_order') end, now(), now()
        from generate_series($2::int, $3::int - 1) n
            cross join lateral (select random() + n * 0.0 as value) v
            cross join lateral (select case when n % 10 = 1 then 'pruned' when n % 50 = 2 then 'failed'
                else 'complete' end as state) kind
        returning id, study_id, number, state, value
    ), curves as (
        insert into reports (trial_id, step, attempt, metric_set, vals, score, study_id, milestone)
        select made.id, s, 1, $5, v.vals, v.vals[1], made.study_id, case when s = 0 then 0 end
        from made, generate_series(0, $4 - 1) s
            cross join lateral (select array_agg(random()) as vals from generate_series(1, $6::int) where s >= 0) v
    ), held as (
        insert into attempts (trial_id, attempt, worker, token_id, request_id, ordinal, ended_at, outcome)
        select id, 1, 'w' || number % 32, 'past', study_id || '-' || number, 0, now(), state from made
    )
    insert into events (study_id, kind, number, state) select study_id, 'trial', number, kind.state
    from made, lateral (values ('running'), (made.state)) kind (state)
"""


async def fill(
    database: str, study: str, trials: int, *, steps: int = STEPS, metrics: Sequence[str] = METRICS, vacuum: bool = True
) -> None:
    """Add finished trials to a study that has just been made; `database` is its URL."""
    dsn = make_url(database).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(dsn)
    try:
        study_id = await connection.fetchval("select id from studies where name = $1", study)
        names = sorted(metrics)
        await connection.execute("insert into metric_sets (names) values ($1) on conflict do nothing", names)
        metric_set = await connection.fetchval("select id from metric_sets where names = $1", names)
        for first in range(0, trials, PER_STATEMENT):
            until = min(trials, first + PER_STATEMENT)
            await connection.execute(FILL, study_id, first, until, steps, metric_set, len(names), timeout=600)
        counted = "update studies set made = $2, counted = $2, next_cell = $2, started_at = now() where id = $1"
        await connection.execute(counted, study_id, trials)
        if vacuum:
            await connection.execute("vacuum analyze", timeout=600)
            await connection.execute("checkpoint", timeout=600)  # else the measurement pays for writing this out
    finally:
        await connection.close()
