"""What the command line says when something is wrong, and its own data sets."""

import json

import pytest

pytestmark = pytest.mark.slow


def test_missing_study_is_said_on_standard_error(run):
    said = run("show", "nothing")
    assert (said.exit_code, said.stdout) == (1, "")
    assert said.stderr.startswith("trialbook: There is no study")


def test_programs_get_errors_as_json(run):
    said = run("show", "nothing", "-o", "json")
    assert json.loads(said.stderr)["code"] == "not-found"


def test_wrong_token_is_told_how_to_get_one(run):
    said = run("list", "--token", "tb_wrong_00000000000000000000000000")
    assert said.exit_code == 1
    assert "trialbook-server token create" in said.stderr


def test_address_that_is_none_is_named(run):
    said = run("list", "--url", "lab:8000")
    assert said.exit_code == 1
    assert "http://" in said.stderr


def test_every_command_has_help_with_an_example_and_json(run):
    for name in ("submit", "watch", "list", "show", "best", "pause", "resume", "cancel", "export", "demo"):
        said = run(name, "--help")
        assert said.exit_code == 0
        assert f"trialbook {name}" in said.stdout
        assert "-o" in said.stdout


def test_own_data_is_uploaded_and_listed(run, tmp_path):
    file = tmp_path / "Beans.csv"
    file.write_text("size,kind\n" + "".join(f"{i},{'ab'[i % 2]}\n" for i in range(20)))
    assert "beans is stored: classification, 20 rows" in run("data", "put", str(file), "--target", "kind").stdout
    assert any(line.startswith("beans") for line in run("data", "list").stdout.splitlines())
    lines = run("data", "show", "beans", "--limit", "2").stdout.splitlines()
    assert [line.split() for line in lines] == [["size", "kind"], ["0", "a"], ["1", "b"]]
    assert json.loads(run("data", "show", "beans", "-o", "json").stdout)["columns"] == ["size"]
    assert run("data", "delete", "beans").exit_code == 0
    assert "beans" not in run("data", "list").stdout
