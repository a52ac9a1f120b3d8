"""The tab Search of a study's page in a real Chromium, on a real server."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.service.calls import spec
from trialbook import Client

pytestmark = [pytest.mark.browser, pytest.mark.slow]
SPACE = {"x": {"type": "float", "low": 0.0, "high": 1.0}, "kind": {"type": "categorical", "choices": ["a", "b"]}}
# How many points of a series a chart has drawn. A function, since Playwright evaluates other text again at each look.
POINTS = """([id, series, wanted]) => {
  const chart = echarts.getInstanceByDom(document.getElementById(id));
  return chart?.getOption()?.series?.find(one => one.id === series)?.data.length === wanted;
}"""


@pytest.fixture
def client(server: str) -> Iterator[Client]:
    """A client with a study of five trials, one of them given by hand."""
    with Client(server, "none") as made:
        made.create_study(spec(space=SPACE, sampler={"name": "sobol"}, budget={"n_trials": 5}))
        made.add_trials("study", [{"params": {"x": 0.5, "kind": "a"}, "state": "complete", "value": 0.5}])
        for trial in made.study("study").ask():
            trial.finish(trial.params["x"])
        yield made
        made.delete_study("study")


def test_it_says_where_trials_came_from_and_what_is_believed(page: Page, client: Client):
    page.goto(f"{client.url}/studies/study?tab=search")
    expect(page.locator("#modes-words")).to_contain_text("1 given by hand")
    expect(page.locator("#calibration-words")).to_contain_text("sobol predicts no values")
    expect(page.locator("#belief-words")).to_contain_text("held as the best trial", timeout=60_000)
    page.wait_for_function(POINTS, arg=["belief", "mean", 81])
    page.locator("select[name=belief-y]").select_option("kind")
    page.wait_for_function(POINTS, arg=["doubt", "map", 2 * 31], timeout=60_000)
    assert "y=kind" in page.url
    page.reload()
    expect(page.locator("select[name=belief-y]")).to_have_value("kind")
    page.wait_for_function(POINTS, arg=["belief", "map", 2 * 31], timeout=60_000)


EXPECTED = """() => {
  const option = echarts.getInstanceByDom(document.getElementById("calibration"))?.getOption();
  if (!option?.series?.length) return null;
  const { xAxis: [x], yAxis: [y], series } = option;
  const points = series.find(one => one.id === "points").data.map(one => one.value.slice(0, 2)).flat();
  const inside = points.every(one => one > x.min && one < x.max);
  const [label] = series.map(one => one.markLine?.label.formatter).filter(Boolean);
  const same = x.min === y.min && x.max === y.max;
  return { same, types: [x.type, y.type], inside, label, points: points.length / 2 };
}"""


def test_what_was_expected_stands_against_what_came_on_equal_axes(page: Page, client: Client):
    client.create_study(spec("predicted", sampler={"name": "gp", "n_startup_trials": 4}, budget={"n_trials": 8}))
    for trial in client.study("predicted").ask():
        trial.finish(0.01 + trial.params["x"] ** 2)
    page.goto(f"{client.url}/studies/predicted?tab=search&log-expected=1")
    expect(page.locator("#calibration-words")).to_contain_text("predictions")
    found = page.wait_for_function(EXPECTED).json_value()
    assert (found["same"], found["inside"], found["label"]) == (True, True, "as expected")
    assert (found["types"], found["points"] > 0) == (["log", "log"], True)
    page.locator("[name=log-expected]").uncheck()
    page.wait_for_function(f"() => ({EXPECTED})()?.types[0] === 'value'")
    assert page.evaluate(EXPECTED)["same"]
    page.locator("#calibration").press("End")
    expect(page.locator("#calibration + [role=status]")).to_contain_text("expected")
    client.delete_study("predicted")
