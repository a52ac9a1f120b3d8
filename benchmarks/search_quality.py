"""How good the samplers' searches are on real tuning tasks and on test functions, beside the peers in the same run.

Prints the mean regret (see regret.py) after some trials, the ratio of ours to each peer's with a 90 % interval, regret
by wall time where a trial takes so many seconds, how soon a hundred random trials are matched, and the tasks where a
peer is ahead. With --keep, runs are kept in a file, and what is there is not run again: stop and go on as you like.

usage: OMP_NUM_THREADS=1 python benchmarks/search_quality.py [--seeds 0 9] [--trials 30] [--workers 1] [--only gp tpe]
           [--tasks net] [--unseen] [--keep FILE] [--processes 1] [--ours gp] [--told]
           [--picture docs/search_quality.svg]
"""

import argparse
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import smooth_tasks
import tuning_tasks
import unseen_tasks
from contestants import CONTESTANTS, installed
from peers import PEERS
from regret import Comparison, ratio
from search_runs import Job, Shelf, run

MARKS = (10, 20, 30, 50)
TRIAL_SECONDS = (0.1, 1.0, 10.0)
SLOW = ("gp_skopt", "SMAC", "Ax")  # left out unless asked for: seconds per trial


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs=2, default=[0, 9], help="the first and the last")
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--workers", type=int, default=1, help="trials that run at a time")
    parser.add_argument("--only", nargs="+", choices=CONTESTANTS)
    parser.add_argument("--tasks", default="", help="a part of the tasks' names")
    parser.add_argument(
        "--unseen", action="store_true", help="the tasks on which no search was looked at while gp was made"
    )
    parser.add_argument("--keep", type=Path, help="a file of runs, read and added to")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--ours", default="gp", choices=CONTESTANTS, help="compared with each of the others")
    parser.add_argument("--told", action="store_true", help="run nothing, tell what was kept")
    parser.add_argument("--picture", type=Path, help="an SVG of the regrets")
    options = parser.parse_args()
    seeds = range(options.seeds[0], options.seeds[1] + 1)
    who = options.only or [name for name in CONTESTANTS if name not in SLOW and installed(name)]
    groups = {"real tasks": tuning_tasks.tasks(), "test functions": smooth_tasks.FUNCTIONS}
    if options.unseen:
        groups = {"unseen tasks": unseen_tasks.tasks()}
    chosen = {title: [name for name in group if options.tasks in name] for title, group in groups.items()}
    names = [name for some in chosen.values() for name in some]
    shelf = Shelf(options.keep)
    if not options.told:
        complete(shelf, [Job(w, t, s, options.trials, options.workers) for s in seeds for w in who for t in names],
                 options.processes)  # fmt: skip
    for title, some in chosen.items():
        comparison = Comparison(shelf, some, seeds, options.trials, options.workers)
        there = [name for name in who if some and comparison.has(name)]
        if there:
            print(f"\n{len(some)} {title}, {len(seeds)} seeds, {options.workers} at a time")
            tell(comparison, there, options.ours)
            if options.picture and title != "test functions":
                draw(comparison, there, options.picture)


def complete(shelf: Shelf, jobs: Sequence[Job], processes: int) -> None:
    """Run what is not there yet, seed by seed, and keep each run as it ends."""
    missing = [job for job in jobs if shelf.find(job) is None]
    with ProcessPoolExecutor(processes) as pool:
        for job, found in zip(missing, pool.map(run, missing), strict=True):
            shelf.keep(job, found)


def tell(comparison: Comparison, who: Sequence[str], ours: str) -> None:
    """Print all tables."""
    regrets = {name: comparison.regrets(name) for name in who}
    last = comparison.trials - 1
    marks = [mark for mark in MARKS if mark <= comparison.trials]
    ranked = sorted(who, key=lambda name: regrets[name][:, last].mean())
    print(f"{'mean regret after':26}" + "".join(f"{mark:>7}" for mark in marks) + "   s/trial   as 100 random   ratio")
    for name in ranked:
        row = "".join(f"{regrets[name][:, mark - 1].mean():7.3f}" for mark in marks)
        said = ""
        if ours in regrets and name != ours:
            said = "{:.2f} ({:.2f} to {:.2f})".format(*ratio(regrets[ours][:, last], regrets[name][:, last]))
        print(f"{name:26}{row}{comparison.seconds(name):10.3f}{comparison.trials_until(name):12g}      {said}")
    if comparison.workers == 1:
        tell_times(comparison, ranked)
    tell_tasks(comparison, who, {name: regrets[name][:, last] for name in who}, ours)


def tell_times(comparison: Comparison, who: Sequence[str]) -> None:
    for seconds in TRIAL_SECONDS:
        times = np.array([0.5, 1.0]) * seconds * comparison.trials
        print(f"\n{f'trials of {seconds:g} s: regret by':34}" + "".join(f"{time:>8g} s" for time in times))
        for name in who:
            row = comparison.at_time(name, times, seconds)
            print(f"{name:34}" + "".join(f"{regret:10.3f}" for regret in row))


def tell_tasks(comparison: Comparison, who: Sequence[str], last: dict[str, np.ndarray], ours: str) -> None:
    print(f"\n{f'regret after {comparison.trials}':32}" + "".join(f"{name[:12]:>13}" for name in who))
    for i, task in enumerate(comparison.tasks):
        ahead = [name for name in who if name in PEERS and ours in last and last[name][i] < last[ours][i]]
        row = "".join(f"{last[name][i]:13.3f}" for name in who)
        print(f"{task:32}{row}" + ("  ahead: " + ", ".join(ahead) if ahead else ""))


def draw(comparison: Comparison, who: Sequence[str], path: Path) -> None:
    """Regret by trials, and by time with trials of a second, thinking included."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    by_trials, by_time = figure.subplots(1, 2, sharey=True)
    times = np.linspace(1.0, 1.3 * comparison.trials, 200)
    for name in who:
        look = {"label": name, "linewidth": 2.5 if name == "gp" else 1.2}
        curve = comparison.regrets(name).mean(axis=0)
        by_trials.plot(np.arange(1, comparison.trials + 1), curve, **look)
        by_time.plot(times, comparison.at_time(name, times, 1.0), **look)
    by_trials.set(xlabel="trials", ylabel=f"mean regret over {len(comparison.tasks)} tasks", yscale="log")
    by_time.set(xlabel="seconds, each trial one second and the thinking before it")
    for axes in (by_trials, by_time):
        axes.grid(alpha=0.3)
        axes.set_yticks([0.1, 0.2, 0.3, 0.5, 1.0, 2.0], ["0.1", "0.2", "0.3", "0.5", "1", "2"])
        axes.minorticks_off()
    by_trials.legend()
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
