"""Curves as people look at them: of the trials that tell most, thinned, with the band in which most of them run."""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from service.context import Context
from service.store import bands
from service.store import curves as store
from service.store.studies import StudyKey
from trialbook.errors import FieldError, Invalid
from trialbook.values import spell

POINTS = 200  # of one curve, at most
MOST = 1000  # curves


@dataclass(frozen=True)
class Asked:
    """Which curves: those of `trials` (numbers with commas between); or so many of the best complete ones, of the
    latest and at random; or, where none of these is said, the best and the latest up to the limit."""

    metrics: tuple[str, ...] = ()
    trials: str = ""
    limit: int = 100
    best: int | None = None
    latest: int | None = None
    random: int | None = None

    @property
    def counts(self) -> dict[str, int] | None:
        """How many of each kind, None where no number is said."""
        said = {"best": self.best, "latest": self.latest, "random": self.random}
        return None if all(one is None for one in said.values()) else {kind: one or 0 for kind, one in said.items()}


async def curves_json(context: Context, key: StudyKey, asked: Asked) -> bytes:
    """Curves by trial, as JSON. Raises Invalid."""
    known = await store.metric_names(context.db, key.id)
    objective = key.spec["objective"]["metric"]
    wanted = asked.metrics or ((objective,) if objective else known)
    chosen = await _chosen(context, key, asked)
    numbers = chosen.numbers[:MOST] if isinstance(chosen, store.Chosen) else chosen
    found = await store.read_curves(context.db, key.id, numbers)
    note = _note(chosen, found, key.made)
    answer = {"study": key.name, "metrics": known, "shown": list(wanted), "total": key.made, "note": note}
    return await asyncio.to_thread(
        lambda: json.dumps({**answer, "items": [_item(one, wanted) for one in found]}).encode()
    )


async def _chosen(context: Context, key: StudyKey, asked: Asked) -> store.Chosen | list[int]:
    if asked.trials:
        return _numbers(asked.trials)[: asked.limit]
    if asked.counts is not None:
        return await store.choose(context.db, key.id, **asked.counts)
    return await store.best_and_latest(context.db, key.id, asked.limit)


def _note(chosen: store.Chosen | list[int], found: list[store.Curve], made: int) -> str:
    """What is shown of what there is, in words."""
    if not isinstance(chosen, store.Chosen):
        return f"showing {len(found):,} of {made:,} curves"
    if len(chosen.numbers) == chosen.reported:
        return f"showing all {chosen.reported:,} curves"
    told = {"best {}": chosen.best, "latest {}": chosen.latest, "{} at random": chosen.random}
    parts = ", ".join(words.format(f"{len(some):,}") for words, some in told.items() if some)
    return f"showing {len(found):,} of {chosen.reported:,} curves: {parts}"


def _item(one: store.Curve, wanted: Iterable[str]) -> dict[str, Any]:
    value = None if one.value is None else spell(one.value)
    return {"number": one.number, "state": one.state, "value": value, "reason": one.reason, **_thinned(one, wanted)}


def _numbers(chosen: str) -> list[int]:
    parts = chosen.split(",")
    if not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
        raise Invalid(errors=[FieldError("/trials", "must be trial numbers with commas between")])
    return [int(part) for part in parts]


def _thinned(one: store.Curve, wanted: Iterable[str]) -> dict[str, Any]:
    """At most POINTS steps, evenly chosen, always with the first and the last; `seconds` since the trial's start."""
    steps, seconds = one.steps, one.seconds
    if len(steps) > POINTS:
        places = [round(i * (len(steps) - 1) / (POINTS - 1)) for i in range(POINTS)]
        steps, seconds = [steps[i] for i in places], [seconds[i] for i in places]
    values = {name: [spell(metrics[name]) if name in metrics else None for _, metrics in steps] for name in wanted}
    passed = [None if at is None else round(at, 3) for at in seconds]
    return {"steps": [step for step, _ in steps], "seconds": passed, "values": values}


async def band_json(context: Context, key: StudyKey, metric: str | None) -> bytes:
    """The band of a metric, the objective's where none is named, as JSON: `items` by step. Raises Invalid."""
    known = await store.metric_names(context.db, key.id)
    name = metric or key.spec["objective"]["metric"] or next(iter(known), None)
    if metric and metric not in known:
        raise Invalid(errors=[FieldError("/metric", f"must be one of {', '.join(known)}")])
    found = await bands.read_band(context.db, key.id, name) if name else bands.Band(0, 0, [])
    whole = (
        f"of {found.trials:,} trials"
        if found.sampled == found.trials
        else (f"of {found.sampled:,} of {found.trials:,} trials, chosen at random")
    )
    head = {"kind": "band", "metric": name, "trials": found.trials, "sampled": found.sampled}
    note = f"10th to 90th percentile {whole}, as far as they got"
    return json.dumps({**head, "note": note, "items": [asdict(one) for one in found.places]}).encode()
