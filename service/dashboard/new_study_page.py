"""The page on which a study is written, checked and submitted: what it begins with is said by its address."""

import json
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from models.catalog import TRAINERS, Trainer
from service import datasets, studies
from service.api.bodies import Ctx
from service.auth import Submitter
from service.catalogue import described
from service.context import Context
from service.dashboard import drafts, words
from service.dashboard.options import PARTS, named_options, options_of
from service.dashboard.rendering import render
from service.store.studies import study_key
from trialbook.spec import EXTERNAL, StudySpec
from trialbook.starting import learns, names_like, starting_spec
from trialbook.wire import Dataset
from trialbook.yaml_text import text_of

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
router.include_router(drafts.router)
Name = Annotated[str | None, Query(max_length=200)]
FIRST = "mlp"
NAMED = ("sampler", "pruner")
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
    options: str


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
        spec, head = starting(trainer, chosen), HEAD
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
        options=json.dumps(all_options()),
    )
    return render(request, "new.html", page)


def starting(name: str | None, data: Dataset | None) -> StudySpec:
    """A study to begin with: the trainer's own example, on that data where the trainer can learn from it."""
    if name is None:
        able = [one for one in (TRAINERS[FIRST], *TRAINERS.values()) if data and data.task in one.tasks]
        name = next((one.name for one in able if data and data.form in one.forms), FIRST)
    if name not in TRAINERS:
        return starting_spec({"name": name, "default_spec": OWN}, None)
    trainer = described(TRAINERS[name])
    return starting_spec(trainer, data if data and learns(trainer, data) else None)


def all_options() -> dict[str, Any]:  # Any: JSON
    """The fields of the form: of each part, and of each sampler and pruner by name."""
    named = {part: {n: [vars(one) for one in found] for n, found in named_options(part).items()} for part in NAMED}
    return named | {part: [vars(one) for one in options_of(part)] for part in PARTS}


async def free_name(context: Context, name: str) -> str:
    """The name, or one like it that no study has."""
    for one in names_like(name):
        if await study_key(context.db, one) is None:
            return one
    return name  # the check on the page will say that it is taken
