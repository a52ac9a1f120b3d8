"""A study's decisions made again from what is stored: the suggestions by its sampler, the stops by its pruner."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from service import leases, pruning, search
from service.fits import FitFailed
from service.store import decisions as store
from service.store.database import Database
from service.store.decisions import Decisions, Judged, Promoted, Suggested
from service.store.granting import Numbers
from service.store.studies import study_key
from service.suggester import FIT_SECONDS, Fits
from trialbook.errors import NotFound
from trialbook.spec import StudySpec


@dataclass(frozen=True)
class Difference:
    """A decision that comes out otherwise."""

    number: int
    step: int | None  # None: the suggestion itself
    stored: Any  # Any: a point, or whether it was pruned
    again: Any


@dataclass(frozen=True)
class Replayed:
    """What a replay made again."""

    suggestions: int
    prunings: int  # decisions at milestones, to prune or to go on, and promotions
    untold: int  # decisions that what was compared does not tell: diverged trials, where others had too or were few
    differences: tuple[Difference, ...]


async def replay(db: Database, fits: Fits, name: str) -> Replayed:
    """Make all decisions of a study again. Raises NotFound."""
    key = await study_key(db, name)
    if key is None:
        raise NotFound("There is no study of that name.")
    spec = StudySpec.model_validate(key.spec)
    stored = await store.decisions(db, key.id)
    differences = [found for one in stored.suggested if (found := await _suggestion(fits, spec, stored, one))]
    judged = [one for one in await store.judged(db, key.id) if not one.from_earlier]
    again = [_again(spec, one) for one in judged]
    differences += [
        Difference(one.number, one.step, one.pruned, prunes)
        for one, prunes in zip(judged, again, strict=True)
        if prunes is not None and prunes != one.pruned
    ]
    promoted = await store.promoted(db, key.id)
    differences += [Difference(one.number, one.step, False, True) for one in promoted if _stays(spec, one)]
    return Replayed(len(stored.suggested), len(judged) + len(promoted), again.count(None), tuple(differences))


async def _suggestion(fits: Fits, spec: StudySpec, stored: Decisions, one: Suggested) -> Difference | None:
    again = await _point(fits, spec, stored, one)
    # As JSON: 1, 1.0 and True are different values of a parameter.
    return None if json.dumps(again) == json.dumps(one.params) else Difference(one.number, None, one.params, again)


async def _point(fits: Fits, spec: StudySpec, stored: Decisions, one: Suggested) -> Any:  # Any: JSON scalars
    known = one.explanation
    if known.get("mode") == "fallback":
        return search.fallback(spec.space, spec.sampler, one.number, known["reason"]).params
    if "seen_finish" not in known:  # a lease made it
        cell = one.number if one.cell is None else one.cell
        return leases.points(spec, Numbers(0, {}, (one.number,), (cell,)))[0]["params"]
    numbers: Sequence[int] = [*known.get("batch", ()), one.number]
    history = stored.history(known["seen_finish"], known["pending"])
    try:
        return (await fits.suggest(spec, history, numbers, FIT_SECONDS))[-1].params
    except FitFailed as error:
        return str(error)


def _again(spec: StudySpec, one: Judged) -> bool | None:
    pruner = pruning.build(spec.pruner, spec.sign, spec.objective.metric or "value", can_pause=one.can_pause)
    return pruner.prunes(pruning.Own(one.step, one.score, one.best_score, one.milestone), one.compared)


def _stays(spec: StudySpec, one: Promoted) -> bool | None:
    pruner = pruning.build(spec.pruner, spec.sign, spec.objective.metric or "value")
    return pruner.prunes(pruning.Own(one.step, one.score, one.score, one.milestone), one.compared)
