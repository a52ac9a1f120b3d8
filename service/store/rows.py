"""From rows to the contract's values."""

import json
from collections.abc import Mapping
from typing import Any

from service.store.database import Row
from trialbook.wire import TRIAL_STATES, Best, Spared, Study, Trial

# Read these with `trials t join studies s`; the first are the trial as its finish left it.
FINISHED_COLUMNS = """s.name as study, t.number, t.state, t.params, t.value, t.attempt, t.worker, t.reason,
    t.explanation, t.attributes, t.created_at, t.started_at, t.finished_at, t.error, t.last_step,
    t.spared_step, t.spared_reason"""
TRIAL_COLUMNS = FINISHED_COLUMNS.replace("t.attributes", "t.attributes || coalesce(t.test, '{}') as attributes")


def parsed(column: Any) -> Any:  # Any: JSON
    """A JSON column as Python values; text statements hand it over as text."""
    return json.loads(column) if isinstance(column, str) else column


def trial_of(row: Row) -> Trial:
    """The trial in a row of TRIAL_COLUMNS."""
    return Trial.model_construct(
        **{name: row[name] for name in PLAIN},
        params=parsed(row["params"]),
        explanation=parsed(row["explanation"]),
        attributes=parsed(row["attributes"]),
        spared=spared_of(row),
    )


def spared_of(row: Row) -> Spared | None:
    """Where the trial in a row would have been pruned, had it not been spared."""
    step = row["spared_step"]
    return None if step is None else Spared(step=step, reason=row["spared_reason"])


PLAIN = tuple(name for name in Trial.model_fields if name not in ("params", "explanation", "attributes", "spared"))


def study_of(
    row: Row, counts: Mapping[str, int], best: Row | None, workers: int, standing: Mapping[str, int | None]
) -> Study:
    """The study in a row of `studies`, with what was counted beside it."""
    spec = parsed(row["spec"])
    return Study(
        name=row["name"],
        state=row["state"],
        reason=row["reason"],
        spec=spec,
        counts={state: counts.get(state, 0) for state in TRIAL_STATES},
        best=best and Best(**{**best, "params": parsed(best["params"]), "test": parsed(best["test"]) or {}}),
        owner=row["owner"],
        tags=spec["tags"],
        title=spec["title"],
        notes=spec["notes"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        n_trials=row["n_trials"],
        workers=workers,
        **standing,
    )
