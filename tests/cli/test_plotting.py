"""trialbook plot: figures into files, mistakes in words."""

import pytest

pytestmark = pytest.mark.slow


def test_figure_is_written_as_a_page_that_tells_its_kind(run, tuned, tmp_path):
    file = tmp_path / "history.html"
    said = run("plot", tuned, "-o", str(file))
    assert (said.exit_code, said.stdout) == (0, f"{file} is written\n")
    page = file.read_text()
    assert page.startswith("<!doctype html>")
    assert '"kind": "history"' in page


def test_parameters_of_a_pair_are_passed_on(run, tuned, tmp_path):
    said = run("plot", tuned, "rank", "--x", "nothing", "-o", str(tmp_path / "rank.html"))
    assert said.exit_code == 1
    assert "/x must be one of the study's parameters" in said.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nobody", "history"], "There is no study of that name."),
        (["nobody", "curves"], "There is no study of that name."),
        (["nobody", "pie"], "'pie'"),
    ],
)
def test_what_is_unknown_is_said(run, client, arguments, said):
    failed = run("plot", *arguments)
    assert failed.exit_code != 0
    assert said in failed.stderr
