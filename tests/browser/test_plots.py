"""Figures as files, in a real Chromium: each is drawn without asking any server for anything."""

from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.service.calls import spec
from trialbook import Client, TrialPruned
from trialbook.plotting import KINDS

pytestmark = [pytest.mark.browser, pytest.mark.slow]

# Whether each chart of the page has drawn something.
DRAWN = """() => {
  const charts = [...document.querySelectorAll(".chart")].map((one) => echarts.getInstanceByDom(one)?.getOption());
  return charts.length > 0 && charts.every((option) => option?.series?.some((one) => one.data?.length > 0));
}"""
SPACE = {
    "x": {"type": "float", "low": 0.0, "high": 1.0},
    "kind": {"type": "categorical", "choices": ["</script>", "b"]},
}


@pytest.fixture
def client(server: str) -> Iterator[Client]:
    """A client, with a study of two trained trials and twenty imported ones."""
    objective = {"trainer": "external", "metric": "val_loss", "direction": "minimize"}
    with Client(server, "none") as made:
        made.create_study(spec(objective=objective, space=SPACE, budget={"n_trials": 50}))
        for value in (0.5, 0.25):
            trial = made.study("study").ask_one()
            trial.report(0, val_loss=1.0, train_loss=0.5)
            trial.report(1, val_loss=value, train_loss=0.25)
            trial.finish()
        points = [{"x": i / 20, "kind": SPACE["kind"]["choices"][i % 2]} for i in range(20)]
        made.add_trials("study", [{"params": one, "state": "complete", "value": 1 + one["x"]} for one in points])
        yield made
        made.delete_study("study")


@pytest.mark.parametrize("kind", [one for one in KINDS if one != "early_stopping"])
def test_each_figure_is_drawn_from_its_file_alone(page, client, tmp_path, kind):
    client.plot("study", kind).save(tmp_path / "figure.html")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tmp_path / "figure.html").as_uri())
    page.wait_for_function(DRAWN)
    assert page.locator("h2").inner_text().startswith("study: ")
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


def test_what_early_stopping_cost_is_a_file_too(page, client, tmp_path):
    pruner = {"name": "threshold", "upper": 1.0, "audit": 0.5}
    client.create_study(spec("audited", pruner=pruner, budget={"n_trials": 12}))
    for trial in client.study("audited").ask():
        with suppress(TrialPruned):
            for step, loss in enumerate((0.5, 0.5) if trial.number == 0 else (2.0, 0.4)):
                trial.report(step, loss=loss)
            trial.finish()
    client.plot("audited", "early_stopping").save(tmp_path / "figure.html")
    client.plot("study", "early_stopping").save(tmp_path / "none.html")
    client.delete_study("audited")
    page.goto((tmp_path / "figure.html").as_uri())
    page.wait_for_function(DRAWN)
    page.get_by_text("that ran on to the end for the audit").wait_for()
    page.goto((tmp_path / "none.html").as_uri())
    page.get_by_text("No trial").wait_for()


def test_curves_have_train_beside_validation(page, client, tmp_path):
    client.plot("study", "curves").save(tmp_path / "figure.html")
    page.goto((tmp_path / "figure.html").as_uri())
    page.wait_for_function(DRAWN)
    series = page.evaluate(
        "() => echarts.getInstanceByDom(document.querySelector('.chart')).getOption().series.map(one => one.id)"
    )
    assert {"0/val_loss", "0/train_loss", "1/val_loss", "1/train_loss"} <= set(series)


def test_a_notebook_shows_it_in_a_frame_in_the_theme_asked_for(page, client):
    page.set_content(client.plot("study", "history", theme="dark")._repr_html_())
    inside = page.frame_locator("iframe")
    inside.locator("canvas").wait_for()
    assert inside.locator("html").get_attribute("data-theme") == "dark"


def test_a_figure_of_a_study_without_trials_says_what_is_missing(page, client, tmp_path):
    client.create_study(spec("empty"))
    client.plot("empty", "importance").save(tmp_path / "figure.html")
    client.delete_study("empty")
    page.goto((tmp_path / "figure.html").as_uri())
    page.get_by_text("16 more to go").wait_for()
