"""Bytes that rot on the server's disk: a trial goes on from the last checkpoint that is whole."""

import hashlib
import itertools
from pathlib import Path

import pytest

from tests.end_to_end.machines import eventually

pytestmark = pytest.mark.slow

DRAIN = ("--drain", "--trainer", "train:train")
STEPS = 6
TRAIN = """
import pathlib
import time
import numpy as np

def train(trial):
    saved = trial.load()
    total, first = (saved["total"][0], trial.resume_step + 1) if saved else (0.0, 0)
    trial.attributes["resumed_from"] = trial.resume_step
    for step in range(first, 6):
        total = total + 0.1 * step
        trial.report(step, loss=total)
        trial.save(step, {"total": np.array([total])})
        while trial.attempt == 1 and step in (1, 3) and not pathlib.Path(f"go-{step}").exists():
            time.sleep(0.02)
    return total
"""
SPEC = {
    "name": "damaged",
    "objective": {"trainer": "train:train", "metric": "loss"},
    "space": {"x": {"type": "float", "low": 0.0, "high": 1.0}},
    "budget": {"n_trials": 1},
}


def test_trial_whose_newest_checkpoint_is_damaged_goes_on_from_the_one_before(server, start):
    server.client.create_study(SPEC)
    first = start(server, "first", "damaged", *DRAIN, source=TRAIN)

    def saved(step):
        found = server.client.list_artifacts("damaged", 0) if first.events("lease") else []
        return next((one for one in found if one.step == step), None)

    eventually(lambda: saved(1), "the checkpoint of step 1 is stored")
    first.make("go-1")
    newest = eventually(lambda: saved(3), "the checkpoint of step 3 is stored")
    first.kill()
    [path] = [one for one in artifacts(server) if hashlib.sha256(one.read_bytes()).hexdigest() == newest.sha256]
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    path.write_bytes(damaged)
    second = start(server, "second", "damaged", *DRAIN, source=TRAIN)
    assert second.drained() == 0
    trial = server.client.get_trial("damaged", 0)
    assert (trial.state, trial.attempt) == ("complete", 2)
    assert trial.attributes["resumed_from"] in (1, 2), "the one before the newest, which is of step 3"
    assert [one.step for one in trial.reports] == list(range(STEPS))
    totals = list(itertools.accumulate(0.1 * step for step in range(STEPS)))
    assert [one.metrics["loss"] for one in trial.reports] == totals
    assert trial.value == totals[-1]


def artifacts(server):
    """The files that the server keeps of trials."""
    return list(Path(server.folder, "artifacts").iterdir())
