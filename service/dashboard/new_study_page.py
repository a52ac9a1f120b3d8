"""The page on which a study is written, checked and submitted: what it begins with is said by its address."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from models.catalog import TRAINERS, Trainer
from service import datasets, studies
from service.api.bodies import Ctx
from service.auth import Submitter
from service.context import Context
from service.dashboard import words
from service.dashboard.rendering import render
from service.store.studies import study_key
from trialbook.spec import EXTERNAL, StudySpec
from trialbook.wire import Dataset
from trialbook.yaml_text import text_of

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
Name = Annotated[str | None, Query(max_length=200)]
FIRST = "mlp"
HEAD = "# A study: what is trained, over which values, how they are chosen, and when it ends.\n"
OWN: dict[str, Any] = {  # Any: JSON
    "objective": {"trainer": EXTERNAL, "metric": "val_loss", "direction": "minimize"},
    "space": {
        "learning_rate": {"type": "float", "low": 1e-4, "high": 0.1, "log": True},
        "layers": {"type": "int", "low": 1, "high": 4},
    },
}


@dataclass(frozen=True)
class NewStudyPage:
    """What the page says before its scripts run."""

    text: str
    origin: str | None
    trainer: str | None
    data: str | None
    trainers: tuple[Trainer, ...]
    datasets: tuple[Dataset, ...]
    samplers: str


@router.get("/studies/new")
async def new_study_page(
    request: Request,
    context: Ctx,
    holder: Submitter,
    trainer: Name = None,
    data: Name = None,
    origin: Annotated[str | None, Query(alias="from", max_length=200)] = None,
) -> HTMLResponse:
    """An editor that begins with a trainer's example, or with another study."""
    sets = await datasets.list_all(context)
    if origin is not None:
        spec = StudySpec.model_validate((await studies.read(context, holder, origin)).spec)
        trainer, data, head = None, None, f"# Cloned from {origin}.\n"
    else:
        chosen = next((one for one in sets if one.name == data), None)
        spec, head = starting(trainer or fitting(chosen), chosen), HEAD
        trainer, data = spec.objective.trainer, spec.objective.data
    spec = spec.model_copy(update={"name": await free_name(context, spec.name)})
    page = NewStudyPage(
        text=head + text_of(spec),
        origin=origin,
        trainer=trainer,
        data=data,
        trainers=tuple(TRAINERS.values()),
        datasets=tuple(sets),
        samplers=json.dumps(words.SAMPLERS),
    )
    return render(request, "new.html", page)


def fitting(data: Dataset | None) -> str:
    """A trainer that learns from such data; the first of all where none is known."""
    return next((one.name for one in (TRAINERS[FIRST], *TRAINERS.values()) if data and data.task in one.tasks), FIRST)


def starting(name: str, data: Dataset | None) -> StudySpec:
    """A study to begin with: the trainer's own example, on that data where the trainer can learn from it."""
    trainer = TRAINERS.get(name)
    known = trainer.default_spec if trainer else OWN
    objective = dict(known["objective"])
    if trainer and data and data.task in trainer.tasks:
        objective |= {"data": data.name, **_metric(trainer, data.task, objective["metric"])}
    title = "-".join(filter(None, (objective["trainer"], objective.get("data"))))
    return StudySpec.model_validate(
        {
            **known,
            "name": re.sub(r"[^a-z0-9.-]", "-", title.lower())[:90],
            "objective": objective,
            "sampler": {"name": "gp"},
            "pruner": {"name": "median", "n_warmup_steps": 3},
            "budget": {"n_trials": 60},
        }
    )


def _metric(trainer: Trainer, task: str, wanted: str) -> dict[str, str]:
    """The wanted metric if it is reported for the task, else the first one that is measured beside the loss."""
    fitting = [one for one in trainer.metrics if task in one.tasks and one.name.startswith("val_")]
    fitting.sort(key=lambda one: (one.name != wanted, one.name == "val_loss"))
    return {"metric": fitting[0].name, "direction": fitting[0].direction}


async def free_name(context: Context, name: str) -> str:
    """The name, or one like it that no study has."""
    for one in names_like(name):
        if await study_key(context.db, one) is None:
            return one
    return name  # the check on the page will say that it is taken


def names_like(name: str) -> Iterable[str]:
    """The name, then name-2, name-3 …"""
    stem = re.sub(r"-\d{1,3}$", "", name)[:95]
    yield name
    yield from (f"{stem}-{number}" for number in range(2, 100))
