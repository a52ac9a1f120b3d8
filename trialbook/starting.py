"""A study to begin with: a trainer's own example, on the data that one has. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from trialbook.errors import FieldError, Invalid
from trialbook.spec import StudySpec
from trialbook.wire import Dataset

JSON = Mapping[str, Any]  # Any: JSON
N_TRIALS = 60


def learns(trainer: JSON, data: Dataset) -> bool:
    """Whether the trainer, as the catalogue describes it, takes such data."""
    return data.task in trainer["tasks"] and data.form in trainer["forms"]


def starting_spec(trainer: JSON, data: Dataset | None, **changes: Any) -> StudySpec:  # Any: JSON
    """A whole study from an item of the list of trainers, on that data or else on the trainer's own.

    `changes` replace parts of the spec. Raises Invalid where the trainer does not take the data.
    """
    objective = dict(trainer["default_spec"]["objective"])
    if data is not None and data.name != objective.get("data"):
        if not learns(trainer, data):
            message = f"is {data.form} for {data.task}, which {trainer['name']} does not take"
            raise Invalid(errors=[FieldError("/objective/data", message)])
        objective |= {"data": data.name, **_metric(trainer, data.task, objective["metric"])}
    title = "-".join(filter(None, (objective["trainer"], objective.get("data"))))
    return StudySpec.model_validate(
        {
            "name": re.sub(r"[^a-z0-9.-]", "-", title.lower())[:90],
            "sampler": {"name": "gp"},
            "pruner": {"name": "median", "n_warmup_steps": 3},
            "budget": {"n_trials": N_TRIALS},
            **trainer["default_spec"],
            "objective": objective,
            **changes,
        }
    )


def _metric(trainer: JSON, task: str, wanted: str) -> dict[str, str]:
    """The wanted metric if it is reported for the task, else the first one that is measured beside the loss."""
    reported = [one for one in trainer["metrics"] if task in one["tasks"] and one["name"].startswith("val_")]
    reported.sort(key=lambda one: (one["name"] != wanted, one["name"] == "val_loss"))
    return {"metric": reported[0]["name"], "direction": reported[0]["direction"]}


def names_like(name: str) -> Sequence[str]:
    """The name, then name-2, name-3 … as long as anybody may look for a free one."""
    stem = re.sub(r"-\d{1,3}$", "", name)[:95]
    return [name, *(f"{stem}-{number}" for number in range(2, 100))]
