"""What real workers meet: they die, their server does, their clocks jump, their code kills itself; and replays."""

import asyncio
import json
import subprocess
import tempfile
import threading
import time
import uuid
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

from tests.end_to_end.machines import COMMANDS, eventually
from tests.end_to_end.studies import own, steps
from tests.promises.figure import Figure
from tests.promises.stage import Crowd, stage, study, worker

OWN = ("--trainer", "train:train")
SLOW = """
import time
def train(trial):
    for step in range({steps}):
        trial.report(step, loss=1 / (step + 1))
        time.sleep({pause})
    return 1.0
"""
SAVING = """
import time
import numpy as np
def train(trial):
    first = trial.resume_step + 1 if trial.load() is not None else 0
    for step in range(first, 40):
        trial.report(step, loss=1 / (step + 1))
        trial.save(step, {"x": np.ones(1)})
        time.sleep(0.05)
    return 1.0
"""
POISON = "import os\ndef train(trial):\n    trial.report(0, loss=1)\n    os.kill(os.getpid(), 9)\n"
SHIFTED = """
import time
_time, _shift = time.time, {days} * 86400.0
time.time = lambda: _time() + _shift
time.time_ns = lambda: int((_time() + _shift) * 1e9)
"""


def dead_workers(kills=5):
    """P3: a killed worker's trial runs again, at a lease of 2 s."""
    took = []
    source = SLOW.format(steps=100_000, pause=0.05)
    with stage("2") as place, ExitStack() as opened:
        server = place.server
        server.client.create_study(own("p3", n_trials=1, trial={"max_attempts": 50}))

        def start(turn):
            return opened.enter_context(worker(server, f"w{turn}", "p3", *OWN, source=source))

        def runs_at(name):
            found = server.client.list_trials("p3", state="running")
            return any(one.worker == name and one.last_step is not None for one in found)

        current = start(0)
        for turn in range(1, kills + 1):
            eventually(lambda one=current: runs_at(one.name), "the worker runs the trial")
            successor = start(turn)
            eventually(lambda one=successor: known(server, one.name), "the next worker asks for work")
            current.kill()
            begun = time.monotonic()
            eventually(lambda one=successor: one.events("lease"), "the trial runs again")
            took.append(time.monotonic() - begun)
            current = successor
    return Figure(
        "P3", f"{kills} workers killed -9 in a trial", f"again within {max(took):.1f} s", "5 s", max(took) < 5
    )


def known(server, name):
    """Whether the server has heard of this worker."""
    return any(one.name == name for one in server.client.list_workers())


def outage(lease_seconds=4.0, kills=2):
    """P4: the server is away for 3 leases: no lease is lost, and what was kept meanwhile arrives in order."""
    source = SLOW.format(steps=int(kills * 4 * lease_seconds / 0.1), pause=0.1)
    with stage(str(lease_seconds)) as place:
        server = place.server
        server.client.create_study(own("p4", n_trials=2))
        with worker(server, "w", "p4", *OWN, "--processes", "2", "--drain", source=source) as one:
            for turn in range(kills):
                before = [trial.last_step or 0 for trial in server.client.list_trials("p4")] or [0]
                most = max(before) + 3

                def on(most=most):
                    running = list(server.client.list_trials("p4", state="running"))
                    return len(running) == 2 and all((trial.last_step or 0) >= most for trial in running)

                eventually(on, f"both trials run ({turn})")
                server.kill()
                threading.Event().wait(3 * lease_seconds)
                server.start()
            assert one.drained() == 0
        trials = server.trials("p4")
        rows = asyncio.run(place.fetch("select trial_id, step from reports order by trial_id, at, step"))
    lost = sum(len(trial.attempts) - 1 for trial in trials)
    ordered = all(a["step"] < b["step"] for a, b in pairwise(rows) if a["trial_id"] == b["trial_id"])
    whole = all(steps(trial) == list(range(steps(trial)[-1] + 1)) and trial.state == "complete" for trial in trials)
    done = f"{kills} outages of {3 * lease_seconds:g} s at leases of {lease_seconds:g} s, 2 trials of a real worker"
    measured = f"{lost} leases lost, curves {'whole and in order' if ordered and whole else 'BROKEN'}"
    return Figure("P4", done, measured, "0 lost, in order", lost == 0 and ordered and whole)


