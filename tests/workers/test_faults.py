"""What happens to a trial when its process, its server or its time goes."""

import signal

import pytest

pytestmark = pytest.mark.slow

ENDLESS = """
import itertools
def train(trial):
    for step in itertools.count():
        trial.report(step, loss=1)
"""
HANGING = """
import time
def train(trial):
    if trial.params.get("hang"):
        trial.report(0, loss=1)
        time.sleep(3600)
    return 1
"""
COUNTED = """
def train(trial):
    for step in range(2500):
        trial.report(step, loss=float(step))
"""


def test_a_killed_process_costs_one_attempt_and_says_so(server, start):
    trial = server.add()
    start("""
import os
def train(trial):
    trial.report(0, loss=1)
    if trial.attempt == 1:
        print("about to die", flush=True)
        os.kill(os.getpid(), 9)
    return 1
""").join()
    assert [end["state"] for end in trial.finished] == ["failed", "complete"]
    assert "ended with signal 9" in trial.finished[0]["error"]
    assert trial.finished[0]["retry"]


def test_a_crash_leaves_what_was_printed_before_it(server, start):
    trial = server.add()
    start("import os, sys\ndef train(t):\n    sys.stdout.write('last words\\n')\n    os.abort()").join()
    assert trial.artifacts["output.txt"][0].startswith(b"last words\nFatal Python error: Aborted")


def test_sys_exit_fails_the_attempt_only(server, start):
    trial = server.add()
    start("import sys\ndef train(t):\n    if t.attempt == 1:\n        sys.exit(3)\n    return 1").join()
    assert [end["state"] for end in trial.finished] == ["failed", "complete"]


def test_after_its_timeout_a_hanging_trial_is_killed_for_good_and_the_next_runs(server, start):
    trial, other = server.add(params={"hang": True}, timeout=0.5), server.add()
    start(HANGING).join()
    assert [(end["state"], end["retry"]) for end in trial.finished] == [("failed", False)]
    assert "longer than its timeout of 0.5 s" in trial.finished[0]["error"]
    assert other.finished[0]["state"] == "complete"


def test_a_trainer_that_does_not_obey_is_killed_after_the_grace(server, start):
    server.set(decide=lambda trial, step: "prune")
    trial, other = server.add(params={"hang": True}), server.add()
    start(HANGING, grace_seconds=0.3).join()
    assert [end["state"] for end in trial.finished] == ["pruned"]
    assert other.finished[0]["state"] == "complete"


def test_what_a_killed_trainer_had_started_is_killed_with_it(server, start, tmp_path):
    trial = server.add(timeout=1.5)
    start("""
import subprocess, time
def train(trial):
    held = open("held", "w")
    import fcntl
    fcntl.flock(held, fcntl.LOCK_EX)
    subprocess.Popen(["sleep", "3600"], pass_fds=[held.fileno()])
    time.sleep(3600)
""").join()
    import fcntl

    assert trial.finished
    with (tmp_path / "held").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_reports_of_an_outage_arrive_whole_and_in_order(server, start):
    trial = server.add()

    def decide(trial, step):
        server.away = True
        return "continue"

    server.set(decide=decide)
    working = start(COUNTED)
    server.wait(lambda: server.cut >= 3)
    server.set(decide=lambda trial, step: "continue", away=False)
    working.join()
    assert sorted(trial.reports) == list(range(2500))
    assert [step for batch in trial.batches for step in batch] == sorted(step for b in trial.batches for step in b)
    assert [end["state"] for end in trial.finished] == ["complete"]


def test_a_batch_fits_into_what_the_server_takes(server, start):
    trial = server.add()
    names = [f"metric_{i:03}_{'x' * 80}" for i in range(100)]
    start(f"def train(trial):\n    for s in range(50):\n        trial.report(s, **dict.fromkeys({names}, 1.0))").join()
    assert len(trial.reports) == 50
    assert server.largest < 65_536


def test_a_silent_trial_is_renewed(server, start):
    server.add(ttl_seconds=0.4, params={"hang": True})
    working = start("import time\ndef train(trial):\n    time.sleep(3600)", grace_seconds=0)
    server.wait(lambda: server.trials[0].renewed >= 3)
    working.slot.leave()
    working.join()
    assert server.trials[0].released == 1


def test_a_report_that_the_server_refuses_fails_the_trial_for_good(server, start):
    trial = server.add()
    start("def train(trial):\n    trial.report(0, **{'x' * 99: 1})\n    trial.report(-1, loss=1)").join()
    assert [(end["state"], end["retry"]) for end in trial.finished] == [("failed", False)]
    assert "greater than or equal to 0" in trial.finished[0]["error"]


def test_a_killed_worker_takes_its_training_process_along(server, command, tmp_path):
    server.add()
    worker = command(
        "import fcntl\nheld = open('held', 'w')\nfcntl.flock(held, fcntl.LOCK_EX)\n" + ENDLESS,
        "--trainer",
        "train:train",
    )
    server.wait(lambda: server.trials[0].reports)
    worker.send_signal(signal.SIGKILL)
    import fcntl

    with (tmp_path / "held").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # waits for the process to end
