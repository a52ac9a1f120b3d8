"""Files that training code keeps with its trial are stored before its result, which never fails for them."""

import json

import pytest
import torch

from models import load as load_model
from models.datasets import load, split
from models.families import build

pytestmark = pytest.mark.slow

ATTACH = """
from pathlib import Path
def train(trial):
    Path("plot.txt").write_text("first")
    trial.attach("plot.txt", "plot.txt")
    Path("plot.txt").write_text("then")
    trial.attach("notes", b"old")
    trial.attach("notes", b"new")
    trial.report(0, loss=1)
    if trial.params.get("fails"):
        raise OSError("planned")
    return 1
"""


def test_files_are_stored_with_the_trial_as_they_were_when_attached(server, start):
    trials = [server.add(), server.add(params={"fails": True})]
    start(ATTACH).join()
    for trial in trials:
        assert {name: content for name, (content, _) in trial.artifacts.items() if name != "output.txt"} == {
            "plot.txt": b"first",
            "notes": b"new",
        }
    assert [trial.finished[0]["state"] for trial in trials] == ["complete", "failed"]


def test_a_refused_file_is_told_and_fails_no_trial(server, start):
    server.set(refused=("notes",))
    trial = server.add()
    working = start(ATTACH).join()
    [told] = [event for event in working.events() if event["event"] == "file-refused"]
    assert (told["name"], told["number"]) == ("notes", 0)
    assert (trial.finished[0]["state"], "plot.txt" in trial.artifacts) == ("complete", True)


def test_files_wait_for_a_server_that_is_away(server, start):
    trial = server.add()
    server.set(decide=lambda trial, step: vars(server).update(away=True) or "continue")
    start(ATTACH)
    server.wait(lambda: server.cut >= 3)
    server.set(away=False, decide=lambda trial, step: "continue")
    server.wait(lambda: trial.finished)
    assert trial.artifacts.keys() >= {"plot.txt", "notes"}


def test_a_taken_name_and_a_missing_file_are_the_trainers_mistakes(server, start):
    trials = [server.add(params={"name": name}) for name in ("checkpoint", "output.txt", "mine")]
    start("def train(trial):\n    trial.attach(trial.params['name'], 'no such file')").join()
    said = [trial.finished[0]["error"] for trial in trials]
    assert "'checkpoint' is no name for a file" in said[0] and "'output.txt' is no name" in said[1]
    assert "FileNotFoundError" in said[2]


def test_complete_and_pruned_trials_of_a_book_trainer_keep_the_model_of_their_best_epoch(server, start, tmp_path):
    server.set(decide=lambda trial, step: "prune" if trial.number == 1 and step == 3 else "continue")
    stopping = {"patience": 50, "min_delta": 0.0}
    params = {"epochs": 30, "learning_rate": 0.3}
    asked = {"metric": "val_loss", "data": "iris", "early_stopping": stopping, "folds": 2}
    trials = [server.add("logistic", params, **asked) for _ in range(2)]
    start(trainers=("logistic",)).join()
    assert [trial.finished[0]["state"] for trial in trials] == ["complete", "pruned"]
    for trial in trials:
        for name in ("model.json", "model.safetensors"):
            (tmp_path / name).write_bytes(trial.artifacts[name][0])
        assert json.loads(trial.artifacts["confusion.json"][0])["classes"] == list(load("iris").classes)
        described = json.loads((tmp_path / "model.json").read_text())
        assert (described["trainer"], described["seed"], len(described["schemas"])) == ("logistic", 7, 2)
        best = trial.finished[0]["attributes"]["best_step"]  # of a pruned trial it may be later than what was stored
        learner = build("logistic", {**params, "epochs": best + 1}, seed=7)
        parts = split(load("iris"), folds=2)
        list(learner.fit(parts))
        x = load("iris").x
        expected = learner.predict_folds([fold.schema.preprocessing.apply(x) for fold in parts.folds])
        found = torch.tensor([list(row.values()) for row in load_model(tmp_path).probabilities(x)])
        assert found.allclose(expected, atol=1e-6)