SPACE = {
    "x": {"type": "float", "low": 1e-3, "high": 1.0, "log": True},
    "n": {"type": "int", "low": 1, "high": 8},
    "kind": {"type": "categorical", "choices": ["a", "b", True]},
}
PRUNERS = (
    {"name": "median", "n_startup_trials": 3},
    {"name": "asha", "min_resource": 1, "reduction_factor": 2},
    {"name": "hyperband", "min_resource": 1, "max_resource": 6, "reduction_factor": 2},
)


def replays(n_trials=30, clients=6):
    """P9: suggestions and prune decisions made again by `trialbook-server replay` are equal."""
    samplers = [{"name": name} for name in ("random", "sobol")]
    samplers += [{"name": name, "n_startup_trials": 5} for name in ("gp", "tpe", "cmaes")]
    studies = [
        study(f"p9-{n}", sampler=sampler, pruner=PRUNERS[n % 3], space=SPACE, budget={"n_trials": n_trials})
        for n, sampler in enumerate(samplers)
    ]

    async def run(place):
        crowd = Crowd([place.server])
        for one in studies:
            await crowd.submit(one)
        each = [(one["name"], n) for one in studies for n in range(clients)]
        await asyncio.gather(*[crowd.work(name, f"client-{n}", steps=6, wait=5.0) for name, n in each])
        await crowd.close()

    suggestions = prunings = differences = untold = 0
    with stage() as place:
        asyncio.run(run(place))
        for one in studies:
            command = [COMMANDS / "trialbook-server", "replay", one["name"], "--data", place.folder, "-o", "json"]
            found = json.loads(subprocess.run(command, capture_output=True, text=True, check=False).stdout)
            suggestions, prunings = suggestions + found["suggestions"], prunings + found["prunings"]
            differences, untold = differences + len(found["differences"]), untold + found["untold"]
    done = f"{suggestions} suggestions of 5 samplers and {prunings} decisions of 3 pruners, {clients} clients at once"
    return Figure(
        "P9", done, f"{differences} differ, {untold} can't be told", "100 % equal", differences == untold == 0
    )


def wasted_work(kills=6):
    """P12: each kill costs one run from the last checkpoint, and no report up to it."""
    with stage("2") as place:
        server = place.server
        server.client.create_study(own("p12", n_trials=3, trial={"max_attempts": 50}))
        for turn in range(kills):
            with worker(server, f"w{turn}", "p12", *OWN, source=SAVING) as one:
                eventually(lambda one=one: one.events("lease"), "a trial is leased")
                number = one.events("lease")[0]["number"]
                begun = server.client.get_trial("p12", number).last_step or 0

                def further(number=number, begun=begun):
                    trial = server.client.get_trial("p12", number)
                    return (trial.last_step or 0) > begun + 3 or trial.state == "complete"

                eventually(further, "it gets on")
        with worker(server, "last", "p12", *OWN, "--drain", source=SAVING) as one:
            assert one.drained() == 0
        trials = server.trials("p12")
        resumed = asyncio.run(place.fetch("select attempt, resume_step from attempts where attempt > 1"))
    again = sum(len(trial.attempts) - 1 for trial in trials)
    whole = all(steps(trial) == list(range(40)) for trial in trials)
    fresh = sum(row["resume_step"] is None for row in resumed)
    done, measured = f"{kills} workers killed -9", f"{again} runs again, {fresh} of them from the beginning"
    return Figure(
        "P12", done, measured, "at most one per kill, from the checkpoint", again <= kills and whole and not fresh
    )


