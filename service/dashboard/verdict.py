"""Should one go on with a study? What its trials say of it, in a sentence or two. Pure: no store, no clock."""

import math
from collections.abc import Iterator, Mapping, Sequence

from models.catalog import TRAINERS
from service.store.bests import Improvement
from trialbook.space import Categorical
from trialbook.spec import StudySpec
from trialbook.values import Scalar
from trialbook.wire import TrialState
from trialbook.words import count, shown, shown_param

FEW = 10  # trials of which nothing can be said yet
CHANCE = ("random", "sobol")  # their trials are alike: each is as likely as any other to be the best of all so far
EDGE = 0.02  # of a range: a best value so near to its end may lie beyond it
MOST_EDGES = 2  # told at once
Counts = Mapping[TrialState, int]


def verdict(spec: StudySpec, counts: Counts, found: Sequence[Improvement], params: Mapping[str, Scalar]) -> str:
    """Words that answer "should I go on?", of a study in the middle or at its end.

    `found` are all improvements in the order in which trials finished, `params` the best trial's.
    """
    over = counts["complete"] + counts["pruned"]
    edges = list(_edges(spec, params))[:MOST_EDGES] if over >= FEW else []
    told = [*_failures(counts), _pace(spec, over, found), *_stopped(found), *edges]
    return " ".join(one for one in told if one)


def _failures(counts: Counts) -> Iterator[str]:
    failed, over = counts["failed"], sum(counts[state] for state in ("complete", "pruned", "failed"))
    if failed and failed == over:
        yield f"{'The only trial' if failed == 1 else f'All {failed} trials'} so far failed: see why before going on."
    elif failed >= 3 and failed >= 0.2 * over:
        yield f"{failed} of {over} trials failed: see why before going on."


def _pace(spec: StudySpec, over: int, found: Sequence[Improvement]) -> str:
    """Whether it still gets better, and what is to be hoped for."""
    if not found:
        return "No trial has a value yet." if over else ""
    since = max(0, over - found[-1].place)
    if over < FEW:
        return f"Too early to say: {count(over, 'trial')} so far."
    brought = _brought(found)
    if since == 0:
        return f"Still getting better: the latest trial brought {brought}."
    if since < max(FEW, over // 4):
        return f"Still getting better: {count(since, 'trial')} ago one brought {brought}."
    stalled = f"No better for {count(since, 'trial')}; the last improvement brought {brought}."
    return f"{stalled} {_hope(spec, over)}".rstrip()


def _stopped(found: Sequence[Improvement]) -> Iterator[str]:
    """Whether the best trial is one that the pruner would have taken away."""
    if found and found[-1].spared:
        yield "The best trial would have been stopped early, but for the audit: let the pruner wait longer."


def _brought(found: Sequence[Improvement]) -> str:
    """By how much the last improvement was better, as a share of what was best before where that can be said."""
    if len(found) < 2:
        return "the first value"
    before, after = found[-2].value, found[-1].value
    gain = abs(before - after)
    if not math.isfinite(gain) or before == 0 or before * after < 0:
        return f"{shown(gain)} ({shown(before)} to {shown(after)})"
    return f"{float(f'{100 * gain / abs(before):.2g}'):g} %"


def _hope(spec: StudySpec, over: int) -> str:
    if spec.sampler.name in CHANCE:
        more = max(FEW, over // 2)
        return (
            f"By chance alone, {more} more trials hold a better one {round(100 * more / (over + more))} times in 100."
        )
    if spec.n_cells is not None:
        return ""  # a grid is walked to its end
    return "More of the same will bring little: another range, other fixed values or other data may."


def _edges(spec: StudySpec, params: Mapping[str, Scalar]) -> Iterator[str]:
    """Parameters whose best value lies at an end of their range, beyond which there may be better ones."""
    trainer = TRAINERS.get(spec.objective.trainer)
    for name, value in params.items():
        one = spec.space.root.get(name)
        if one is None or isinstance(one, Categorical) or isinstance(value, bool | str | None):
            continue
        if (one.size or FEW) < FEW:  # an end of a short list is as likely as any other value
            continue
        low, high, at = (math.log(x) if one.log else x for x in (one.low, one.high, value))
        share = (at - low) / (high - low)
        known = trainer.parameters.get(name) if trainer else None
        if share <= EDGE and one.low != (known.low if known else 0):
            yield f"The best {name} lies at the low end of its range ({shown_param(value)}): try lower ones."
        if share >= 1 - EDGE and (known is None or one.high != known.high):
            yield f"The best {name} lies at the high end of its range ({shown_param(value)}): try higher ones."
