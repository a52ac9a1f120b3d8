"""Epochs that early stopping spends on real learning curves, beside no pruning and Optuna's pruners on the same trials.

Trials are random points (`learning_curves.py`), run by workers side by side, an epoch each in turn. A pruner sees what
it would see in a service: ours through the rules that the service asks, Optuna's through a study of its own. For each
task: the epochs of the whole study, its best error, how often that was within 1 % of the best of all trials (in
accuracy), and the epochs until a trial that good was finished. Means over the orders in which trials come.

usage: OMP_NUM_THREADS=1 python benchmarks/early_stopping.py [--trials 64] [--workers 4] [--orders 20] [--processes 2]
           [--picture docs/early-stopping.svg]
"""

import argparse
import math
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import optuna
from learning_curves import TASKS, curves

from service import pruning
from service.pruning import Own
from trialbook import spec

CLOSE = 0.01  # of the best accuracy
EPOCHS = 64


class Judge(Protocol):
    """Decides whether a trial goes on after an epoch; `promoted` hands out those that were paused."""

    def begin(self, trial: int) -> None: ...
    def after(self, trial: int, step: int, value: float) -> str: ...
    def end(self, trial: int, value: float, *, is_pruned: bool) -> None: ...
    def promoted(self) -> int | None: ...


class Ours:
    """The service's rules, with the rivals that its store would give."""

    def __init__(self, options: spec.Pruner) -> None:
        self._pruner = pruning.build(options, 1, "val_error")
        self._rungs = pruning.rungs_of(options) or ()
        self._scores: dict[int, dict[int, float]] = defaultdict(dict)  # by milestone and trial
        self._best: dict[int, float] = {}
        self._complete: set[int] = set()
        self._paused: dict[int, int] = {}  # trial → rung

    def begin(self, trial: int) -> None:
        self._best[trial] = math.inf

    def after(self, trial: int, step: int, value: float) -> str:
        self._best[trial] = min(self._best[trial], value)
        milestone = self._pruner.milestone(step, step - 1 if step else None, trial)
        if milestone is None:
            return "continue"
        rivals = [
            score
            for other, score in self._scores[milestone].items()
            if self._pruner.rivals == "all" or other in self._complete
        ]
        self._scores[milestone][trial] = value
        verdict = self._pruner.judge(Own(step, value, self._best[trial], milestone), rivals)
        if verdict.pauses:
            self._paused[trial] = milestone
        return "pause" if verdict.pauses else "prune" if verdict.prune else "continue"

    def end(self, trial: int, value: float, *, is_pruned: bool) -> None:
        if not is_pruned:
            self._complete.add(trial)

    def promoted(self) -> int | None:
        for rung in reversed(self._rungs):
            waiting = sorted((self._scores[rung][one], one) for one, at in self._paused.items() if at == rung)
            for score, trial in waiting[:1]:
                rivals = [
                    math.inf if other == score and self._paused.get(one) == rung else other
                    for one, other in self._scores[rung].items()
                    if one != trial
                ]
                if not self._pruner.judge(Own(rung, score, score, rung), rivals).prune:
                    del self._paused[trial]
                    return trial
        return None


class Theirs:
    """A pruner of Optuna's, in a study of its own. To it a step s is s units of resource, so epochs count from 1."""

    def __init__(self, make: Callable[[], optuna.pruners.BasePruner], seed: int) -> None:
        self._study = optuna.create_study(study_name=f"order-{seed}", pruner=make())
        self._trials: dict[int, optuna.Trial] = {}

    def begin(self, trial: int) -> None:
        self._trials[trial] = self._study.ask()

    def after(self, trial: int, step: int, value: float) -> str:
        self._trials[trial].report(value, step + 1)
        return "prune" if self._trials[trial].should_prune() else "continue"

    def end(self, trial: int, value: float, *, is_pruned: bool) -> None:
        state = optuna.trial.TrialState.PRUNED if is_pruned else optuna.trial.TrialState.COMPLETE
        self._study.tell(self._trials[trial], None if is_pruned else value, state=state)

    def promoted(self) -> int | None:
        return None


ASHA = {"name": "asha", "min_resource": 1, "reduction_factor": 4, "max_resource": EPOCHS}
HALVING = optuna.pruners.SuccessiveHalvingPruner
HALVING_4 = {**ASHA, "min_resource": 4}
CONTESTANTS: dict[str, Callable[[int], Judge]] = {
    "no pruning": lambda seed: Ours(spec.NoPruner()),
    "median": lambda seed: Ours(spec.MedianPruner(name="median", n_warmup_steps=4)),
    "hyperband": lambda seed: Ours(spec.HyperbandPruner(name="hyperband", max_resource=EPOCHS, reduction_factor=4)),
    "asha": lambda seed: Ours(spec.ASHAPruner.model_validate(ASHA)),
    "asha, promote": lambda seed: Ours(spec.ASHAPruner.model_validate({**ASHA, "promote": True})),
    "asha from 4": lambda seed: Ours(spec.ASHAPruner.model_validate(HALVING_4)),
    "asha from 4, promote": lambda seed: Ours(spec.ASHAPruner.model_validate({**HALVING_4, "promote": True})),
    "Optuna MedianPruner": lambda seed: Theirs(lambda: optuna.pruners.MedianPruner(n_warmup_steps=5), seed),
    "Optuna HyperbandPruner": lambda seed: Theirs(lambda: optuna.pruners.HyperbandPruner(1, EPOCHS, 4), seed),
    "Optuna SuccessiveHalvingPruner": lambda seed: Theirs(lambda: HALVING(min_resource=1, reduction_factor=4), seed),
    "Optuna SuccessiveHalving from 4": lambda seed: Theirs(lambda: HALVING(min_resource=4, reduction_factor=4), seed),
}


