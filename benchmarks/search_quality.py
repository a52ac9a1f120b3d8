"""How good the samplers' searches are on real tuning tasks, beside the peers in the same run.

A contestant's regret on a task is (its best score - the best score known) / (what ten random trials reach on average -
the best score known), clipped at 2: 1 is worth ten random trials, 0 the best that anybody found. Means over tasks and
seeds; the interval of a ratio is a bootstrap over the tasks.

usage: OMP_NUM_THREADS=1 python benchmarks/search_quality.py [--seeds 10] [--trials 30] [--workers 1] [--only gp tpe]
           [--tasks net] [--processes 2] [--ours gp]
"""

import argparse
import math
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache

import numpy as np
import optuna
from search import Live, Skopt
from tuning_tasks import Task, tasks

from service.search import History, Observation, Pending, Sampler, build
from service.search.random import point
from trialbook.space import Space
from trialbook.spec import CMAESSampler, GPSampler, RandomSampler, SobolSampler, TPESampler

PROBES = 1500  # random points that tell what random search reaches on average
WORST = 2.0
MARKS = (10, 20, 30, 50)

CONTESTANTS: dict[str, Callable[[Space, int], Sampler]] = {
    "random": lambda space, seed: build(space, RandomSampler(seed=seed)),
    "sobol": lambda space, seed: build(space, SobolSampler(name="sobol", seed=seed)),
    "gp": lambda space, seed: build(space, GPSampler(name="gp", seed=seed)),
    "gp_skopt": lambda space, seed: build(space, GPSampler(name="gp_skopt", seed=seed)),
    "tpe": lambda space, seed: build(space, TPESampler(name="tpe", seed=seed)),
    "cmaes": lambda space, seed: build(space, CMAESSampler(name="cmaes", seed=seed)),
    "Optuna TPE": lambda space, seed: Live(space, optuna.samplers.TPESampler(seed=seed)),
    "Optuna GP": lambda space, seed: Live(space, optuna.samplers.GPSampler(seed=seed)),
    "scikit-optimize": Skopt,
}
OURS = ("random", "sobol", "gp", "gp_skopt", "tpe", "cmaes")  # those that know of pending trials


@cache
def known_tasks() -> dict[str, Task]:
    return tasks()


def run(name: str, task: str, seed: int, trials: int, workers: int) -> tuple[list[float], float]:
    """The best score after each trial, with so many trials running at a time, and the seconds of thinking."""
    told = known_tasks()[task]
    sampler = CONTESTANTS[name](told.space, seed)
    finished: list[Observation] = []
    running: list[Pending] = []
    thought = 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        for number in range(trials + workers - 1):
            if number < trials:
                begun = time.perf_counter()
                [made] = sampler.suggest(History(tuple(finished), tuple(running)), [number])
                thought += time.perf_counter() - begun
                running.append(Pending(number, made.params))
            if number >= workers - 1:
                done = running.pop(0)
                finished.append(Observation(done.number, done.params, told.score(done.params)))
    return np.minimum.accumulate([one.score for one in finished]).tolist(), thought


def random_scores(task: str) -> list[float]:
    """The scores of random points, the best first."""
    told = known_tasks()[task]
    return sorted(told.score(point(told.space, 10**6, i)) for i in range(PROBES))


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


def _call(arguments: tuple[str, str, int, int, int]) -> tuple[list[float], float]:
    return run(*arguments)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--workers", type=int, default=1, help="trials that run at a time")
    parser.add_argument("--only", nargs="+", choices=CONTESTANTS, default=list(CONTESTANTS))
    parser.add_argument("--tasks", default="", help="a part of the tasks' names")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--ours", default="gp", choices=CONTESTANTS, help="compared with each of the others")
    options = parser.parse_args()
    names = [name for name in known_tasks() if options.tasks in name]
    jobs = [
        (who, task, seed, options.trials, options.workers if who in OURS else 1)
        for task in names
        for who in options.only
        for seed in range(options.seeds)
    ]
    with ProcessPoolExecutor(options.processes) as pool:
        probes = dict(zip(names, pool.map(random_scores, names), strict=True))
        results = dict(zip(jobs, pool.map(_call, jobs, chunksize=options.seeds), strict=True))
    table(options.only, names, probes, results, options.ours, options.trials)


Results = dict[tuple[str, str, int, int, int], tuple[list[float], float]]


def table(
    who: Sequence[str], names: Sequence[str], probes: dict[str, list[float]], results: Results, ours: str, trials: int
) -> None:
    """Print each contestant's mean regret at some trials, per task at the last, and the ratios to ours."""
    floors = {task: min(probes[task][0], *(r[0][-1] for job, r in results.items() if job[1] == task)) for task in names}
    units = {task: expected_best(probes[task], 10) - floors[task] for task in names}
    regrets: dict[str, dict[str, list[list[float]]]] = defaultdict(lambda: defaultdict(list))
    seconds: dict[str, list[float]] = defaultdict(list)
    for (name, task, *_), (bests, thought) in results.items():
        curve = [min(WORST, (best - floors[task]) / units[task]) for best in bests]
        regrets[name][task].append(curve)
        seconds[name].append(thought / len(bests))
    marks = [mark for mark in MARKS if mark <= trials]
    means = {
        name: np.array([np.mean(regrets[name][task], axis=0) for task in names]) for name in who
    }  # (tasks, trials)
    print(f"{'mean regret after':24}" + "".join(f"{mark:>8}" for mark in marks) + "   s/trial   ratio of ours to it")
    for name in sorted(who, key=lambda one: means[one][:, marks[-1] - 1].mean()):
        row = "".join(f"{means[name][:, mark - 1].mean():8.3f}" for mark in marks)
        said = ""
        if ours in means and name != ours:
            ratio, low, high = _ratio(means[ours][:, marks[-1] - 1], means[name][:, marks[-1] - 1])
            said = f"{ratio:.2f} ({low:.2f} to {high:.2f})"
        print(f"{name:24}{row} {np.mean(seconds[name]):9.3f}   {said}")
    print(f"\n{f'regret after {marks[-1]}':34}" + "".join(f"{name[:10]:>11}" for name in who))
    for i, task in enumerate(names):
        print(f"{task:34}" + "".join(f"{means[name][i, marks[-1] - 1]:11.3f}" for name in who))


def _ratio(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float, float]:
    """The ratio of means and its 90 % interval, by a bootstrap over tasks."""
    picks = np.random.default_rng(0).integers(0, len(ours), size=(4000, len(ours)))
    ratios = ours[picks].mean(axis=1) / theirs[picks].mean(axis=1)
    low, high = np.quantile(ratios, [0.05, 0.95])
    return float(ours.mean() / theirs.mean()), float(low), float(high)


if __name__ == "__main__":
    main()
