"""Trials: read, and added by hand."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from service.store.database import Database, Transaction
from service.store.reporting import curve
from service.store.rows import TRIAL_COLUMNS, trial_of
from trialbook.wire import Attempt, Trial, TrialDetail

ONE = text(f"""
    select t.id as trial_id, {TRIAL_COLUMNS} from trials t join studies s on s.id = t.study_id
    where t.study_id = :study_id and t.number = :number
""")  # noqa: S608  # column names of our own
ATTEMPTS = text("""
    select attempt, worker, outcome, error, started_at, ended_at from attempts where trial_id = :trial order by attempt
""")


async def find_trial(db: Database, study_id: int, number: int) -> tuple[int, Trial] | None:
    """A trial by its number, with its row's id."""
    rows = await db.run(ONE, {"study_id": study_id, "number": number})
    return (rows[0]["trial_id"], trial_of(rows[0])) if rows else None


HELD = text("""
    select t.id from trials t join studies s on s.id = t.study_id
        join attempts a on a.trial_id = t.id and a.attempt = t.attempt
    where s.name = :study and t.number = :number and t.state = 'running' and a.token_id = :token_id
""")


async def is_held(db: Database, study: str, number: int, token_id: str) -> int | None:
    """The row of a trial that runs under this token, else None."""
    rows = await db.run(HELD, {"study": study, "number": number, "token_id": token_id})
    return int(rows[0]["id"]) if rows else None


async def read_trial(db: Database, study_id: int, number: int) -> TrialDetail | None:
    """A trial with its whole curve and its attempts."""
    if (found := await find_trial(db, study_id, number)) is None:
        return None
    row_id, trial = found
    attempts = [Attempt(**row) for row in await db.run(ATTEMPTS, {"trial": row_id})]
    return TrialDetail.model_construct(**dict(trial), reports=await curve(db, row_id), attempts=attempts)


@dataclass(frozen=True)
class Added:
    """A trial to be added: a point to try, or a result from elsewhere."""

    params: dict[str, Any]  # Any: JSON scalars
    state: str
    value: float | None
    score: float | None
    attributes: dict[str, Any]


# Results from elsewhere are history, not work: they take numbers but nothing from the budget.
# A grid's points of its user's come on top of its cells, each of which is tried all the same.
END = """least((s.spec #>> '{budget,n_trials}')::int, cast(:cells as int) + s.counted + :counted - s.next_cell)"""
TAKE = text(f"""
    update studies s set made = s.made + :n, counted = s.counted + :counted, n_trials = {END}
    where s.id = :id and s.state in ('running', 'paused')
        and (:counted = 0 or s.counted + :counted <= coalesce({END}, s.counted + :counted))
    returning s.made - :n as first
""")  # noqa: S608  # an expression of our own
ADD = text("""
    with made as (
        insert into trials (study_id, number, state, source, params, value, score, attributes, finish_seq,
            started_at, finished_at)
        select :id, :first + r.place - 1, r.state, case when r.state = 'waiting' then 'enqueued' else 'import' end,
            r.params, r.value, r.score, r.attributes,
            case when r.state in ('complete', 'pruned') then nextval('finish_order') end,
            case when r.state <> 'waiting' then clock_timestamp() end,
            case when r.state <> 'waiting' then clock_timestamp() end
        from unnest(cast(:params as json[]), cast(:states as text[]), cast(:values as float8[]),
            cast(:scores as float8[]), cast(:attributes as jsonb[]))
            with ordinality as r (params, state, value, score, attributes, place)
        order by r.place
        returning id, number, state
    ), told as (
        insert into events (study_id, kind, number, state) select :id, 'trial', number, state from made
    )
    select id, number from made order by number
""")


async def add_trials(
    connection: Transaction, study_id: int, trials: Sequence[Added], cells: int | None
) -> list[tuple[int, int]] | None:
    """Add trials; their (row id, number) pairs, or None where the study is over or its budget has no room for them.

    `cells` is how many the study's grid has, None where it has no grid.
    """
    counted = sum(trial.state == "waiting" for trial in trials)
    taken = await connection.one(TAKE, {"id": study_id, "n": len(trials), "counted": counted, "cells": cells})
    if taken is None:
        return None
    asked = {
        "id": study_id,
        "first": taken["first"],
        "params": [json.dumps(trial.params) for trial in trials],
        "states": [trial.state for trial in trials],
        "values": [trial.value for trial in trials],
        "scores": [trial.score for trial in trials],
        "attributes": [json.dumps(trial.attributes) for trial in trials],
    }
    return [(row["id"], row["number"]) for row in await connection.run(ADD, asked)]
