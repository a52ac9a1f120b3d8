"""What early stopping saved, and what it cost: of the trials that would have been stopped, some ran on (`audit`)."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from service.dashboard.figures.protocol import heading
from trialbook.spec import ASHAPruner, NoPruner, StudySpec
from trialbook.values import spell
from trialbook.words import count, shown

LEAST = 3  # spared trials that are complete, below which nothing is said of the others
LEVEL = 0.9  # of the intervals
RESAMPLED = 2000


class Ran(Protocol):
    """A trial that would have been stopped at a step and ran on; `score` is what it had there."""

    @property
    def number(self) -> int: ...
    @property
    def state(self) -> str: ...
    @property
    def step(self) -> int: ...
    @property
    def reason(self) -> str: ...
    @property
    def score(self) -> float | None: ...
    @property
    def value(self) -> float | None: ...


class Stops(Protocol):
    """How many trials took so many steps, by what became of them, and those that ran on."""

    @property
    def spent(self) -> int: ...
    @property
    def pruned(self) -> Mapping[int, int]: ...
    @property
    def complete(self) -> Mapping[int, int]: ...
    @property
    def spared_steps(self) -> Mapping[int, int]: ...
    @property
    def spared_by_state(self) -> Mapping[str, int]: ...
    @property
    def spared(self) -> Sequence[Ran]: ...
    @property
    def best(self) -> tuple[int, float] | None: ...


@dataclass(frozen=True)
class Between:
    """An estimate, and between which bounds it lies with 90 % certainty; without bounds nothing is known of that."""

    estimate: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Cost:
    """Of the spared trials that are complete, `of` in number, so many ended better than the best of all others; so of
    the pruned ones, had they run on, about `trials`. `loss`: by how much a trial that would be stopped beats that best
    one in the mean, 0 where it does not; None where none of them did, from which no bounds follow."""

    better: int
    of: int
    trials: Between
    loss: Between | None = None


def early_stopping(spec: StudySpec, found: Stops) -> dict[str, Any]:  # Any: JSON
    """How many trials were `pruned`, and how many `spared` by state; epochs `spent` by all, and `saved`: what pruned
    ones would have taken besides (`by` the lengths of spared trials, or of complete ones, without bounds, where few are
    spared); and the `cost`. `words` says it all; `items` are the spared trials: the value `then`, when each would have
    been stopped, and in the end. `best` is the best trial that was not spared."""
    saved, known = saving(found)
    cost = costing(spec, found)
    audit = 0.0 if isinstance(spec.pruner, NoPruner) else spec.pruner.audit
    pruned = sum(found.pruned.values())
    return {
        **heading("early_stopping", spec),
        "audit": audit,
        "pruned": pruned,
        "spared": dict(found.spared_by_state),
        "spent": found.spent,
        "saved": None if saved is None else {**_between(saved), "by": known},
        "best": None if found.best is None else {"number": found.best[0], "value": found.best[1]},
        "cost": None if cost is None else _told(cost),
        "words": words(spec, found, saved, cost),
        "items": [_item(spec, one) for one in found.spared],
    }


def saving(found: Stops) -> tuple[Between | None, str]:
    """The epochs that pruned trials would have taken besides, and whose lengths tell: those of spared ones are a fair
    sample of what pruned ones would have been. Complete ones were better and ran longer or shorter for it, so they give
    an estimate without bounds.

    Bounds: the bootstrap of the mean length (Efron, 1979), with the variance of so few lengths corrected, and that of
    the pruned trials about their mean added. The shortest and the longest complete trial are drawn from too, since few
    spared ones do not show how far lengths spread (benchmarks/early_stopping_audit.py: how often the bounds hold).
    """
    pruned, taken = sum(found.pruned.values()), _total(found.pruned)
    spared, complete = _listed(found.spared_steps), _listed(found.complete)
    if not pruned or not (spared or complete):
        return None, "nobody"
    if len(spared) < LEAST:
        known = "complete" if complete else "spared"
        return Between(max(0.0, pruned * float(np.mean(complete or spared)) - taken)), known
    estimate = pruned * float(np.mean(spared)) - taken
    drawn = [*spared, min(complete), max(complete)] if complete else spared
    low, high = (max(0.0, pruned * mean - taken) for mean in _bounds(drawn, pruned))
    return Between(max(0.0, estimate), min(low, max(0.0, estimate)), max(high, estimate)), "spared"


def costing(spec: StudySpec, found: Stops) -> Cost | None:
    """What the best of the study may have lost by it; None where too few spared trials are complete, or no other is."""
    pruned = sum(found.pruned.values())
    ended = [one.value for one in found.spared if one.state == "complete" and one.value is not None]
    if len(ended) < LEAST or found.best is None:
        return None
    best = found.best[1] * spec.sign
    gains = [max(0.0, best - value * spec.sign) if math.isfinite(value) else 0.0 for value in ended]
    better = sum(gain > 0 for gain in gains)
    low, high = clopper_pearson(better, len(gains))
    trials = Between(pruned * better / len(gains), pruned * low, pruned * high)
    loss = Between(float(np.mean(gains)), *_bounds(gains, None)) if better else None
    return Cost(better, len(gains), trials, loss)


def clopper_pearson(k: int, n: int, level: float = LEVEL) -> tuple[float, float]:
    """The exact interval of a share of which k of n were seen (Clopper and Pearson, 1934): beyond its ends, so many or
    more (or fewer) would be seen less often than half of what the level leaves."""
    tail = (1 - level) / 2
    low = 0.0 if k == 0 else _bisect(lambda p: 1 - _below(k - 1, n, p) < tail)
    high = 1.0 if k == n else _bisect(lambda p: _below(k, n, p) > tail)
    return low, high


def _below(k: int, n: int, p: float) -> float:
    """How likely at most k of n are seen."""
    ways = (math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1) for i in range(k + 1))
    return math.fsum(math.exp(way + i * math.log(p) + (n - i) * math.log1p(-p)) for i, way in enumerate(ways))


def _bisect(is_left: Callable[[float], bool]) -> float:
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if is_left(middle) else (low, middle)
    return (low + high) / 2


def _bounds(values: Sequence[float], others: int | None) -> tuple[float, float]:
    """Between which bounds the mean lies, of all such or of so many others. The same for the same values."""
    chance, given = np.random.default_rng(0), np.array(values, dtype=float)
    means = chance.choice(given, (RESAMPLED, len(given))).mean(axis=1)
    means = given.mean() + (means - given.mean()) * math.sqrt(len(given) / (len(given) - 1))
    if others is not None:
        means += chance.normal(size=RESAMPLED) * given.std(ddof=1) / math.sqrt(others)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return max(0.0, float(low)), float(high)


def _total(steps: Mapping[int, int]) -> int:
    return sum(length * n for length, n in steps.items())


def _listed(steps: Mapping[int, int]) -> list[float]:
    """The lengths one by one; of very many, as many of each as is its share of some thousand."""
    total = sum(steps.values())
    scale = max(1.0, total / 5000)
    return [float(length) for length, n in sorted(steps.items()) for _ in range(max(1, round(n / scale)))]


def _item(spec: StudySpec, one: Ran) -> dict[str, Any]:  # Any: JSON
    then = None if one.score is None else spell(spec.sign * one.score + 0.0)
    end = None if one.value is None else spell(one.value)
    own = {"number": one.number, "state": one.state, "step": one.step, "reason": one.reason}
    return {**own, "then": then, "value": end}


def _told(cost: Cost) -> dict[str, Any]:  # Any: JSON
    own = {"better": cost.better, "of": cost.of, "trials": _between(cost.trials)}
    return {**own, "loss": None if cost.loss is None else _between(cost.loss)}


def _between(one: Between) -> dict[str, float | None]:
    return {"estimate": one.estimate, "low": one.low, "high": one.high}


def words(spec: StudySpec, found: Stops, saved: Between | None, cost: Cost | None) -> str:
    """All of it in sentences, with what is not known and how to come to know it."""
    pruned, spared = sum(found.pruned.values()), sum(found.spared_by_state.values())
    if isinstance(spec.pruner, NoPruner):
        return "No trial is stopped early: the study has no pruner."
    if not pruned and not spared:
        return "No trial was stopped early yet."
    told = [f"{count(pruned, 'trial')} {'was' if pruned == 1 else 'were'} stopped early", *_saved(found, saved)]
    return f"{', '.join(told)}. {_cost(spec, found, cost)}"


def _saved(found: Stops, saved: Between | None) -> list[str]:
    if saved is None:
        return []
    spent = f"beside {found.spent:,} spent"
    if saved.low is None or saved.high is None:
        return [f"which saved about {_round(saved.estimate)} epochs {spent} (a rough estimate by complete trials)"]
    if _round(saved.low) == _round(saved.high):
        return [f"which saved {_round(saved.estimate)} epochs {spent}"]
    bounds = f"with 90 % certainty {_round(saved.low)} to {_round(saved.high)}"
    return [f"which saved about {_round(saved.estimate)} epochs {spent} ({bounds})"]


def _cost(spec: StudySpec, found: Stops, cost: Cost | None) -> str:
    spared, complete = sum(found.spared_by_state.values()), found.spared_by_state.get("complete", 0)
    if isinstance(spec.pruner, ASHAPruner) and spec.pruner.promote:
        return "What that cost is not known: a trial that was good enough in the end was to go on."
    if isinstance(spec.pruner, NoPruner) or spec.pruner.audit == 0:
        return (
            "What that cost is not known, since none of them ran on: with audit: 0.05 in the pruner of the next study, "
            "one in twenty will."
        )
    if cost is None:
        running = f"{count(spared, 'trial')} of the kind ran on, {complete} of them complete"
        return f"What that cost is not known yet: {running}, and it takes at least {LEAST} and another complete one."
    low, high = cost.trials.low or 0.0, cost.trials.high or 0.0
    pruned, about = (
        sum(found.pruned.values()),
        f"about {_round(cost.trials.estimate)}" if cost.better else "likely none",
    )
    told = (
        f"Of {cost.of} that ran on to the end for the audit, {cost.better or 'none'} ended better than the best of the "
        f"others; so of the {pruned:,} that were stopped {about} would have "
        f"(with 90 % certainty {_round(low)} to {_round(high)})."
    )
    if cost.loss is None:
        return told
    loss = cost.loss
    return (
        f"{told} In the mean over all of them, those that would not counted as 0, they would have been better by "
        f"{shown(loss.estimate)} ({shown(loss.low)} to {shown(loss.high)})."
    )


def _round(number: float) -> str:
    """As exact as it is worth: a whole number, or one decimal below ten."""
    return f"{number:,.0f}" if number >= 10 or number == int(number) else f"{number:.1f}"