def idle_trials(turns=40):
    """P13: work that comes up at one replica reaches a worker that waits at another."""

    async def measure(place, other):
        waiting, giving = Crowd([place.server]), Crowd([other])
        await giving.submit(study("p13", sampler={"name": "random"}, budget={"n_trials": turns}))
        took = []
        for turn in range(turns):
            await giving.insist("POST", "/studies/p13/pause")
            body = {"request_id": uuid.uuid4().hex, "worker": "w", "trainers": ["external"], "wait_seconds": 20}
            asking = asyncio.create_task(waiting.insist("POST", "/leases", body))
            await asyncio.sleep(0.05 * (turn % 20))  # at any place between two looks
            begun = time.monotonic()
            await giving.insist("POST", "/studies/p13/resume")
            given = (await asking)["leases"]
            took.append(time.monotonic() - begun)
            finish = {"state": "complete", "value": 1.0}
            await giving.insist("POST", f"/leases/{given[0]['lease']}/finish", finish)
        assert not waiting.refused and not giving.refused, (waiting.refused, giving.refused)
        await waiting.close()
        await giving.close()
        return took

    with stage() as place:
        took = sorted(asyncio.run(measure(place, place.add_server())))
    measured = f"median {took[len(took) // 2]:.2f} s, longest {took[-1]:.2f} s"
    done = f"{turns} times work came up at one replica while a worker waited at another"
    return Figure("P13", done, measured, "1 s", took[-1] <= 1)


def poison(n_trials=4):
    """A trainer that kills its process each time: each trial fails with the reason, and the study ends exactly at n."""
    with stage() as place:
        place.server.client.create_study(own("poison", n_trials=n_trials, trial={"max_attempts": 3}))
        with worker(place.server, "w", "poison", *OWN, "--drain", source=POISON) as one:
            assert one.drained() == 0
        trials = place.server.trials("poison")
        ended = place.server.client.get_study("poison").state
    told = all(one.state == "failed" and one.attempt == 3 and "signal 9" in (one.error or "") for one in trials)
    failed = f"{'each' if told else 'NOT each'} failed after 3 attempts with the reason"
    measured = f"study {ended}, {len(trials)} trials, {failed}"
    return Figure(
        "poison", f"{n_trials} trials whose code kills itself", measured, "exactly n", told and len(trials) == n_trials
    )


def clock_jumps():
    """Workers whose clocks are 30 days and an hour off, or in another zone: nothing expires early."""
    zones = ((30, "UTC"), (-30, "UTC"), (1 / 24, "Pacific/Kiritimati"), (-1 / 24, "Pacific/Niue"))
    with stage("2") as place, ExitStack() as opened:
        place.server.client.create_study(own("clocks", n_trials=12))
        workers = []
        for n, (days, zone) in enumerate(zones):
            folder = opened.enter_context(tempfile.TemporaryDirectory(prefix="trialbook-test-"))
            Path(folder, "sitecustomize.py").write_text(SHIFTED.format(days=days))
            source = (
                SLOW.format(steps=30, pause=0.1) + f"\nassert abs(time.time() - {time.time()} - {days * 86400}) < 9e2\n"
            )
            one = worker(
                place.server,
                f"w{n}",
                "clocks",
                *OWN,
                "--drain",
                source=source,
                environ={"PYTHONPATH": folder, "TZ": zone},
            )
            workers.append(opened.enter_context(one))
        assert all(one.drained() == 0 for one in workers)
        trials = place.server.trials("clocks")
    lost = sum(len(one.attempts) - 1 for one in trials)
    complete = sum(one.state == "complete" for one in trials)
    done = "4 workers with clocks 30 days and 1 h off either way and other zones, leases of 2 s, trials of 3 s"
    return Figure(
        "clocks",
        done,
        f"{lost} leases lost, {complete} of 12 complete",
        "nothing expires early",
        lost == 0 and complete == 12,
    )
