"""The demo, as a new user runs it: from nothing to a tuned model, and nothing left behind."""

import json
import signal
import subprocess
import sys

import psutil
import pytest

pytestmark = pytest.mark.slow
COMMAND = [sys.executable, "-c", "from trialbook.cli import app; app()", "demo"]


def processes_of(text):
    """Running commands that hold the text."""
    lines = (" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"]))
    return [line for line in lines if text in line]


def test_demo_tunes_a_real_model(data_dir):
    ended = subprocess.run(
        [*COMMAND, "--exit", "--trials", "12", "-o", "json", "--data", str(data_dir)],
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert ended.returncode == 0, ended.stderr
    study = json.loads(ended.stdout)["study"]
    assert sum(study["counts"].values()) == study["n_trials"]
    assert study["best"]["value"] < 0.05
    assert "/login#" in ended.stderr
    assert processes_of(str(data_dir)) == []


def test_ctrl_c_ends_all_that_the_demo_started(data_dir):
    command = [*COMMAND, "--trials", "1", "--workers", "1", "--data", str(data_dir)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if "Serving on" in line:
            break
    assert processes_of(str(data_dir)) != []
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    process.stdout.close()
    assert processes_of(str(data_dir)) == []
