"""The tabs History and Curves in a real Chromium: which curves are drawn, the gap in words, what stands in the address,
the trial beside the chart, and still pictures that are readable by themselves."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.service.calls import spec
from trialbook import Client

pytestmark = [pytest.mark.browser, pytest.mark.slow]

# The trials whose lines of this metric a chart shows, and how many points its band has.
LINES = """([id, metric]) => {
  const series = echarts.getInstanceByDom(document.getElementById(id))?.getOption()?.series ?? [];
  const ids = series.map(one => one?.id ?? "").filter(one => one.endsWith("/" + metric));
  return ids.map(one => Number(one.split("/")[0])).sort((a, b) => a - b);
}"""
HAS_LINES = f"([id, metric, wanted]) => JSON.stringify(({LINES})([id, metric])) === wanted"
BAND = """(wanted) => {
  const series = echarts.getInstanceByDom(document.getElementById("many-curves"))?.getOption()?.series ?? [];
  return (series.find(one => one?.id === "band")?.data.length ?? 0) === wanted;
}"""
PARALLEL = """() => {
  const series = echarts.getInstanceByDom(document.getElementById("parallel"))?.getOption()?.series;
  return series?.[0]?.data.length === 3;
}"""
FADED = """(wanted) => {
  const series = echarts.getInstanceByDom(document.getElementById("history"))?.getOption()?.series ?? [];
  return series.flatMap(one => one?.data ?? []).filter(one => one.itemStyle?.opacity < 0.5).length === wanted;
}"""
# (validation, train) by step of each trial: 0 overfits, 1 is balanced and the best, 2 underfits
TRAINED = [[(0.9, 0.8), (0.3, 0.05)], [(0.8, 0.8), (0.2, 0.15)], [(0.9, 0.9), (0.8, 0.7)]]


@pytest.fixture
def client(server: str) -> Iterator[Client]:
    """A client, with one study of three trials that goes at the end."""
    objective = {"trainer": "external", "metric": "val_loss", "direction": "minimize"}
    with Client(server, "none") as made:
        made.create_study(spec(objective=objective, budget={"n_trials": 50}))
        for curve in TRAINED:
            trial = made.study("study").ask_one()
            for step, (validation, train) in enumerate(curve):
                trial.report(step, val_loss=validation, train_loss=train, accuracy=0.5)
            trial.finish(curve[-1][0])
        yield made
        made.delete_study("study")


def wait_for_lines(page: Page, numbers: str, chart: str = "many-curves", metric: str = "val_loss") -> None:
    page.wait_for_function(HAS_LINES, arg=[chart, metric, numbers])


def test_the_curves_chosen_are_drawn_and_stand_in_the_address(page, client):
    page.goto(f"{client.url}/studies/study?tab=curves")
    wait_for_lines(page, "[0,1,2]")
    page.wait_for_function(BAND, arg=2)
    expect(page.locator("#many-note")).to_have_text(
        re.compile("showing all 3 curves; grey: 10th to 90th .* of 3 trials")
    )
    page.locator("#panel-curves [name=k]").fill("1")
    page.locator("#panel-curves [name=k]").press("Enter")
    wait_for_lines(page, "[1]")
    page.locator("[name=curves]").select_option("chosen trials")
    page.locator("#panel-curves [name=trials]").fill("0, 2")
    page.locator("#panel-curves [name=trials]").press("Enter")
    wait_for_lines(page, "[0,2]")
    page.locator("[name=band]").uncheck()
    page.locator("[name=log-y]").check()
    page.wait_for_function(BAND, arg=0)
    page.reload()
    wait_for_lines(page, "[0,2]")
    wait_for_lines(page, "[0,2]", metric="train_loss")
    page.wait_for_function(BAND, arg=0)
    expect(page.locator("[name=log-y]")).to_be_checked()
    expect(page.locator("#panel-curves [name=trials]")).to_have_value("0, 2")


def test_over_and_underfitting_are_told_in_words(page, client):
    page.goto(f"{client.url}/studies/study?tab=curves")
    expect(page.locator("#gap-words")).to_have_text(
        "Trial 1: val_loss 0.2, train_loss 0.15 at its best step 1: gap 0.05, balanced."
    )
    expect(page.locator("#gap-sum")).to_have_text("Of 3 complete trials: 1 overfits, 1 underfits, 1 balanced.")


def test_a_report_is_drawn_in_the_open_tab_and_moves_the_band(page, client):
    page.goto(f"{client.url}/studies/study?tab=curves&curves=latest")
    page.wait_for_function(BAND, arg=2)
    trial = client.study("study").ask_one()
    for step in range(4):
        trial.report(step, val_loss=0.5, train_loss=0.4)
    wait_for_lines(page, "[0,1,2,3]")
    page.wait_for_function(BAND, arg=4)
    trial.release()


def test_seconds_are_an_axis_and_a_metric_without_train_is_not_judged(page, client):
    page.goto(f"{client.url}/studies/study?tab=curves&x=seconds&metric=accuracy")
    wait_for_lines(page, "[0,1,2]", metric="accuracy")
    page.wait_for_function(BAND, arg=0)
    expect(page.locator("#gap-empty")).to_contain_text("no train_… beside accuracy")
    expect(page.locator("#gap-sum")).to_have_text("")


def test_the_trial_in_question_is_told_beside_the_history_by_keys_too(page, client):
    page.goto(f"{client.url}/studies/study")
    beside = page.locator("#history-trial")
    expect(beside).to_contain_text(re.compile(r"trial 1 ✓ complete\s*0\.2\s*x"))
    page.locator("#history").press("Home")
    expect(beside).to_contain_text("trial 0")
    page.locator("#history").press("ArrowRight")
    page.locator("#history").press("ArrowRight")
    expect(beside).to_contain_text("trial 2")
    page.locator("#history").press("Enter")
    page.wait_for_url("**/studies/study/trials/2")


def test_trials_picked_elsewhere_are_shown_alone(page, client):
    page.goto(f"{client.url}/studies/study?tab=curves")
    wait_for_lines(page, "[0,1,2]")
    page.get_by_role("tab", name="Parameters").click()
    page.wait_for_function(PARALLEL)
    page.evaluate("""() => echarts.getInstanceByDom(document.getElementById("parallel"))
      .dispatchAction({ type: "axisAreaSelect", parallelAxisIndex: 1, intervals: [[0.25, 0.9]] })""")
    page.get_by_role("tab", name="Curves").click()
    wait_for_lines(page, "[0,2]")
    page.get_by_role("tab", name="History").click()
    page.wait_for_function(FADED, arg=1)


def test_a_still_picture_has_title_axes_and_key(page, client, tmp_path: Path):
    page.goto(f"{client.url}/studies/study?tab=curves")
    wait_for_lines(page, "[0,1,2]")
    figure = page.locator("figure", has=page.locator("#many-curves"))
    with page.expect_download() as told:
        figure.get_by_role("button", name="SVG").click()
    told.value.save_as(tmp_path / "curves.svg")
    assert told.value.suggested_filename == "study-curves.svg"
    drawn = (tmp_path / "curves.svg").read_text()
    for words in ("study: Curves", "val_loss, lower is better", ">step<", "showing all 3 curves", "stopped early"):
        assert words in drawn
    with page.expect_download() as told:
        figure.get_by_role("button", name="PNG").click()
    told.value.save_as(tmp_path / "curves.png")
    png = (tmp_path / "curves.png").read_bytes()
    assert png.startswith(b"\x89PNG") and int.from_bytes(png[16:20]) >= 1900
    data = page.request.get(client.url + figure.get_by_role("link", name="data").get_attribute("href"))
    assert [one["number"] for one in data.json()["items"]] == [0, 1, 2]
