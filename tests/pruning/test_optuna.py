"""Each pruner against Optuna's own, report by report, on histories made up from a seed: several trials at once, equal
values, trials that end early. What histories leave out is told beside their kind: only where ours differs on purpose.
"""

import copy
import math
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from service import pruning
from service.pruning import Own, Pruner
from service.pruning.asha import rungs
from trialbook import spec

HISTORIES = 1000  # of each kind
STATES = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}


@dataclass
class Trial:
    """A trial as the service knows it."""

    number: int
    state: str = "running"
    last_step: int | None = None
    best: float = math.inf
    reached: dict[int, float] = field(default_factory=dict)  # by milestone: the score there


class Ours:
    """A pruner with the trials that the service would have stored."""

    def __init__(self, pruner: Pruner, sign: int) -> None:
        self.pruner, self.sign = pruner, sign
        self.trials: list[Trial] = []

    def begin(self) -> Trial:
        self.trials.append(Trial(len(self.trials)))
        return self.trials[-1]

    def prunes(self, number: int, step: int, value: float) -> bool:
        """Store a report; whether its trial is pruned."""
        trial, score = self.trials[number], self.sign * value if math.isfinite(value) else math.inf
        milestone = self.pruner.milestone(step, trial.last_step, number)
        trial.last_step, trial.best = step, min(trial.best, score)
        if milestone is None:
            return False
        others = [one for one in self.trials if one is not trial and milestone in one.reached]
        if self.pruner.rivals == "complete":
            others = [one for one in others if one.state == "complete"]
        rivals = [one.reached[milestone] for one in others]
        trial.reached[milestone] = score
        return self.pruner.judge(Own(step, score, trial.best, milestone), rivals).prune


class Theirs:
    """Optuna's pruner with a study in memory: what its pruners ask of one, and nothing else."""

    def __init__(self, pruner: optuna.pruners.BasePruner, sign: int, *, first_step: int = 0) -> None:
        self._pruner, self._first = pruner, first_step
        self.trials: list[FrozenTrial] = []
        self.study_name, self._storage = "history", self
        self.direction = StudyDirection.MAXIMIZE if sign < 0 else StudyDirection.MINIMIZE

    def get_trials(self, deepcopy: bool = False, states: Any = None) -> list[FrozenTrial]:
        return [one for one in self.trials if states is None or one.state in states]

    def set_trial_system_attr(self, trial: int, name: str, value: Any) -> None:
        """As their storage does it: those who have the trial already don't see the change."""
        self.trials[trial] = changed = copy.copy(self.trials[trial])
        changed.system_attrs = {**changed.system_attrs, name: value}

    def begin(self) -> None:
        trial = create_trial(state=TrialState.RUNNING)
        trial.number = trial._trial_id = len(self.trials)
        self.trials.append(trial)

    def prunes(self, number: int, step: int, value: float) -> bool:
        self.trials[number].intermediate_values[step + self._first] = value
        return self._pruner.prune(self, self.trials[number])  # type: ignore[arg-type]

    def end(self, number: int, state: str) -> None:
        self.trials[number].state = STATES[state]


@dataclass
class Kind:
    """A pruner in both forms, and the histories on which their rules are the same."""

    options: Any  # Any: one of the spec's pruners
    theirs: optuna.pruners.BasePruner
    value: Callable[[], float]
    next_step: Callable[[int], int]  # after that one; -1: after none
    last_step: int = 12
    first_step: int = 0  # their step 0, or that of the unit that ours counts at step 0


def percentile(chance: random.Random) -> Kind:
    """Left out: what is not finite, which ours prunes, and counts as the worst among rivals; steps that are leapt over
    where an interval is longer than one. `n_min_trials` is Optuna's name for startup trials that reached the step."""
    startup, warmup, interval = chance.randrange(1, 4), chance.choice((0, 0, 3)), chance.choice((1, 1, 2, 3))
    settings = {"n_startup_trials": startup, "n_warmup_steps": warmup, "interval_steps": interval}
    least = chance.choice((0.0, 12.5, 25.0, 50.0, 50.0, 75.0, 90.0, 100.0))
    options: Any = spec.PercentilePruner(name="percentile", percentile=least, **settings)
    if least == 50.0 and chance.random() < 0.5:
        options = spec.MedianPruner(name="median", **settings)
    theirs = optuna.pruners.PercentilePruner(least, **settings, n_min_trials=startup)
    leap = 3 if interval == 1 else 1
    return Kind(options, theirs, partial(_value, chance), lambda step: step + chance.randint(1, leap), last_step=8)


