"""What people look at: a trial, curves, the data behind figures, exports."""

import asyncio
import csv
import io
import json
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Any

from fastapi import Response

from service.context import Context
from service.curves import Asked, band_json, curves_json
from service.dashboard.figures import FIGURES
from service.outcomes import history_json
from service.sampled import DEAR, sampled_json
from service.sampled import KINDS as SAMPLED
from service.selection import NO_FILTERS, Filters, order_of, select
from service.stops import early_stopping_json
from service.store import curves as curve_store
from service.store.listing import ALL, BY_NUMBER, Selection, count_trials, list_trials
from service.store.studies import StudyKey
from service.store.tokens import Holder
from service.store.trials import read_trial
from service.studies import find
from service.timeline import timeline_json
from service.trials import NO_TRIAL
from trialbook.errors import FieldError, Invalid, NotFound
from trialbook.spec import StudySpec
from trialbook.values import spell
from trialbook.wire import Trial, TrialDetail, TrialPage

SMALL = 1000  # trials up to which everything is read anew for whoever asks; of more, what is drawn may be a bit older
PAGE = 250  # trials read at once: about as many milliseconds as others can be made to wait for
# The last ones are about other rows than trials: of more curves than should pass through here, of attempts, and of the
# reports at which trials would have been stopped.
KINDS = (*FIGURES, "band", "timeline", "early_stopping")
OPTUNA_STATES = {
    "waiting": "WAITING",
    "running": "RUNNING",
    "paused": "RUNNING",  # Optuna has no such state; it has no value yet, only what it reported so far
    "complete": "COMPLETE",
    "pruned": "PRUNED",
    "failed": "FAIL",
    "cancelled": "FAIL",
}


async def trial(context: Context, holder: Holder, study: str, number: int) -> TrialDetail:
    """One trial with its curve and attempts."""
    key = await find(context, holder, study)
    found = await read_trial(context.db, key.id, number)
    if found is None:
        raise NotFound(NO_TRIAL)
    return found


async def trials(
    context: Context,
    holder: Holder,
    study: str,
    filters: Filters,
    *,
    order: str,
    cursor: str | None,
    limit: int,
    count: bool,
) -> TrialPage:
    """A page of those trials that pass the filters, and if asked how many do."""
    key = await find(context, holder, study)
    spec = StudySpec.model_validate(key.spec)
    selection, ordering = select(spec, key.made, filters), order_of(spec, key.made, order)
    items, following = await list_trials(context.db, key.id, selection, ordering, cursor=cursor, limit=limit)
    total = await count_trials(context.db, key.id, selection) if count else None
    return TrialPage(items=items, next_cursor=following, total=total)


async def curves(context: Context, holder: Holder, study: str, asked: Asked) -> bytes:
    """Curves by trial, as JSON. Raises Invalid."""
    key = await find(context, holder, study)
    return await _drawn(context, key, ("curves", key.id, asked), lambda: curves_json(context, key, asked))


async def _drawn(
    context: Context, key: StudyKey, asked: Hashable, make: Callable[[], Awaitable[bytes]], *, dear: bool = False
) -> bytes:
    """What a figure is drawn from: of a large study, or where it is dear, made once for all who look, and told for a
    while; of a study that is over, what was made after its end."""
    if key.made <= SMALL and not dear:
        return await make()
    made: bytes = await context.shared.get((asked, key.state), make)
    return made


async def all_trials(context: Context, study_id: int, selection: Selection = ALL) -> list[Trial]:
    """Every trial of a selection by number."""
    found: list[Trial] = []
    cursor: str | None = None
    while True:
        page, cursor = await list_trials(context.db, study_id, selection, BY_NUMBER, cursor=cursor, limit=PAGE)
        found += page
        if cursor is None:
            return found


@dataclass(frozen=True)
class Wanted:
    """What a figure may be asked for besides: the metric of `band`; how many of which trials, of `history`; the two
    parameters of `contour`, `rank` and `belief`; how `importance` is judged."""

    metric: str | None = None
    most: int | None = None
    first: int = 0
    last: int = 2**31 - 1
    x: str | None = None
    y: str | None = None
    method: str | None = None

    def options(self, kind: str) -> dict[str, str]:
        """What a sampled figure of this kind is asked for."""
        pair = ("x", "y")
        names = {"contour": pair, "rank": pair, "belief": pair, "importance": ("method",)}.get(kind, ())
        return {name: asked for name in names if (asked := getattr(self, name)) is not None}


async def analysis(context: Context, holder: Holder, study: str, kind: str, wanted: Wanted) -> bytes:
    """The plain data behind a figure, as JSON. Raises Invalid."""
    key = await find(context, holder, study)
    if kind not in KINDS:
        raise NotFound(f"There is no such analysis; known are {', '.join(KINDS)}.")
    asked = ("analysis", key.id, kind, wanted)
    return await _drawn(context, key, asked, lambda: _analysis(context, key, kind, wanted), dear=kind in DEAR)


