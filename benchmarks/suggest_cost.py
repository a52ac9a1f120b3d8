"""CPU seconds for one suggestion after so many finished trials, beside Optuna's samplers in the same run.

The history is random points of a space like a perceptron's, scored by a made-up validation error that blows up by 10^4
at high learning rates. Ours are asked as the suggester asks them: by history, nothing kept between two calls. Optuna's
keep their study in memory, which is their fastest storage.

usage: OMP_NUM_THREADS=1 python benchmarks/suggest_cost.py [--after 30 100 300 1000 10000] [--repeats 5] [--patience 60]
"""

import argparse
import statistics
import time
import warnings

import optuna
from contestants import OPTIONS
from peers import suggested
from smooth_tasks import FUNCTIONS

from service.search import History, Observation, build
from service.search.random import point
from trialbook.space import Categorical, Float, Int, Space

TASK = FUNCTIONS["made-up training"]
OURS = ("gp", "tpe", "cmaes", "gp_skopt")
PEERS = {
    "Optuna GP": optuna.samplers.GPSampler,
    "Optuna TPE": optuna.samplers.TPESampler,
    "Optuna CMA-ES": optuna.samplers.CmaEsSampler,
}


def history(count: int) -> History:
    points = [point(TASK.space, 0, i) for i in range(count)]
    return History(tuple(Observation(i, p, TASK.score(p)) for i, p in enumerate(points)))


def ours(name: str, count: int, repeats: int) -> list[float]:
    sampler, known = build(TASK.space, OPTIONS[name](seed=0)), history(count)
    sampler.suggest(known, [count])  # what is loaded once is loaded
    return [_seconds(lambda i=i: sampler.suggest(known, [count + i])) for i in range(repeats)]


def theirs(name: str, count: int, repeats: int) -> list[float]:
    study = optuna.create_study(sampler=PEERS[name](seed=0))
    space = distributions(TASK.space)
    for one in history(count).finished:
        known = {n: space[n] for n in one.params}
        study.add_trial(optuna.trial.create_trial(params=dict(one.params), distributions=known, value=one.score))

    def ask() -> None:
        trial, params = study.ask(), {}
        for name in TASK.space.ordered:
            if TASK.space.is_active(name, params):
                params[name] = suggested(trial, name, TASK.space[name])
        study.tell(trial, TASK.score(params))

    return [_seconds(ask) for _ in range(repeats)]


def distributions(space: Space) -> dict[str, optuna.distributions.BaseDistribution]:
    return {name: _distribution(space[name]) for name in space.names}


def _distribution(parameter: Float | Int | Categorical) -> optuna.distributions.BaseDistribution:
    if isinstance(parameter, Categorical):
        return optuna.distributions.CategoricalDistribution(list(parameter.choices))
    if isinstance(parameter, Int):
        return optuna.distributions.IntDistribution(parameter.low, parameter.high, log=parameter.log)
    return optuna.distributions.FloatDistribution(parameter.low, parameter.high, log=parameter.log)


def _seconds(call) -> float:
    begun = time.process_time()
    call()
    return time.process_time() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--after", type=int, nargs="+", default=[30, 100, 300, 1000, 10000])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--patience", type=float, default=60.0, help="seconds after which a contestant is not asked more"
    )
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    print(
        "CPU seconds for a suggestion, medians\n" + f"{'after trials':18}" + "".join(f"{n:>10}" for n in options.after)
    )
    for name in (*OURS, *PEERS):
        row, slow = f"{name:18}", False
        for count in options.after:
            begun = time.perf_counter()
            spent = [] if slow else (ours if name in OURS else theirs)(name, count, options.repeats)
            slow = slow or time.perf_counter() - begun > options.patience
            row += f"{statistics.median(spent):10.4f}" if spent else f"{'–':>10}"
        print(row, flush=True)


if __name__ == "__main__":
    main()