@dataclass
class Played:
    """A study that was played through: epochs spent, and after how many each trial was finished, with its value."""

    epochs: int = 0
    finished: list[tuple[int, float]] = field(default_factory=list)

    def best(self) -> float:
        """The best of all finished trials, 1 where there is none: the error of knowing nothing."""
        return min((value for _, value in self.finished), default=1.0)

    def until(self, error: float) -> int | None:
        """The epochs until a trial with at most this error was finished."""
        return next((epochs for epochs, value in self.finished if value <= error), None)


def play(judge: Judge, found: Sequence[Sequence[float]], workers: int) -> Played:
    """Run all trials by so many workers, which train one epoch each in turn."""
    played = Played()
    places = [0] * len(found)  # the next epoch of each trial
    fresh = iter(range(len(found)))
    at_work: list[int | None] = [None] * workers
    while True:
        for i, busy in enumerate(at_work):
            if busy is None and (trial := judge.promoted()) is None and (trial := next(fresh, None)) is not None:
                judge.begin(trial)
            at_work[i] = trial if busy is None else busy
        if all(busy is None for busy in at_work):
            return played
        for i, trial in enumerate(at_work):
            if trial is not None and not _goes_on(judge, played, found[trial], trial, places):
                at_work[i] = None


def _goes_on(judge: Judge, played: Played, curve: Sequence[float], trial: int, places: list[int]) -> bool:
    step = places[trial]
    places[trial] += 1
    played.epochs += 1
    decision = judge.after(trial, step, curve[step])
    if decision == "continue" and places[trial] < len(curve):
        return True
    if decision == "continue":
        played.finished.append((played.epochs, curve[-1]))
    if decision != "pause":
        judge.end(trial, curve[step], is_pruned=decision == "prune")
    return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=64)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--orders", type=int, default=20, help="in which trials come")
    parser.add_argument("--processes", type=int, default=2, help="that train the curves, the first time")
    parser.add_argument("--picture", type=Path, help="where to write it")
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    shares: dict[str, list[float]] = defaultdict(list)
    for task in TASKS:
        found = curves(task, options.trials, options.processes)
        shares_of(task, found, options.workers, options.orders, shares)
    print(f"\n{'mean share of the epochs of no pruning':42}" + "".join(f"{np.mean(shares[n]):8.3f}" for n in shares))
    if options.picture:
        draw(shares, options.picture)


def shares_of(task: str, found: list[list[float]], workers: int, orders: int, shares: dict[str, list[float]]) -> None:
    """Play a task by everybody and print what came of it."""
    best = min(curve[-1] for curve in found)
    close = 1 - (1 - best) * (1 - CLOSE)
    print(f"\n{task}: {len(found)} trials of {EPOCHS} epochs, the best error {best:.4f}, within 1 %: {close:.4f}")
    print(f"{'':32}{'epochs':>8}{'share':>8}{'best':>8}{'reached':>9}{'epochs until':>14}")
    full = sum(map(len, found))
    for name, make in CONTESTANTS.items():
        plays = []
        for seed in range(orders):
            order = list(found)
            random.Random(seed).shuffle(order)
            plays.append(play(make(seed), order, workers))
        epochs = float(np.mean([one.epochs for one in plays]))
        until = [one.until(close) for one in plays]
        reached = [one for one in until if one is not None]
        shares[name].append(epochs / full)
        print(
            f"{name:32}{epochs:8.0f}{epochs / full:8.3f}{np.mean([one.best() for one in plays]):8.4f}"
            f"{len(reached) / orders:9.0%}{np.mean(reached) if reached else math.nan:14.0f}"
        )


def draw(shares: dict[str, list[float]], path: Path) -> None:
    """The shares as bars, a dot for each task."""
    from matplotlib import pyplot

    names = list(shares)[::-1]
    figure, axes = pyplot.subplots(figsize=(8, 3.6))
    ours = ["#2f5fd0" if not name.startswith("Optuna") else "#8a8f99" for name in names]
    axes.barh(names, [float(np.mean(shares[name])) for name in names], color=ours)
    for place, name in enumerate(names):
        axes.plot(shares[name], [place] * len(shares[name]), "o", color="black", markersize=3, alpha=0.6)
    axes.set_xlabel("epochs spent, as a share of no pruning (bars: mean; dots: tasks)")
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path)


if __name__ == "__main__":
    main()
