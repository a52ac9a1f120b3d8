"""The page of one trial: what was tried, what became of it, and the files that it keeps."""

import json
import shlex
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import HTMLResponse

from models.catalog import TRAINERS
from service import artifacts, reading, studies
from service.api.bodies import Ctx
from service.auth import Reader
from service.dashboard import words
from service.dashboard.rendering import render
from trialbook.files import MODEL
from trialbook.spec import StudySpec
from trialbook.wire import Artifact, Study, TrialDetail
from trialbook.words import OVER

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
Number = Annotated[int, Path(ge=0, le=2**31 - 1)]
FILES = {
    "checkpoint": "from where a worker can go on",
    "confusion.json": "how often each class is called which, on the validation part",
    "gradient_check.json": "gradients against finite differences",
    "histograms.json": "activations and gradients of each layer over the steps",
    "mistakes.json": "the worst mistakes on the validation part",
    "model.json": "what else is needed to predict",
    "model.safetensors": "the parameters of the best step",
    "output.txt": "what the trial printed",
}


@dataclass(frozen=True)
class TrialPage:
    """What the trial's page says before its scripts run."""

    study: Study
    trial: TrialDetail
    metric: str | None
    direction: str
    standing: str
    explanation: str
    tested: str
    artifacts: tuple[Artifact, ...]
    about: dict[str, str]  # what files of known names are
    command: str  # that brings the model home; empty where none is kept
    unseen: str  # why no histograms are there, where there could be some
    patience: int | None
    is_best: bool
    has_next: bool
    may_add: bool  # whether who looks may put trials into the study's queue
    may_cancel: bool

    @property
    def space(self) -> str:
        """The study's parameters, for the scripts as JSON."""
        return json.dumps(self.study.spec["space"])

    @property
    def params(self) -> str:
        """The trial's parameters, for the scripts as JSON."""
        return json.dumps(self.trial.params)

    @property
    def folder(self) -> str:
        """Where the command puts the model."""
        return f"{self.study.name}-{self.trial.number}"


@router.get("/studies/{name}/trials/{number}")
async def trial_page(name: str, number: Number, request: Request, context: Ctx, holder: Reader) -> HTMLResponse:
    """A trial: what was tried, why, and what became of it."""
    study = await studies.read(context, holder, name)
    trial = await reading.trial(context, holder, name, number)
    files = await artifacts.list_all(context, holder, name, number)
    url, may_change = str(request.base_url).rstrip("/"), holder.role != "viewer"
    return render(request, "trial.html", trial_view(study, trial, tuple(files), url, may_change=may_change))


def trial_view(
    study: Study, trial: TrialDetail, files: tuple[Artifact, ...], url: str, *, may_change: bool
) -> TrialPage:
    """All that the trial's template needs."""
    spec = StudySpec.model_validate(study.spec)
    metric = spec.objective.metric
    patience = spec.early_stopping.patience if spec.early_stopping else None
    names = {one.name for one in files if one.removed_at is None}
    return TrialPage(
        study=study,
        trial=trial,
        metric=metric,
        direction=spec.direction,
        standing=words.ended(trial, patience),
        explanation=words.explained(trial, metric),
        tested=words.tested(trial.attributes, metric),
        artifacts=files,
        about=FILES if spec.objective.trainer in TRAINERS else {},
        command=_command(study, trial, url) if names.issuperset(MODEL) else "",
        unseen="" if "histograms.json" in names else _unseen(spec, trial),
        patience=patience,
        has_next=trial.number + 1 < sum(study.counts.values()),
        is_best=study.best is not None and study.best.number == trial.number,
        may_add=may_change and study.state in ("running", "paused"),
        may_cancel=may_change and trial.state not in OVER,
    )


def _command(study: Study, trial: TrialDetail, url: str) -> str:
    place = f"{study.name} {trial.number} --download {study.name}-{trial.number}"
    return f"trialbook show {place} --url {shlex.quote(url)}"


def _unseen(spec: StudySpec, trial: TrialDetail) -> str:
    trainer = TRAINERS.get(spec.objective.trainer)
    if trainer is None or "histograms" not in trainer.parameters:
        return ""
    known: dict[str, Any] = {**spec.objective.fixed, **trial.params}  # Any: JSON scalars
    if known.get("histograms") is not True:
        return (
            "No histograms of activations and gradients are kept: write histograms: true among the fixed parameters "
            "of a study, and its trials keep some."
        )
    if trial.state in ("waiting", "running"):
        return "The histograms of activations and gradients are here when the trial is over."
    return "The trial was over before its histograms could be kept."
