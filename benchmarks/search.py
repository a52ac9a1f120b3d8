"""How well and how fast the samplers search, beside Optuna's and scikit-optimize's own: regret, medians over seeds.

usage: OMP_NUM_THREADS=1 python benchmarks/search.py [--seeds 5] [--only gp_skopt tpe]
"""

import argparse
import math
import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import optuna
import skopt
from optuna.samplers import BaseSampler

from service.search import History, Observation, Pending, Sampler, Suggestion, build
from service.search.random import point
from trialbook.space import Categorical, Float, Int, Point, Space
from trialbook.spec import CMAESSampler, GPSampler, RandomSampler, SobolSampler, TPESampler
from trialbook.values import Scalar

REAL = {"type": "float", "low": 0.0, "high": 1.0}
TRAINING = {
    "rate": {"type": "float", "low": 1e-5, "high": 1.0, "log": True},
    "optimizer": {"type": "categorical", "choices": ["sgd", "adam"]},
    "momentum": {"type": "float", "low": 0.0, "high": 0.99, "when": {"optimizer": ["sgd"]}},
    "layers": {"type": "int", "low": 1, "high": 6},
    "width": {"type": "int", "low": 8, "high": 512, "log": True},
    "activation": {"type": "categorical", "choices": ["relu", "leaky_relu", "tanh"]},
}
WEIGHTS = np.array([1.0, 1.2, 3.0, 3.2])
STEEPNESS = np.array(
    [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
)
PEAKS = np.array(
    [
        [0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886],
        [0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991],
        [0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650],
        [0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381],
    ]
)


def branin(p: Point) -> float:
    """Three equal valleys in two dimensions."""
    x, y = 15 * p["x0"] - 5, 15 * p["x1"]
    valley = y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6
    return valley**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10


def hartmann(p: Point) -> float:
    """Four peaks in six dimensions."""
    x = np.array([p[f"x{i}"] for i in range(6)])
    return -float(WEIGHTS @ np.exp(-(STEEPNESS * (x - PEAKS) ** 2).sum(axis=1)))


def rosenbrock(p: Point) -> float:
    """A long bent valley in five dimensions."""
    x = np.array([4 * p[f"x{i}"] - 2 for i in range(5)])
    return float((100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum())


def training(p: Point) -> float:
    """A made-up validation error: choices, a condition, and learning rates that blow up by 10^4 and more."""
    best = -1.5 - p.get("momentum", 0.5) + 0.5 if p["optimizer"] == "sgd" else -3.0
    off = math.log10(p["rate"]) - best
    if off > 1.7:
        return 1e4 * 10**off
    error = 0.02 + 0.03 * off**2 + 0.01 * abs(p["layers"] - 3) + 0.005 * (math.log2(p["width"] / 128)) ** 2
    error += {"relu": 0.0, "leaky_relu": 0.005, "tanh": 0.02}[p["activation"]]
    return min(error + (0.004 + 0.02 * (p["momentum"] - 0.8) ** 2 if p["optimizer"] == "sgd" else 0.0), 0.9)


@dataclass(frozen=True)
class Problem:
    objective: Callable[[Point], float]
    space: Space
    lowest: float
    trials: int


def cube(width: int) -> Space:
    return Space.model_validate({f"x{i}": REAL for i in range(width)})


PROBLEMS = {
    "branin": Problem(branin, cube(2), 0.397887, 40),
    "hartmann6": Problem(hartmann, cube(6), -3.32237, 60),
    "rosenbrock5": Problem(rosenbrock, cube(5), 0.0, 60),
    "training": Problem(training, Space.model_validate(TRAINING), 0.02, 50),
}


class Live:
    """Optuna itself, driven as its users drive it: one study that is asked and told."""

    def __init__(self, space: Space, sampler: BaseSampler) -> None:
        self._space = space
        self._study = optuna.create_study(sampler=sampler)

    def suggest(self, history: History, numbers: Sequence[int]) -> list[Suggestion]:
        if history.finished:
            self._study.tell(self._trial, history.finished[-1].score)
        self._trial, params = self._study.ask(), {}
        for name in self._space.ordered:
            if self._space.is_active(name, params):
                params[name] = suggested(self._trial, name, self._space[name])
        return [Suggestion(params, {})]


def suggested(trial: optuna.Trial, name: str, parameter: Float | Int | Categorical) -> Scalar:
    if isinstance(parameter, Categorical):
        return trial.suggest_categorical(name, list(parameter.choices))
    suggest = trial.suggest_int if isinstance(parameter, Int) else trial.suggest_float
    return suggest(name, parameter.low, parameter.high, log=parameter.log)


class Skopt:
    """scikit-optimize's own optimizer over the unit cube."""

    def __init__(self, space: Space, seed: int) -> None:
        self._space = space
        self._optimizer = skopt.Optimizer([(0.0, 1.0)] * len(space), random_state=seed, n_initial_points=10)

    def suggest(self, history: History, numbers: Sequence[int]) -> list[Suggestion]:
        if history.finished:
            self._optimizer.tell(self._row, history.finished[-1].score)
        self._row = self._optimizer.ask()
        return [Suggestion(self._space.from_row(self._row), {})]


CONTESTANTS: dict[str, Callable[[Space, int], Sampler]] = {
    "random": lambda space, seed: build(space, RandomSampler(seed=seed)),
    "sobol": lambda space, seed: build(space, SobolSampler(name="sobol", seed=seed)),
    "gp_skopt": lambda space, seed: build(space, GPSampler(name="gp_skopt", seed=seed)),
    "tpe": lambda space, seed: build(space, TPESampler(name="tpe", seed=seed)),
    "cmaes": lambda space, seed: build(space, CMAESSampler(name="cmaes", seed=seed)),
    "Optuna's GPSampler": lambda space, seed: Live(space, optuna.samplers.GPSampler(seed=seed)),
    "Optuna's TPESampler": lambda space, seed: Live(space, optuna.samplers.TPESampler(seed=seed)),
    "skopt.Optimizer": Skopt,
}
OURS = ("gp_skopt", "tpe", "cmaes")


def regret(problem: Problem, sampler: Sampler, workers: int) -> float:
    """How far the best of the problem's trials is from the lowest value, with so many trials running at a time."""
    finished: list[Observation] = []
    running: list[Pending] = []
    for number in range(problem.trials + workers - 1):
        if number < problem.trials:
            [made] = sampler.suggest(History(tuple(finished), tuple(running)), [number])
            running.append(Pending(number, made.params))
        if number >= workers - 1:
            done = running.pop(0)
            finished.append(Observation(done.number, done.params, problem.objective(done.params)))
    return min(observation.score for observation in finished) - problem.lowest


def compare(names: Sequence[str], seeds: int, workers: int) -> None:
    print(f"\nregret after all trials, {workers} at a time: median of {seeds} seeds (worst)")
    for title, problem in PROBLEMS.items():
        print(f"{title}, {problem.trials} trials")
        for name in names:
            start = time.perf_counter()
            regrets = [regret(problem, CONTESTANTS[name](problem.space, seed), workers) for seed in range(seeds)]
            seconds = (time.perf_counter() - start) / seeds
            print(f"  {name:20} {statistics.median(regrets):10.2g} ({max(regrets):.2g})  {seconds:6.1f} s", flush=True)


def measure_fit(names: Sequence[str]) -> None:
    print("\none call at 300 finished trials, milliseconds for 1 point and for 4")
    for title, problem in PROBLEMS.items():
        points = [point(problem.space, 0, i) for i in range(300)]
        history = History(tuple(Observation(i, p, problem.objective(p)) for i, p in enumerate(points)))
        for name in names:
            sampler = CONTESTANTS[name](problem.space, 0)
            spent = []
            for count in (1, 4):
                start = time.perf_counter()
                sampler.suggest(history, range(300, 300 + count))
                spent.append(1000 * (time.perf_counter() - start))
            print(f"  {title:12} {name:10} {spent[0]:6.0f} {spent[1]:6.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=CONTESTANTS, default=list(CONTESTANTS))
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    compare(options.only, options.seeds, workers=1)
    compare([name for name in options.only if name in (*OURS, "random")], options.seeds, workers=4)
    measure_fit([name for name in options.only if name in OURS])


if __name__ == "__main__":
    main()