def threshold(chance: random.Random) -> Kind:
    """Left out: infinite values where a side has no bound, which ours prunes."""
    lower, upper = chance.choice(((0.25, 0.75), (None, 0.75), (0.25, None), (-0.5, 0.5)))
    odd = (math.nan,) if None in (lower, upper) else (math.nan, math.inf, -math.inf)
    warmup = chance.choice((0, 3))
    return Kind(
        spec.ThresholdPruner(name="threshold", lower=lower, upper=upper, n_warmup_steps=warmup),
        optuna.pruners.ThresholdPruner(lower, upper, n_warmup_steps=warmup),
        lambda: chance.choice(odd) if chance.random() < 0.05 else _value(chance),
        lambda step: step + chance.randint(1, 3),
    )


def asha(chance: random.Random) -> Kind:
    """Left out: what is not finite, which ours prunes at a rung and counts among those that came there; reports that
    leap over two rungs at once, which ours judges at the highest only."""
    settings: dict[str, int] = {"min_resource": chance.randint(1, 3), "reduction_factor": chance.randint(2, 4)}
    settings["min_early_stopping_rate"] = chance.choice((0, 0, 1))
    options = spec.ASHAPruner(name="asha", **settings)
    steps = rungs(options)
    return Kind(
        options,
        optuna.pruners.SuccessiveHalvingPruner(**settings),
        partial(_value, chance),
        lambda step: _within_a_rung(chance, step, steps),
        last_step=30,
        first_step=1,
    )


def hyperband(chance: random.Random) -> Kind:
    """Left out: what asha leaves out, and the end itself, where ours judges nobody. Theirs draws brackets by a hash, so
    it is told ours."""
    least, most, factor = chance.choice(((1, 27, 3), (1, 16, 2), (2, 40, 3), (1, 20, 4)))
    settings: Any = {"min_resource": least, "max_resource": most, "reduction_factor": factor}
    options = spec.HyperbandPruner(name="hyperband", **settings)
    ours: Any = pruning.build(options, 1, "loss")

    class Bracketed(optuna.pruners.HyperbandPruner):
        def _get_bracket_id(self, study: Any, trial: FrozenTrial) -> int:
            return int(ours.bracket(trial.number))

        def _create_bracket_study(self, study: Any, bracket_id: int) -> Any:
            def get_trials(**asked: Any) -> list[FrozenTrial]:
                return [one for one in study.get_trials(**asked) if ours.bracket(one.number) == bracket_id]

            return SimpleNamespace(get_trials=get_trials, direction=study.direction, _storage=study)

    all_rungs = [least * factor**k - 1 for k in range(most.bit_length())]
    return Kind(
        options,
        Bracketed(**settings),
        partial(_value, chance),
        lambda step: _within_a_rung(chance, step, all_rungs),
        last_step=most - 2,
        first_step=1,
    )


def _value(chance: random.Random) -> float:
    """Often one of a few, so that trials are equal."""
    return chance.randint(-4, 8) / 8 if chance.random() < 0.5 else chance.uniform(-0.5, 1.0)


def _within_a_rung(chance: random.Random, step: int, steps: Sequence[int]) -> int:
    """A step that follows, past one rung at most."""
    passed = [one for one in steps if one > step]
    most = passed[1] - 1 if len(passed) > 1 else step + 6
    return min(step + chance.randint(1, 6), most)


KINDS = {"percentile": percentile, "threshold": threshold, "asha": asha, "hyperband": hyperband}


@pytest.mark.parametrize("name", KINDS)
def test_on_any_history_it_prunes_where_optuna_does(name):
    seen: Counter[bool] = Counter()
    for seed in range(HISTORIES):
        chance = random.Random(f"{name} {seed}")
        for report, ours, theirs in decisions(KINDS[name](chance), chance):
            assert ours == theirs, (seed, report)
            seen[ours] += 1
    assert min(seen[True], seen[False]) > HISTORIES / 2


def decisions(kind: Kind, chance: random.Random) -> Iterator[tuple[Any, bool, bool]]:
    """A history of a few trials at once: each report, and whether ours and theirs prunes its trial there."""
    sign = chance.choice((1, -1))
    ours = Ours(pruning.build(kind.options, sign, "loss"), sign)
    theirs = Theirs(kind.theirs, sign, first_step=kind.first_step)
    to_come = chance.randint(4, 9)
    running: list[Trial] = []
    while to_come or running:
        if to_come and (not running or chance.random() < 0.15):
            to_come -= 1
            running.append(ours.begin())
            theirs.begin()
        trial = chance.choice(running)
        step, value = kind.next_step(-1 if trial.last_step is None else trial.last_step), kind.value()
        if step > kind.last_step or chance.random() < 0.02:
            trial.state = "failed" if chance.random() < 0.1 else "complete"
        else:
            found = [one.prunes(trial.number, step, value) for one in (ours, theirs)]
            yield (trial.number, step, value), *found
            trial.state = "pruned" if found[0] else "running"
        if trial.state != "running":
            theirs.end(trial.number, trial.state)
            running.remove(trial)
