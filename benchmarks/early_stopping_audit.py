"""Whether an audit of early stopping tells the truth: on real learning curves all pruned trials' ends are known.

Trials are those of `early_stopping.py`, each trained until 8 epochs in a row were no better, at most 64, so that trials
differ in length. For each pruner, share of the audit and order in which trials come, a study is played with the audit,
and its figure (`service/dashboard/figures/early_stopping.py`) is held against what pruned trials would have come to:
the epochs that pruning saved, and how many pruned trials would have ended better than the best that was not spared.
Bounds of 90 % should hold about nine times in ten. Beside: the saved epochs by complete trials' lengths, all that there
is without an audit, as a share of the truth.

usage: OMP_NUM_THREADS=1 python benchmarks/early_stopping_audit.py [--trials 64] [--workers 4] [--orders 100]
           [--processes 2]
"""

import argparse
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from early_stopping import EPOCHS, HALVING_4, Ours, play
from learning_curves import TASKS, curves

from service.dashboard.figures.early_stopping import Between, costing, saving
from service.pruning import spares
from service.store.stops import Spared, Stops
from trialbook import spec

PATIENCE = 8
SHARES = (0.05, 0.1, 0.2, 0.5)
PRUNERS = {
    "median": {"name": "median", "n_warmup_steps": 4},
    "asha from 4": HALVING_4,
    "hyperband": {"name": "hyperband", "max_resource": EPOCHS, "reduction_factor": 4},
}


class Audited(Ours):
    """The service's rules with an audit. A spared trial is not judged again, and is no rival."""

    def __init__(self, pruner: spec.Pruner, seed: int) -> None:
        super().__init__(pruner)
        self._options, self._seed = pruner, seed
        self.spared: dict[int, int] = {}  # trial → the step where it would have been pruned
        self.pruned: dict[int, int] = {}
        self.complete: set[int] = set()

    def after(self, trial: int, step: int, value: float) -> str:
        """As Ours; a trial that is chosen goes on."""
        if trial in self.spared:
            return "continue"
        decision = super().after(trial, step, value)
        if decision == "prune" and spares(self._options, self._seed, trial):
            self.spared[trial] = step
            return "continue"
        if decision == "prune":
            self.pruned[trial] = step
        return decision

    def end(self, trial: int, value: float, *, is_pruned: bool) -> None:
        """As Ours; without those that were spared."""
        if trial in self.spared:
            return
        super().end(trial, value, is_pruned=is_pruned)
        if not is_pruned:
            self.complete.add(trial)


@dataclass(frozen=True)
class Held:
    """A study's figure against the truth."""

    spared: int
    saved: bool | None  # whether the truth lies within the bounds; None where there are none
    width: float | None  # of the bounds, as a share of what was saved
    better: bool | None
    guess: float  # the estimate by complete trials, as a share of what was saved


def patient(curve: Sequence[float]) -> list[float]:
    """A curve up to where early stopping by patience ends it."""
    best = 0
    for step, value in enumerate(curve):
        best = step if value < curve[best] else best
        if step - best >= PATIENCE:
            return list(curve[: step + 1])
    return list(curve)


def audited(found: Sequence[Sequence[float]], pruner: spec.Pruner, seed: int, workers: int) -> Held | None:
    """Play a study and hold its figure against the truth; None where nothing was pruned or nothing was complete."""
    judge = Audited(pruner, seed)
    play(judge, found, workers)
    if not judge.pruned or not judge.complete:
        return None
    best = min(min(found[trial]) for trial in judge.complete)
    truth = sum(len(found[trial]) - step - 1 for trial, step in judge.pruned.items())
    better = sum(min(found[trial]) < best for trial in judge.pruned)
    ran = tuple(
        Spared(trial, "complete", step, "", found[trial][step], min(found[trial]))
        for trial, step in judge.spared.items()
    )
    known = Stops(
        pruned=Counter(step + 1 for step in judge.pruned.values()),
        complete=Counter(len(found[trial]) for trial in judge.complete),
        spared_steps=Counter(len(found[trial]) for trial in judge.spared),
        spared_by_state=Counter({"complete": len(ran)}),
        spared=ran,
        best=(0, best),
    )
    saved, _ = saving(known)
    guess, _ = saving(Stops(pruned=known.pruned, complete=known.complete))
    cost = costing(STUDY, known)
    assert saved is not None  # something was pruned, and something complete
    assert guess is not None
    return Held(
        len(ran),
        _lies(truth, saved, 0.5),
        None if saved.low is None or saved.high is None else (saved.high - saved.low) / max(truth, 1),
        None if cost is None else _lies(better, cost.trials, 1),
        guess.estimate / max(truth, 1),
    )


def _lies(truth: float, found: Between, rounded: float) -> bool | None:
    if found.low is None or found.high is None:
        return None
    return found.low - rounded < truth < found.high + rounded


STUDY = spec.StudySpec.model_validate(
    {
        "name": "audited",
        "objective": {"trainer": "external", "metric": "val_error"},
        "space": {"x": {"type": "float", "low": 0, "high": 1}},
    }
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=64)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--orders", type=int, default=100, help="in which trials come")
    parser.add_argument("--processes", type=int, default=2, help="that train the curves, the first time")
    options = parser.parse_args()
    tasks = {task: [patient(one) for one in curves(task, options.trials, options.processes)] for task in TASKS}
    heads = ("studies", "bounded", "spared", "saved holds", "width", "better holds", "by complete")
    print(f"{'audit':8}{'pruner':14}" + "".join(f"{head:>13}" for head in heads))
    for share in SHARES:
        every: list[Held] = []
        by_pruner: dict[str, list[Held]] = defaultdict(list)
        for name, rule in PRUNERS.items():
            pruner = spec.StudySpec.model_validate({**STUDY.model_dump(), "pruner": {**rule, "audit": share}}).pruner
            for found in tasks.values():
                for seed in range(options.orders):
                    order = list(found)
                    random.Random(seed).shuffle(order)
                    if (held := audited(order, pruner, seed, options.workers)) is not None:
                        by_pruner[name].append(held)
                        every.append(held)
        for name, held_all in [*by_pruner.items(), ("all", every)]:
            show(share, name, held_all)


def show(share: float, name: str, found: Sequence[Held]) -> None:
    """One line: of the studies with bounds, how often they hold, and how wide they are."""
    bound = [one for one in found if one.saved is not None]
    better = [one.better for one in found if one.better is not None]
    widths = [one.width for one in bound if one.width is not None]
    print(
        f"{share:<8}{name:14}{len(found):13}{len(bound):13}{np.mean([one.spared for one in bound]):13.1f}"
        f"{np.mean([bool(one.saved) for one in bound]):13.1%}{np.median(widths):13.2f}{np.mean(better):13.1%}"
        f"{np.median([one.guess for one in found]):13.2f}"
    )


if __name__ == "__main__":
    main()
