"""Trained models brought home by the command, and put to use."""

import json
import subprocess
import sys

import pytest

from models.datasets import load, split
from models.families import build
from models.saved import describe, save
from tests.service.calls import spec
from trialbook import Client
from trialbook.wire import Finish

pytestmark = pytest.mark.slow
FILES = {"model.json": b'{"format": 1}', "model.safetensors": b"\0" * 200_000}


@pytest.fixture
def trained(client: Client) -> str:
    """The name of a study whose second trial, the best, keeps a model; the first keeps none."""
    client.create_study(spec("trained", budget={"n_trials": 2}))
    for loss, files in ((0.5, {}), (0.25, FILES)):
        [lease] = client.acquire_leases("w", ["external"], study="trained").leases
        for name, content in files.items():
            client.put_artifact(lease.lease, name, content)
        client.finish_trial(lease.lease, Finish(state="complete", value=loss))
    return "trained"


def held(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_best_trials_model_is_brought_home_whole(run, trained, tmp_path):
    said = run("best", trained, "--download", str(tmp_path / "new" / "model"))
    assert (said.exit_code, said.stdout.splitlines()[0]) == (0, "# loss 0.25, trial 1")
    assert held(tmp_path / "new" / "model") == FILES
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["model"]


def test_another_model_in_the_folder_is_replaced_and_other_files_stay(run, trained, tmp_path):
    (tmp_path / "model.json").write_text("older")
    (tmp_path / "answers.csv").write_text("mine")
    assert run("show", trained, "1", "--download", str(tmp_path), "-o", "json").exit_code == 0
    assert held(tmp_path) == {**FILES, "answers.csv": b"mine"}


def test_a_folder_of_other_things_and_a_trial_without_a_model_are_refused(run, trained, tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    said = run("best", trained, "--download", str(tmp_path))
    assert (said.exit_code, "holds other things than a model" in said.stderr) == (1, True)
    said = run("show", trained, "0", "--download", str(tmp_path / "new"))
    assert (said.exit_code, "Trial 0 of trained keeps no model" in said.stderr) == (1, True)
    assert held(tmp_path) == {"thesis.tex": b"mine"}
    assert run("show", trained, "--download", str(tmp_path)).exit_code == 2


def test_predict_runs_without_a_server_and_by_our_own_models(tmp_path):
    parts = split(load("iris"))
    learner = build("logistic", {"epochs": 2})
    list(learner.fit(parts))
    about = describe("logistic", {}, seed=0, seeds=1, schemas=(parts.schema,), split_seed=0, version="0")
    save(tmp_path / "model", about, learner.best_parameters())
    (tmp_path / "models.py").write_text("raise ImportError('of the current folder')")
    names = [number.name for number in parts.schema.preprocessing.numbers]
    (tmp_path / "new.csv").write_text(",".join(names) + "\n5.1,3.5,1.4,0.2\n6.7,3.0,5.2,2.3\n")
    command = [
        sys.executable,
        "-c",
        "from trialbook.cli import app; app()",
        "predict",
        "model",
        "new.csv",
        "-o",
        "json",
    ]
    done = subprocess.run([*command, "--probabilities"], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert [list(row) for row in rows] == [["setosa", "versicolor", "virginica"]] * 2
    assert [sum(row.values()) for row in rows] == pytest.approx([1.0, 1.0])
