"""The command as an operator runs it: signals, exit codes, what it says."""

import json
import signal

import pytest

pytestmark = pytest.mark.slow

ENDLESS = """
import itertools
import numpy as np
def train(trial):
    for step in itertools.count():
        trial.report(step, loss=1)
        trial.save(step, {"x": np.ones(1)})
"""
OWN = ("--trainer", "train:train")


def test_a_drained_worker_exits_0(server, command):
    trial = server.add()
    worker = command("def train(trial):\n    return 1", *OWN, "--drain")
    _, told = worker.communicate(timeout=30)
    assert worker.returncode == 0, told
    assert [json.loads(line)["event"] for line in told.splitlines()] == ["start", "lease", "complete", "drained", "end"]
    assert trial.finished[0]["state"] == "complete"


def test_sigterm_saves_the_trial_gives_it_back_and_exits_0(server, command):
    server.set(reason=None)
    trial = server.add()
    worker = command(ENDLESS, *OWN)
    server.wait(lambda: trial.reports)
    worker.send_signal(signal.SIGTERM)
    worker.communicate(timeout=30)
    assert (worker.returncode, trial.released, trial.finished) == (0, 1, [])
    assert trial.artifacts["checkpoint"][1] == max(trial.reports)


def test_an_idle_worker_leaves_at_once(server, command):
    server.set(reason=None)
    worker = command(ENDLESS, *OWN)
    server.wait(lambda: server.asked)
    worker.send_signal(signal.SIGINT)
    worker.communicate(timeout=4)
    assert worker.returncode == 0


def test_a_second_signal_ends_the_worker_at_once(server, command):
    trial = server.add()
    worker = command(
        "import time\ndef train(t):\n    t.report(0, loss=1)\n    time.sleep(3600)", *OWN, "--grace", "3600"
    )
    server.wait(lambda: trial.reports)
    worker.send_signal(signal.SIGTERM)
    assert any('"leaving"' in line for line in iter(worker.stderr.readline, ""))
    worker.send_signal(signal.SIGTERM)
    worker.communicate(timeout=30)
    assert worker.returncode == 128 + signal.SIGTERM


def test_processes_train_side_by_side(server, command):
    first, second = server.add(), server.add()
    server.set(decide=lambda trial, step: "prune" if first.reports and second.reports else "continue")
    command(ENDLESS, *OWN, "--processes", "2", "--drain").communicate(timeout=30)
    assert [trial.finished[0]["state"] for trial in (first, second)] == ["pruned", "pruned"]
    assert len({asked["worker"] for asked in server.asked}) == 2


def test_a_server_of_another_version_ends_the_worker_with_2_and_keeps_no_trial(server, command):
    server.set(version="9.0.0")
    trial = server.add()
    worker = command("def train(trial):\n    return 1", *OWN)
    _, told = worker.communicate(timeout=30)
    assert worker.returncode == 2
    assert "the server 9.0.0" in told
    assert (trial.released, trial.finished) == (1, [])


def test_an_unknown_trainer_is_refused_with_the_known_ones(server, command):
    worker = command("", "--trainer", "mpl")
    _, told = worker.communicate(timeout=30)
    assert worker.returncode == 2
    assert "no trainer 'mpl'" in told and "mlp" in told
