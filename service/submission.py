"""A study's checks that need more than its spec: is the trainer known, does it report the metric, is the data there."""

import json
from dataclasses import dataclass
from typing import Any

from models.catalog import DATASETS, TRAINERS
from models.catalog import Trainer as BookTrainer
from service import search
from service.store.database import Database
from service.store.datasets import find_dataset
from service.store.studies import NewStudy
from trialbook.errors import FieldError, invalid
from trialbook.spec import EXTERNAL, Objective, StudySpec

WORDS = {
    "table": "a table",
    "image": "images",
    "sequence": "sequences of numbers",
    "tokens": "sequences of tokens",
    "text": "running text",
}


@dataclass(frozen=True)
class Data:
    """A data set that a study names: its form and task, and for an uploaded one what pins it."""

    form: str
    task: str
    pinned: dict[str, Any] | None  # Any: JSON


async def complete(db: Database, spec: StudySpec) -> tuple[StudySpec, Data | None]:
    """The spec with its direction filled in, and its data. Raises Invalid with a pointer for each mistake."""
    objective = spec.objective
    data = await _find_data(db, objective.data) if objective.data is not None else None
    errors: list[FieldError] = []
    if objective.data is not None and data is None:
        errors.append(FieldError("/objective/data", "is no data set here: see the list of data sets, or upload it"))
    trainer = TRAINERS.get(objective.trainer)
    if trainer is not None:
        errors += _trainer_errors(trainer, spec, data)
    elif objective.trainer != EXTERNAL and ":" not in objective.trainer:
        known = ", ".join([*TRAINERS, EXTERNAL])
        message = f"is no trainer; known are {known}, and MODULE:FUNCTION of your own"
        errors.append(FieldError("/objective/trainer", message))
    if errors:
        raise invalid(errors)
    directed = objective.model_copy(update={"direction": objective.direction or _direction(trainer, objective)})
    return spec.model_copy(update={"objective": directed}), data


async def _find_data(db: Database, name: str) -> Data | None:
    if (uploaded := await find_dataset(db, name)) is not None:
        pinned = uploaded.model_dump(include={"name", "sha256", "task", "target", "media_type", "size"})
        return Data(uploaded.form, uploaded.task, pinned)
    builtin = DATASETS.get(name)
    return None if builtin is None else Data(builtin.form, builtin.task, None)


def _trainer_errors(trainer: BookTrainer, spec: StudySpec, data: Data | None) -> list[FieldError]:
    objective, errors = spec.objective, []
    if objective.data is None:
        errors.append(FieldError("/objective/data", f"is required by the trainer {trainer.name}"))
    elif data is not None and data.task not in trainer.tasks:
        errors.append(FieldError("/objective/data", f"is for {data.task}, which {trainer.name} does not do"))
    elif data is not None and data.form not in trainer.forms:
        errors.append(FieldError("/objective/data", f"holds {WORDS[data.form]}, which {trainer.name} does not take"))
    tasks = {data.task} if data is not None else set(trainer.tasks)
    metrics = [metric.name for metric in trainer.metrics if tasks & set(metric.tasks)]
    if objective.metric not in metrics:
        errors.append(FieldError("/objective/metric", f"is not reported by {trainer.name}: {', '.join(metrics)}"))
    for name, value in objective.fixed.items():
        errors += _value_errors(trainer, name, value, f"/objective/fixed/{name}")
    for name, parameter in spec.space.root.items():
        ends = getattr(parameter, "choices", None) or (getattr(parameter, "low", 0), getattr(parameter, "high", 0))
        found = [error for end in ends for error in _value_errors(trainer, name, end, f"/space/{name}")]
        errors += found[:1]
    return errors


def _value_errors(trainer: BookTrainer, name: str, value: object, pointer: str) -> list[FieldError]:
    try:
        trainer.complete({name: value})
    except ValueError as error:
        return [FieldError(pointer, str(error))]
    return []


def _direction(trainer: BookTrainer | None, objective: Objective) -> str:
    for metric in trainer.metrics if trainer else ():
        if metric.name == objective.metric:
            return metric.direction
    return "minimize"


def row_of(spec: StudySpec, data: Data | None, owner: str) -> NewStudy:
    """The study as the store takes it."""
    cells, wanted = spec.n_cells, spec.budget.n_trials
    ends = [n for n in (cells, wanted) if n is not None]
    model_based = spec.sampler.name in search.MODEL_BASED
    return NewStudy(
        name=spec.name,
        owner=owner,
        spec=spec.model_dump_json(),
        data=None if data is None or data.pinned is None else json.dumps(data.pinned),
        trainer=spec.objective.trainer,
        priority=spec.priority,
        n_trials=min(ends) if ends else None,
        timeout=spec.budget.timeout,
        inline_until=getattr(spec.sampler, "n_startup_trials", None) if model_based else None,
    )