async def _analysis(context: Context, key: StudyKey, kind: str, wanted: Wanted) -> bytes:
    if kind == "timeline":
        return await timeline_json(context, key, wanted.last)
    if kind == "early_stopping":
        return await early_stopping_json(context, key)
    if kind == "band":
        return await band_json(context, key, wanted.metric)
    if kind == "history" and wanted.most is not None:
        return await history_json(context, key, most=wanted.most, first=wanted.first, last=wanted.last)
    if kind in SAMPLED:
        return await sampled_json(context, key, kind, wanted.options(kind))
    spec = StudySpec.model_validate(key.spec)
    found = await all_trials(context, key.id)
    return await asyncio.to_thread(lambda: _figure_json(FIGURES[kind](spec, found)))


def _figure_json(figure: dict[str, Any]) -> bytes:
    """A figure as JSON, item by item: one call for all would let no other thread run for a tenth of a second."""
    items = ", ".join([json.dumps(item) for item in figure["items"]])
    return f"{json.dumps({**figure, 'items': []})[: -len('[]}')]}[{items}]}}".encode()


async def export(context: Context, holder: Holder, study: str, form: str, filters: Filters = NO_FILTERS) -> Response:
    """A study, or what of its trials passes the filters, in a form for other programs."""
    key = await find(context, holder, study)
    spec = StudySpec.model_validate(key.spec)
    trials = await all_trials(context, key.id, select(spec, key.made, filters))
    if form == "csv":
        body, kind = _csv(spec, trials), "text/csv; charset=utf-8"
    elif form in ("json", "optuna"):
        numbers = [one.number for one in trials]
        found = {one.number: one.steps for one in await curve_store.read_curves(context.db, key.id, numbers)}
        dump = _json_export if form == "json" else _optuna_export
        body, kind = json.dumps(dump(key.name, spec, trials, found)), "application/json"
    else:
        raise Invalid(errors=[FieldError("/format", "must be json, csv or optuna")])
    extension = "csv" if form == "csv" else "json"
    headers = {"content-disposition": f'attachment; filename="{key.name}.{extension}"'}
    return Response(body, media_type=kind, headers=headers)


Curves = dict[int, list[tuple[int, dict[str, float]]]]


def _json_export(name: str, spec: StudySpec, trials: list[Trial], curves: Curves) -> dict[str, Any]:
    return {
        "study": name,
        "spec": spec.model_dump(mode="json"),
        "trials": [{**one.model_dump(mode="json"), "reports": _reports(curves.get(one.number, []))} for one in trials],
    }


def _reports(steps: list[tuple[int, dict[str, float]]]) -> list[dict[str, Any]]:
    return [
        {"step": step, "metrics": {name: spell(value) for name, value in metrics.items()}} for step, metrics in steps
    ]


def _optuna_export(name: str, spec: StudySpec, trials: list[Trial], curves: Curves) -> dict[str, Any]:
    """What optuna.trial.create_trial takes for each trial, with the distributions in Optuna's own JSON."""
    distributions = {n: json.dumps(_distribution(p)) for n, p in spec.space.root.items()}
    metric = spec.objective.metric or ""
    items = [
        {
            "number": one.number,
            "state": OPTUNA_STATES[one.state],
            "value": None if one.value is None else spell(one.value),
            "params": one.params,
            "distributions": {n: distributions[n] for n in one.params},
            "user_attrs": one.attributes,
            "intermediate_values": {s: spell(m[metric]) for s, m in curves.get(one.number, []) if metric in m},
        }
        for one in trials
    ]
    return {"study_name": name, "direction": spec.direction, "trials": items}


def _distribution(parameter: Any) -> dict[str, Any]:  # Any: one of the three kinds
    if parameter.type == "categorical":
        return {"name": "CategoricalDistribution", "attributes": {"choices": list(parameter.choices)}}
    kind = {"float": "FloatDistribution", "int": "IntDistribution"}[parameter.type]
    return {"name": kind, "attributes": parameter.model_dump(include={"low", "high", "log", "step"})}


def _csv(spec: StudySpec, trials: list[Trial]) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    fields = ("number", "state", "value", "attempt", "worker", "created_at", "started_at", "finished_at", "error")
    writer.writerow([*fields, *(_guarded(f"params.{name}") for name in spec.space.names)])
    for one in trials:
        row = one.model_dump(mode="json")
        cells = [row[field] for field in fields] + [one.params.get(name) for name in spec.space.names]
        writer.writerow([_guarded(cell) for cell in cells])
    return out.getvalue()


def _guarded(cell: Any) -> Any:  # Any: JSON scalar
    """Text that a spreadsheet would run as a formula is quoted."""
    return "'" + cell if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
