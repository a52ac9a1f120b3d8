"""How much of the time a worker's processes train: trials of 1, 10 and 60 seconds, beside a bare loop in their place.

Each trial notes when its function began and ended; a process's share is the sum of that over the time from its first
beginning to its last end. What is missing is the way from one trial to the next: result, lease, parameters, all over
HTTP to a real server. The bare loop calls the same function in as many processes, with nothing between.
"""

import argparse
import collections
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tests.servers import server_process
from trialbook import Client

TRAIN = """
import json, os, time

def train(trial):
    began = time.monotonic()
    seconds, work = trial.params["seconds"], 0.0
    if os.environ["KIND"] == "sleep":
        time.sleep(seconds)
    while time.monotonic() < began + seconds:
        work += sum(i * i for i in range(1000))
    with open(os.environ["NOTES"], "a") as notes:
        notes.write(json.dumps([os.getpid(), began, time.monotonic()]) + "\\n")
    return work
"""
BARE = """
import sys
from types import SimpleNamespace
from train import train
for _ in range(int(sys.argv[1])):
    train(SimpleNamespace(params={"seconds": float(sys.argv[2])}))
"""
BARS = {1.0: 0.90, 10.0: 0.98, 60.0: 0.99}
TRIALS = {1.0: 40, 10.0: 10, 60.0: 4}  # of each length


@dataclass(frozen=True)
class Spent:
    """Of the processes' time the part in which they trained; and the times between two trials, sorted, in seconds."""

    share: float
    gaps: list[float]


def spent(notes: Iterable[str]) -> Spent:
    """From notes [process, began, ended]."""
    times = collections.defaultdict(list)
    for process, began, ended in map(json.loads, notes):
        times[process].append((began, ended))
    trained = sum(ended - began for each in times.values() for began, ended in each)
    whole = sum(each[-1][1] - each[0][0] for each in times.values())
    gaps = [later[0] - earlier[1] for each in times.values() for earlier, later in pairwise(each)]
    return Spent(trained / whole, sorted(gaps))


def measure_ours(
    client: Client, seconds: float, trials: int, processes: int, sampler: str, environ: dict[str, str]
) -> Spent:
    """The share of a real worker, which drains a study of so many trials."""
    name = f"s{seconds:g}"
    space = {"x": {"type": "float", "low": 0.0, "high": 1.0}}
    objective = {"trainer": "train:train", "metric": "loss", "direction": "minimize", "fixed": {"seconds": seconds}}
    client.create_study(
        {
            "name": name,
            "objective": objective,
            "space": space,
            "sampler": {"name": sampler},
            "budget": {"n_trials": trials},
        }
    )
    command = [sys.executable, "-m", "workers", "--trainer", "train:train", "--study", name, "--drain"]
    return run([[*command, "--processes", str(processes)]], environ)


def measure_bare(seconds: float, trials: int, processes: int, environ: dict[str, str]) -> Spent:
    """The share of loops that do nothing else."""
    return run([[sys.executable, "-c", BARE, str(trials // processes), str(seconds)]] * processes, environ)


def run(commands: list[list[str]], environ: dict[str, str]) -> Spent:
    """Their share, by the notes that they leave."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "train.py").write_text(TRAIN)
        environ = {**os.environ, **environ, "NOTES": f"{folder}/notes", "PYTHONPATH": str(Path(__file__).parent.parent)}
        started = [
            subprocess.Popen(command, cwd=folder, env=environ, stderr=subprocess.DEVNULL) for command in commands
        ]
        assert [process.wait() for process in started] == [0] * len(started)
        return spent(Path(folder, "notes").read_text().splitlines())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, nargs="*", default=list(BARS), help="how long a trial takes")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--kind", choices=("sleep", "compute"), default="sleep")
    parser.add_argument("--sampler", default="random")
    arguments = parser.parse_args()
    print(
        f"{'trial':>7} {'trials':>7} {'ours':>8} {'bare':>8} {'bar':>6} {'between trials, ms: least':>26} {'median':>7}"
    )
    failed = False
    with server_process() as ready:
        environ = {"TRIALBOOK_URL": ready["url"], "TRIALBOOK_TOKEN": ready["token"], "KIND": arguments.kind}
        with Client(ready["url"], ready["token"]) as client:
            for seconds in arguments.seconds:
                trials, bar = TRIALS.get(seconds, 20), BARS.get(seconds, 0.0)
                processes = arguments.processes
                ours = measure_ours(client, seconds, trials, processes, arguments.sampler, environ)
                bare = measure_bare(seconds, trials, processes, environ)
                failed |= ours.share < bar
                least, median = 1e3 * ours.gaps[0], 1e3 * statistics.median(ours.gaps)
                shares = f"{ours.share:>8.4f} {bare.share:>8.4f} {bar:>6.2f}"
                print(f"{seconds:>5g} s {trials:>7} {shares} {least:>26.0f} {median:>7.0f}", flush=True)
    return int(failed)


if __name__ == "__main__":
    began = time.monotonic()
    code = main()
    print(f"{time.monotonic() - began:.0f} s")
    sys.exit(code)
