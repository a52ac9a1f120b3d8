"""The pages of one study and of one trial: read through the use cases, rendered from one value each."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import HTMLResponse

from service import artifacts, reading, studies
from service.api.bodies import Ctx
from service.auth import Reader
from service.dashboard import words
from service.dashboard.rendering import ENVIRONMENT, render
from trialbook.spec import StudySpec
from trialbook.wire import Artifact, Study, TrialDetail

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
ENVIRONMENT.globals["words"] = words
Number = Annotated[int, Path(ge=0, le=2**31 - 1)]


@dataclass(frozen=True)
class Param:
    """A column of the table of trials."""

    name: str
    numeric: bool


@dataclass(frozen=True)
class StudyPage:
    """What the study's page says before its scripts run."""

    study: Study
    metric: str | None
    direction: str
    badge: str
    over: int
    left: str
    needs_worker: bool
    command: str
    lost: str
    tested: str
    params: tuple[Param, ...]
    may_change: bool

    @property
    def param_names(self) -> str:
        """For the scripts, as JSON."""
        return json.dumps([vars(one) for one in self.params])


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
    patience: int | None
    is_best: bool
    has_next: bool


@router.get("/studies/{name}")
async def study_page(name: str, request: Request, context: Ctx, holder: Reader) -> HTMLResponse:
    """A study: how good, still getting better, what next."""
    study = await studies.read(context, holder, name)
    page = study_view(study, str(request.base_url).rstrip("/"), datetime.now(UTC), may_change=holder.role != "viewer")
    return render(request, "study.html", page)


@router.get("/studies/{name}/trials/{number}")
async def trial_page(name: str, number: Number, request: Request, context: Ctx, holder: Reader) -> HTMLResponse:
    """A trial: what was tried, why, and what became of it."""
    study = await studies.read(context, holder, name)
    trial = await reading.trial(context, holder, name, number)
    files = await artifacts.list_all(context, holder, name, number)
    return render(request, "trial.html", trial_view(study, trial, tuple(files)))


def study_view(study: Study, url: str, now: datetime, *, may_change: bool) -> StudyPage:
    """All that the study's template needs."""
    spec = StudySpec.model_validate(study.spec)
    return StudyPage(
        study=study,
        metric=spec.objective.metric,
        direction=spec.direction,
        badge=words.STUDY_BADGES[study.state],
        over=words.finished(study),
        left=words.time_left(study, now),
        needs_worker=study.state == "running" and study.workers == 0,
        command=words.start_command(study, url),
        lost=words.lost_by_cancel(study),
        tested=words.tested(study.best.test, spec.objective.metric) if study.best else "",
        params=tuple(Param(name, one.type != "categorical") for name, one in spec.space.root.items()),
        may_change=may_change,
    )


def trial_view(study: Study, trial: TrialDetail, files: tuple[Artifact, ...]) -> TrialPage:
    """All that the trial's template needs."""
    spec = StudySpec.model_validate(study.spec)
    metric = spec.objective.metric
    patience = spec.early_stopping.patience if spec.early_stopping else None
    return TrialPage(
        study=study,
        trial=trial,
        metric=metric,
        direction=spec.direction,
        standing=words.ended(trial, patience),
        explanation=words.explained(trial, metric),
        tested=words.tested(trial.attributes, metric),
        artifacts=files,
        patience=patience,
        has_next=trial.number + 1 < sum(study.counts.values()),
        is_best=study.best is not None and study.best.number == trial.number,
    )
