"""The tabs Parameters and Distribution in a real Chromium, over a study of imported trials."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.service.calls import spec
from trialbook import Client

pytestmark = [pytest.mark.browser, pytest.mark.slow]

COMPUTED = 60_000  # milliseconds: importance is computed in a process of its own, which begins by loading its libraries
SPACE = {
    "rate": {"type": "float", "low": 0.001, "high": 1.0, "log": True},
    "size": {"type": "int", "low": 1, "high": 4},
    "kind": {"type": "categorical", "choices": ["a", "b", "c"]},
}
# What ECharts is about to draw. Functions, since the page's policy forbids what Playwright makes of other text.
CHART = "id => echarts.getInstanceByDom(document.getElementById(id))?.getOption()"
DOTS = """([id, series, wanted]) => {
  const option = echarts.getInstanceByDom(document.getElementById(id))?.getOption();
  return option?.series?.find(one => one.id === series)?.data.length === wanted;
}"""
AXES = """([id, wanted]) => {
  const { xAxis, yAxis } = echarts.getInstanceByDom(document.getElementById(id))?.getOption() ?? {};
  return xAxis?.[0]?.name === wanted[0] && yAxis?.[0]?.name === wanted[1];
}"""
BRUSH = """id => {
  const chart = echarts.getInstanceByDom(document.getElementById(id));
  const at = chart.getOption().parallelAxis.length - 1;
  chart.dispatchAction({ type: "axisAreaSelect", parallelAxisIndex: at, intervals: [[0, 0.2]] });
}"""
FADED = """([id, series, wanted]) => {
  const option = echarts.getInstanceByDom(document.getElementById(id)).getOption();
  const dots = option.series.find(one => one.id === series)?.data ?? [];
  return dots.filter(one => one.itemStyle.opacity < 0.5).length === wanted;
}"""


def trials(n: int) -> list[dict]:
    """The value is the distance of `size` from 2; every tenth trial was pruned."""
    return [
        {
            "params": {"rate": 10 ** (-3 * ((i * 0.618) % 1)), "size": 1 + i % 4, "kind": "abc"[i * 7 % 3]},
            "state": "pruned" if i % 10 == 9 else "complete",
            "value": abs(1 + i % 4 - 2) + 0.01 * (i % 5),
        }
        for i in range(n)
    ]


@pytest.fixture
def client(server: str) -> Iterator[Client]:
    """A client, with one study without trials that goes at the end."""
    with Client(server, "none") as made:
        made.create_study(spec(space=SPACE, budget={"n_trials": 50}))
        yield made
        made.delete_study("study")


def open_tab(page: Page, client: Client, query: str) -> None:
    page.goto(f"{client.url}/studies/study?{query}")


def test_importance_is_told_in_words_and_orders_the_rest(page, client):
    client.add_trials("study", trials(40))
    open_tab(page, client, "tab=parameters")
    expect(page.locator("#importance-words")).to_have_text(
        re.compile(r"^size explains \d+ % \(\d+ to \d+\) of the differences"), timeout=COMPUTED
    )
    page.locator("#importance").press("Home")
    expect(page.locator("#importance + [role=status]")).to_contain_text("size explains")
    page.get_by_text("As a table").click()
    expect(page.locator("#importance-table tbody th").first).to_have_text("size")
    expect(page.locator("[name=pair-x]")).to_have_value("size")
    page.wait_for_function(
        "() => echarts.getInstanceByDom(document.getElementById('slices')).getOption().xAxis[0].name === 'size'"
    )
    assert page.evaluate(CHART, "parallel")["parallelAxis"][0]["name"] == "size"


def test_each_trial_with_a_value_is_in_each_chart(page, client):
    client.add_trials("study", trials(20))
    open_tab(page, client, "tab=parameters")
    for chart, series in (("slices", "dots rate"), ("contour", "trials"), ("rank", "trials"), ("parallel", "trials")):
        page.wait_for_function(DOTS, arg=[chart, series, 20])
    client.add_trials("study", trials(5))
    page.wait_for_function(DOTS, arg=["slices", "dots rate", 25])  # without a reload


def test_a_pair_stands_in_the_address(page, client):
    client.add_trials("study", trials(20))
    open_tab(page, client, "tab=parameters&pair-x=kind&pair-y=rate")
    for chart in ("contour", "rank"):
        page.wait_for_function(AXES, arg=[chart, ["kind", "rate"]])
    page.locator("[name=pair-x]").select_option("rate")  # which the other one gives away
    page.wait_for_function(AXES, arg=["contour", ["rate", "kind"]])
    page.wait_for_url("**pair-x=rate&pair-y=kind**")
    page.reload()
    page.wait_for_function(AXES, arg=["rank", ["rate", "kind"]])


def test_trials_brushed_on_an_axis_stand_out_everywhere(page, client):
    client.add_trials("study", trials(20))
    open_tab(page, client, "tab=parameters")
    page.wait_for_function(DOTS, arg=["slices", "dots rate", 20])
    page.wait_for_function(DOTS, arg=["parallel", "trials", 20])
    page.evaluate(BRUSH, "parallel")
    outside = sum(one["value"] > 0.2 for one in trials(20))
    for chart, series in (("slices", "dots rate"), ("contour", "trials"), ("rank", "trials")):
        page.wait_for_function(FADED, arg=[chart, series, outside])


def test_too_few_trials_are_told_how_many_are_missing(page, client):
    open_tab(page, client, "tab=parameters")
    expect(page.locator("#importance-words")).to_contain_text("16 more to go", timeout=COMPUTED)
    expect(page.locator("#slices-empty")).to_be_visible()
    client.add_trials("study", [one for one in trials(20) if one["state"] == "complete"][:10])
    expect(page.locator("#slices-empty")).to_be_hidden()
    page.reload()
    expect(page.locator("#importance-words")).to_contain_text("6 more to go", timeout=COMPUTED)


def test_the_distribution_tells_the_median_and_the_best_tenth(page, client):
    open_tab(page, client, "tab=distribution")
    expect(page.locator("#distribution-empty")).to_be_visible()
    client.add_trials("study", trials(40))
    expect(page.locator("#distribution-words")).to_contain_text("Half of 36 complete trials")
    for series, n in (("complete", 36), ("pruned", 4)):
        page.wait_for_function(DOTS, arg=["value-shares", series, n])
    bins = {one["id"]: one["data"] for one in page.evaluate(CHART, "value-counts")["series"] if one["type"] == "custom"}
    assert sum(one["value"][3] - one["value"][2] for one in bins["bins complete"]) == 36
