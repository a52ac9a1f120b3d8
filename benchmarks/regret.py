"""What runs say: regrets on one scale for all tasks, their ratios, and how soon random search is outdone.

A regret is (best score so far - the best score known) / (what ten random trials reach on average - the best score
known), clipped at 2: 1 is worth ten random trials, 0 the best that anybody found.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from search_runs import Job, Run, Shelf, all_tasks

Array = NDArray[np.float64]
WORST = 2.0
_DRAWS = 4000


@dataclass(frozen=True)
class Scale:
    """A task's best known score, what ten random trials reach on average, and what a hundred do."""

    floor: float
    ten: float
    hundred: float

    def regrets(self, scores: Sequence[float]) -> Array:
        """After each trial: (trials,)."""
        best = np.minimum.accumulate(scores)
        found: Array = np.minimum((best - self.floor) / max(self.ten - self.floor, 1e-300), WORST)
        return found

    def trials_until(self, scores: Sequence[float]) -> float:
        """How many trials it took to be as good as a hundred random ones on average; infinite if all were too few."""
        reached = np.flatnonzero(np.minimum.accumulate(scores) <= self.hundred)
        return float(reached[0]) + 1 if len(reached) else math.inf


def scale(shelf: Shelf, task: str) -> Scale:
    probes = shelf.probes(task)
    lowest = all_tasks()[task].lowest
    floor = min(probes[0], *shelf.best(task)) if lowest is None else lowest
    return Scale(floor, expected_best(probes, 10), expected_best(probes, 100))


def expected_best(scores: Sequence[float], draws: int) -> float:
    """The mean of the best of so many draws without replacement from sorted scores: exact, by order statistics."""
    n = len(scores)
    mean, left = 0.0, 1.0
    for rank, score in enumerate(scores):
        first = left * min(1.0, draws / (n - rank))  # the best of the draws is this one
        if not math.isfinite(score):
            break
        mean += first * score
        left -= first
    return mean


class Comparison:
    """Runs of some contestants on some tasks over the same seeds, with so many workers."""

    def __init__(self, shelf: Shelf, tasks: Sequence[str], seeds: Sequence[int], trials: int, workers: int) -> None:
        self.tasks, self.seeds, self.trials, self.workers = list(tasks), list(seeds), trials, workers
        self._shelf = shelf
        self.scales = {task: scale(shelf, task) for task in tasks}

    def has(self, who: str) -> bool:
        """Whether all of this contestant's runs are there."""
        return all(self._shelf.find(self._job(who, task, seed)) for task in self.tasks for seed in self.seeds)

    def _job(self, who: str, task: str, seed: int) -> Job:
        return Job(who, task, seed, self.trials, self.workers)

    def runs(self, who: str, task: str) -> list[Run]:
        found = [self._shelf.find(self._job(who, task, seed)) for seed in self.seeds]
        return [run for run in found if run is not None]

    def regrets(self, who: str) -> Array:
        """Means over seeds: (tasks, trials)."""
        return np.array(
            [
                np.mean([self.scales[task].regrets(run.scores) for run in self.runs(who, task)], axis=0)
                for task in self.tasks
            ]
        )

    def seconds(self, who: str) -> float:
        """Thinking per trial, in CPU seconds."""
        return float(np.mean([run.thought for task in self.tasks for run in self.runs(who, task)]))

    def at_time(self, who: str, seconds: Array, trial_seconds: float) -> Array:
        """Mean regret at each of these times, one trial after another, each so long and thought about before: (times,).

        Before its first trial ends a contestant has the worst regret. After its last it keeps what it has.
        """
        curves = []
        for task in self.tasks:
            for run in self.runs(who, task):
                ends = np.cumsum(np.array(run.thought) + trial_seconds)
                done = np.searchsorted(ends, seconds, side="right")
                curves.append(np.concatenate([[WORST], self.scales[task].regrets(run.scores)])[done])
        mean: Array = np.mean(curves, axis=0)
        return mean

    def trials_until(self, who: str) -> float:
        """The median over tasks of the median over seeds until a hundred random trials are matched."""
        return float(
            np.median(
                [
                    np.median([self.scales[task].trials_until(run.scores) for run in self.runs(who, task)])
                    for task in self.tasks
                ]
            )
        )


def ratio(ours: Array, theirs: Array) -> tuple[float, float, float]:
    """The ratio of means over tasks (tasks,) and its 90 % interval, by a bootstrap over tasks."""
    picks = np.random.default_rng(0).integers(0, len(ours), size=(_DRAWS, len(ours)))
    low, high = np.quantile(ours[picks].mean(axis=1) / theirs[picks].mean(axis=1), [0.05, 0.95])
    return float(ours.mean() / theirs.mean()), float(low), float(high)
