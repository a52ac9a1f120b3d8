"""Submitting, reading and changing studies from the command line."""

import json

import pytest

from tests.service.calls import spec

pytestmark = pytest.mark.slow

STUDY = """\
name: mine
objective: {trainer: mlp, data: digits, metric: val_error}
space:
  learning_rate: {type: float, low: 1.0e-4, high: 1.0, log: true}
budget: {n_trials: 7}
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(STUDY)
    return path


def test_submitted_study_is_there(run, client, file):
    said = run("submit", str(file))
    assert said.exit_code == 0
    assert f"{client.url}/studies/mine" in said.stdout
    assert client.get_study("mine").n_trials == 7


def test_study_is_read_from_standard_input(run, client):
    assert run("submit", "-", input=STUDY).exit_code == 0
    assert client.get_study("mine").spec["objective"]["data"] == "digits"


def test_study_in_json_is_submitted_as_json(run, client, tmp_path):
    path = tmp_path / "study.json"
    path.write_text(json.dumps(spec("tabbed"), indent="\t"))  # which YAML would refuse
    assert json.loads(run("submit", str(path), "-o", "json").stdout)["name"] == "tabbed"


def test_trainer_alone_makes_a_study_under_a_free_name(run, client):
    for name in ("logistic-iris", "logistic-iris-2"):
        assert run("submit", "--trainer", "logistic", "--data", "iris", "--trials", "3").exit_code == 0
        study = client.get_study(name)
        assert (study.n_trials, study.spec["objective"]["data"]) == (3, "iris")


def test_trainer_takes_the_metric_that_the_data_has(run, client):
    said = run("submit", "--trainer", "mlp", "--data", "diabetes", "--name", "mine", "--dry-run", "-o", "json")
    assert json.loads(said.stdout)["spec"]["objective"]["metric"].startswith("val_m")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--trainer", "mlq"], "There is no trainer 'mlq'; there are"),
        (["--trainer", "mlp", "--data", "nothing"], "There is no data set 'nothing'"),
        (["--trainer", "linear", "--data", "iris"], "which linear does not take"),
    ],
)
def test_trainer_that_cannot_be_named_says_why(run, client, arguments, said):
    answer = run("submit", *arguments)
    assert answer.exit_code == 1
    assert said in answer.stderr


def test_either_a_file_or_a_trainer_is_wanted(run, client, file):
    assert run("submit").exit_code == run("submit", str(file), "--trainer", "mlp").exit_code == 2
    assert run("submit", str(file), "--data", "iris").exit_code == 2


def test_mistakes_are_shown_at_their_lines(run, client, file):
    file.write_text(STUDY.replace("low: 1.0e-4", "low: 2.0").replace("mlp", "mlq"))
    said = run("submit", str(file))
    assert said.exit_code == 1
    assert f"{file}:4: /space/learning_rate" in said.stderr
    assert "│   learning_rate: {type: float, low: 2.0" in said.stderr
    assert list(client.list_studies()) == []


def test_dry_run_says_what_would_be_done_and_stores_nothing(run, client, file):
    said = run("submit", str(file), "--dry-run")
    assert "mine is valid: mlp on digits, minimize val_error; 7 trials over 1 parameter" in said.stdout
    assert list(client.list_studies()) == []


def test_dry_run_tells_that_a_name_is_taken(run, file):
    run("submit", str(file))
    said = run("submit", str(file), "--dry-run")
    assert (said.exit_code, "the name mine is taken" in said.stderr) == (1, True)


def test_file_that_is_not_there_is_named(run, tmp_path):
    said = run("submit", str(tmp_path / "nothing.yaml"))
    assert said.exit_code == 2
    assert "cannot be read" in said.stderr


def test_list_shows_progress_and_the_best_value(run, tuned):
    line = next(line for line in run("list").stdout.splitlines() if line.startswith(tuned))
    assert "✓ completed" in line
    assert "3/3" in line
    assert "0.25" in line


def test_list_as_json_is_filtered_by_state(run, tuned):
    assert [one["name"] for one in json.loads(run("list", "--state", "completed", "-o", "json").stdout)] == [tuned]
    assert json.loads(run("list", "--state", "running", "-o", "json").stdout) == []


def test_show_has_the_best_trial_and_the_latest_ones(run, tuned):
    shown = run("show", tuned).stdout
    assert "3 of 3 trials" in shown
    assert "best  loss ↓ 0.25   trial 1" in shown


def test_show_of_a_trial_has_its_curve(run, tuned):
    shown = run("show", tuned, "1").stdout
    assert "loss █▁ 0.25" in shown
    assert json.loads(run("show", tuned, "1", "-o", "json").stdout)["reports"][1] == {
        "step": 1,
        "metrics": {"loss": 0.25},
    }


def test_best_can_be_pasted_as_yaml(run, client, tuned):
    first, *lines = run("best", tuned).stdout.splitlines()
    assert first == "# loss 0.25, trial 1"
    assert lines == [f"x: {client.get_trial(tuned, 1).params['x']}"]


def test_best_as_json_is_the_trial_or_the_best_ones_in_order(run, tuned):
    assert json.loads(run("best", tuned, "-o", "json").stdout)["number"] == 1
    assert [one["number"] for one in json.loads(run("best", tuned, "--top", "2", "-o", "json").stdout)] == [1, 0]


def test_best_of_a_study_without_any_is_an_error(run, client):
    client.create_study(spec("young"))
    said = run("best", "young")
    assert (said.exit_code, said.stderr) == (1, "trialbook: No trial of young is complete yet.\n")


def test_pause_and_resume(run, client):
    client.create_study(spec())
    assert "study is paused" in run("pause", "study").stdout
    assert client.get_study("study").state == "paused"
    assert json.loads(run("resume", "study", "-o", "json").stdout)["state"] == "running"


def test_larger_budget_reopens_a_completed_study(run, client, tuned):
    assert "tuned is running" in run("extend", tuned, "--n-trials", "5").stdout
    assert client.get_study(tuned).n_trials == 5


def test_limits_are_set_by_extend_and_shown_with_what_is_used(run, client, tuned):
    run("extend", tuned, "--n-trials", "9", "--max-epochs", "500", "--patience", "4")
    shown = run("show", tuned).stdout
    assert f"{client.get_study(tuned).epochs} of 500 epochs" in shown
    assert "1 of 4 trials without improvement" in shown


def test_extend_without_a_change_is_refused(run, tuned):
    assert run("extend", tuned).exit_code == 2


def test_cancel_stops_one_trial_or_the_study(run, client):
    client.create_study(spec())
    [lease] = client.acquire_leases("w", ["external"], study="study").leases
    assert "trial 0 of study is cancelled" in run("cancel", "study", "--trial", "0").stdout
    assert client.get_trial("study", lease.number).state == "cancelled"
    assert "study is cancelled" in run("cancel", "study").stdout


def test_deleted_study_is_gone(run, client):
    client.create_study(spec())
    assert run("delete", "study").exit_code == 0
    assert list(client.list_studies()) == []


def test_export_writes_a_whole_file(run, tuned, tmp_path):
    path = tmp_path / "tuned.csv"
    assert run("export", tuned, "--format", "csv", "--to", str(path)).exit_code == 0
    assert [line.split(",")[0] for line in path.read_text().splitlines()] == ["number", "0", "1", "2"]
    assert list(tmp_path.iterdir()) == [path]


def test_export_goes_to_standard_output(run, tuned):
    assert len(json.loads(run("export", tuned, "-o", "json").stdout_bytes)["trials"]) == 3
