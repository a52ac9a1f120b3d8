"""Watching: lines for logs, JSON for programs, bars for a terminal."""

import io
import json
import threading
from contextlib import contextmanager

import pytest
from rich.console import Console

from tests.service.calls import spec
from trialbook.cli.session import Output
from trialbook.cli.tables import sparkline
from trialbook.cli.watching import follow, look, picture

pytestmark = pytest.mark.slow


@contextmanager
def at_work(client, study):
    """Trials that are finished beside the test, one after another."""

    def work():
        for trial in client.study(study).ask():
            trial.report(0, loss=float(trial.number))
            trial.finish()

    thread = threading.Thread(target=work)
    thread.start()
    yield
    thread.join()


def text_of(*renderables):
    console = Console(file=io.StringIO(), width=110)
    console.print(*renderables)
    return console.file.getvalue()


def test_log_has_the_study_as_it_ended(run, client):
    client.create_study(spec())
    with at_work(client, "study"):
        said = run("watch", "study")
    assert said.exit_code == 0
    assert "study  ✓ completed" in said.stdout
    assert "3 of 3 trials" in said.stdout


def test_json_ends_with_the_study(run, client):
    client.create_study(spec())
    with at_work(client, "study"):
        lines = [json.loads(line) for line in run("watch", "study", "-o", "json").stdout.splitlines()]
    assert lines[-1]["event"] == "ended"
    assert lines[-1]["study"]["counts"]["complete"] == 3


def test_study_that_has_ended_is_shown_at_once(run, tuned):
    assert "best  loss ↓ 0.25" in run("watch", tuned).stdout


def test_cancelled_study_ends_watching_with_1(run, client):
    client.create_study(spec())
    client.cancel_study("study")
    assert run("watch", "study").exit_code == 1


def test_terminal_gets_bars(client):
    client.create_study(spec())
    terminal = Console(file=io.StringIO(), force_terminal=True, width=110)
    with at_work(client, "study"):
        ended = follow(client, "study", Output.text, on=terminal)
    assert ended.state == "completed"
    assert "3 of 3 trials" in terminal.file.getvalue()


def test_running_trial_has_its_bar_and_curve(client):
    objective = {"trainer": "external", "metric": "loss", "fixed": {"epochs": 8}}
    client.create_study(spec(objective=objective))
    trial = client.study("study").ask_one()
    trial.report(0, loss=1.0)
    trial.report(1, loss=0.5)
    latest = look(client, "study")
    shown = text_of(picture(latest, latest.study.created_at))
    assert "trial 0" in shown
    assert "step 2 of 8" in shown
    assert "█▁" in shown
    assert "loss 0.5" in shown
    trial.release()


@pytest.mark.parametrize(
    ("values", "drawn"),
    [
        ([0.0, 1.0, 0.5], "▁█▅"),
        ([2.0, 2.0], "▁▁"),
        ([1.0, float("nan"), 0.0], "█×▁"),
        ([float("inf")], "×"),
        ([], ""),
    ],
)
def test_sparkline(values, drawn):
    assert sparkline(values) == drawn


def test_sparkline_shows_the_newest():
    assert sparkline([5.0, 0.0, 1.0], width=2) == "▁█"
