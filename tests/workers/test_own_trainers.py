"""A function of one's own is trained, reported, stopped and finished as it says."""

import math

import pytest

pytestmark = pytest.mark.slow

TRAIN = """
def train(trial):
    for step in range(trial.params["steps"]):
        trial.report(step, loss=trial.params["start"] - step)
    return trial.params["start"] - step
"""
PATIENT = """
def train(trial):
    for step in range(1_000_000):
        trial.report(step, loss=float(step))
"""


def test_a_trial_is_reported_in_order_and_finished_with_its_value(server, start):
    trial = server.add(params={"start": 9}, fixed={"steps": 500})
    start(TRAIN).join()
    assert list(trial.reports.values()) == [{"loss": 9.0 - step} for step in range(500)]
    assert [(end["state"], end["value"]) for end in trial.finished] == [("complete", 9 - 499)]


def test_quick_steps_share_calls(server, start):
    trial = server.add(params={"start": 0}, fixed={"steps": 3000})
    start(TRAIN).join()
    assert len(trial.reports) == 3000
    assert len(trial.batches) < 1000


def test_one_process_trains_one_trial_after_another(server, start):
    trials = [server.add() for _ in range(3)]
    start("import os\ndef train(trial):\n    return os.getpid()").join()
    assert len({trial.finished[0]["value"] for trial in trials}) == 1


def test_a_pruned_trial_ends_soon_and_is_finished_as_pruned(server, start):
    server.set(decide=lambda trial, step: "prune" if step >= 3 else "continue")
    trial = server.add()
    start(PATIENT).join()
    assert [end["state"] for end in trial.finished] == ["pruned"]
    assert list(trial.reports) == [0, 1, 2, 3]


def test_training_obeys_within_one_step_of_the_answer(server, start):
    server.set(decide=lambda trial, step: "prune")
    trial = server.add()
    start("""
import threading
def train(trial):
    trial.report(0, loss=1)
    with trial._orders._changed:
        trial._orders._changed.wait_for(lambda: trial._orders.order)
    trial.report(1, loss=1)
    print("went on")
""").join()
    assert trial.batches == [[0]]
    assert "output.txt" not in trial.artifacts


def test_a_stopped_trial_is_not_written_to_again(server, start):
    server.set(decide=lambda trial, step: "stop")
    trial = server.add()
    start(PATIENT).join()
    assert (trial.finished, trial.released) == ([], 0)


def test_a_lost_lease_ends_that_trial_and_the_worker_goes_on(server, start):
    lost, other = server.add(ttl_seconds=0.2), server.add(params={"short": True})
    lost.lost = True
    start(PATIENT.replace("1_000_000", "1 if trial.params else 10**9")).join()
    assert lost.finished == []
    assert other.finished[0]["state"] == "complete"


def test_a_decision_on_the_last_step_is_obeyed_too(server, start):
    server.set(decide=lambda trial, step: "prune")
    trial = server.add()
    start("def train(trial):\n    trial.report(0, loss=1)\n    return 1").join()
    assert [end["state"] for end in trial.finished] == ["pruned"]


def test_an_exception_fails_the_trial_with_its_traceback_and_may_be_tried_again(server, start):
    trial = server.add()
    start("def train(trial):\n    raise RuntimeError('no such luck')").join()
    assert [end["retry"] for end in trial.finished] == [True] * 3
    assert trial.finished[0]["error"].startswith("RuntimeError: no such luck\n")
    assert 'train.py", line 2, in train' in trial.finished[0]["error"]
    assert "workers" not in trial.finished[0]["error"]


def test_a_trainer_can_say_that_another_attempt_is_useless(server, start):
    trial = server.add()
    start("from trialbook import TrialFailed\ndef train(t): raise TrialFailed('x is 0', retry=False)").join()
    assert [(end["error"], end["retry"]) for end in trial.finished] == [("x is 0", False)]


def test_what_is_no_number_is_no_value(server, start):
    trial = server.add()
    start("def train(trial):\n    return 'good'").join()
    assert "str, which is no number" in trial.finished[0]["error"]


def test_numpy_and_non_finite_numbers_are_metrics(server, start):
    trial = server.add()
    start("import numpy as np\ndef train(t):\n    t.report(0, a=np.float32(0.5), b=np.nan)\n    return np.inf").join()
    assert trial.reports[0] == {"a": 0.5, "b": "nan"}
    assert trial.finished[0]["value"] == "inf"


def test_a_value_may_be_left_to_the_server(server, start):
    trial = server.add()
    start("def train(trial):\n    trial.report(0, loss=1)").join()
    assert "value" not in trial.finished[0]


def test_the_users_own_models_package_is_the_one_imported(server, start, tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "__init__.py").write_text("mine = 42")
    (tmp_path / "workers.py").write_text("mine = 1")
    trial = server.add()
    start("import models, workers\ndef train(trial):\n    return models.mine + workers.mine").join()
    assert trial.finished[0]["value"] == 43


def test_a_trainer_that_the_worker_does_not_offer_is_given_back_untouched(server, start, tmp_path):
    (tmp_path / "other.py").write_text("open('imported', 'w')")
    trial = server.add(trainer="other:train")
    start(TRAIN).join()
    assert (trial.released, trial.finished) == (1, [])
    assert not (tmp_path / "imported").exists()


def test_a_trainer_that_cannot_be_imported_ends_the_worker_before_it_takes_a_trial(server, start):
    server.add()
    working = start("import no_such_package").join()
    assert "No module named 'no_such_package'" in str(working.errors[0])
    assert server.asked == []


def test_attributes_tell_the_environment_and_what_the_trainer_adds(server, start):
    trial = server.add()
    start("import numpy\ndef train(trial):\n    trial.attributes['note'] = 'mine'\n    return 0").join()
    attributes = trial.finished[0]["attributes"]
    assert attributes["note"] == "mine"
    assert attributes["environment"]["packages"]["numpy"].count(".") == 2
    assert math.isfinite(attributes["seconds"])


def test_training_code_does_not_see_the_worker_s_token(server, start, monkeypatch):
    monkeypatch.setenv("TRIALBOOK_TOKEN", "secret")
    trial = server.add()
    start("import os\ndef train(trial):\n    return float('secret' in os.environ.values())").join()
    assert trial.finished[0]["value"] == 0.0
