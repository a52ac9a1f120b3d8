"""A study's page in a real Chromium, against a real server: what happens is seen without a reload."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.service.calls import spec
from trialbook import Client

pytestmark = [pytest.mark.browser, pytest.mark.slow]

# Whether the curves' chart shows a line with these points, and the history so many dots of a state. Functions, since
# Playwright evaluates other text again at each look, which the page's policy forbids.
CURVE = """([id, wanted]) => {
  const chart = echarts.getInstanceByDom(document.getElementById("curves"));
  const line = chart?.getOption()?.series?.find(one => one.id === id);
  return line !== undefined && JSON.stringify(line.data.map(one => one.value)) === wanted;
}"""
DOTS = """([state, wanted]) => {
  const chart = echarts.getInstanceByDom(document.getElementById("history"));
  return chart?.getOption()?.series?.find(one => one.id === state)?.data.length === wanted;
}"""
METRICS = {"val_loss": 1.0, "train_loss": 0.5}


@pytest.fixture
def client(server: str) -> Iterator[Client]:
    """A client, with one external study that goes at the end."""
    objective = {"trainer": "external", "metric": "val_loss", "direction": "minimize"}
    with Client(server, "none") as made:
        made.create_study(spec(objective=objective, budget={"n_trials": 50}))
        yield made
        made.delete_study("study")


def open_study(page: Page, client: Client, complete: int = 0) -> None:
    page.goto(f"{client.url}/studies/study")
    wait_for_dots(page, complete)


def wait_for_dots(page: Page, complete: int) -> None:
    page.wait_for_function(DOTS, arg=["complete", complete])


def wait_for_curve(page: Page, line: str, points: list[list[Any]]) -> None:
    page.wait_for_function(CURVE, arg=[line, json.dumps(points, separators=(",", ":"))])


def test_nothing_is_read_twice_to_open_a_study(page, client):
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url.removeprefix(client.url).partition("?")[0]))
    open_study(page, client)
    expect(page.locator("#live")).to_have_text("live")
    assert "/api/v1/studies/study/events" in asked
    assert asked.count("/studies/study") == asked.count("/api/v1/studies/study/analysis/history") == 1
    assert sorted(asked) == sorted(set(asked))
    client.pause_study("study")  # the stream goes on from where the page was made
    page.get_by_role("button", name="Resume").wait_for()


def test_reports_appear_in_the_curve_without_a_reload(page, client):
    open_study(page, client)
    page.evaluate("window.same = true")
    trial = client.study("study").ask_one()
    trial.report(0, **METRICS)
    trial.report(1, val_loss=0.75, train_loss=0.25)
    wait_for_curve(page, "0/val_loss", [[0, 1], [1, 0.75]])
    trial.report(2, val_loss=0.625, train_loss=0.125)
    wait_for_curve(page, "0/val_loss", [[0, 1], [1, 0.75], [2, 0.625]])
    wait_for_curve(page, "0/train_loss", [[0, 0.5], [1, 0.25], [2, 0.125]])
    assert page.evaluate("window.same") is True
    trial.release()


def test_a_better_trial_changes_best_value_history_and_table(page, client):
    study = client.study("study")
    study.ask_one().finish(0.5)
    open_study(page, client, complete=1)
    expect(page.locator("#best .big")).to_have_text("0.5")
    study.ask_one().finish(0.25)
    expect(page.locator("#best .big")).to_have_text("0.25")
    wait_for_dots(page, 2)
    page.get_by_role("tab", name="Trials").click()
    rows = page.locator("#trials tr[data-trial]")
    expect(rows.first).to_contain_text("0.25")
    study.ask_one().finish(0.125)
    expect(rows.first).to_contain_text("0.125")
    page.get_by_role("tab", name="Trials").press("Home")
    wait_for_dots(page, 3)  # it was not seen, so not drawn, when the third one came


def test_keys_show_themselves_and_lead_to_tabs_and_pages(page, client):
    page.goto(f"{client.url}/studies/study")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("2")
    expect(page.get_by_role("tab", selected=True)).to_have_text("Curves")
    page.keyboard.press("/")
    page.keyboard.type("gw2?")
    expect(page.get_by_role("searchbox")).to_have_value("gw2?")
    page.get_by_role("searchbox").blur()
    page.keyboard.press("g")
    page.keyboard.press("w")
    page.wait_for_url("**/workers")


def test_the_open_tab_stands_in_the_address(page, client):
    page.goto(f"{client.url}/studies/study")
    tabs = page.get_by_role("tab")
    expect(page.get_by_role("tab", selected=True)).to_have_text("History")
    tabs.first.focus()
    page.keyboard.press("ArrowLeft")
    expect(tabs.last).to_be_focused()
    expect(tabs.last).to_have_attribute("aria-selected", "true")
    page.get_by_role("tab", name="Trials").click()
    page.reload()
    expect(page.get_by_role("tab", selected=True)).to_have_text("Trials")
    expect(page.locator("#trials")).to_be_visible()
    expect(page.locator("#history")).to_be_hidden()


def test_pause_resume_and_cancel_work_and_cancel_asks_first(page, client):
    open_study(page, client)
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#state")).to_contain_text("paused")
    assert client.get_study("study").state == "paused"
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("#state")).to_contain_text("running")
    page.get_by_role("button", name="Cancel…").click()
    page.get_by_role("button", name="Go on running").click()
    assert client.get_study("study").state == "running"
    page.get_by_role("button", name="Cancel…").click()
    page.get_by_role("button", name="Cancel the study").click()
    expect(page.locator("#state")).to_contain_text("cancelled")
    assert client.get_study("study").state == "cancelled"


def test_a_click_on_a_dot_opens_the_trial_whose_page_is_live(page, client):
    client.study("study").ask_one().finish(0.5)
    trial = client.study("study").ask_one()
    trial.report(0, **METRICS)
    open_study(page, client, complete=1)
    place = page.evaluate("""() => {
      const element = document.getElementById("history");
      const [x, y] = echarts.getInstanceByDom(element).convertToPixel({ gridIndex: 0 }, [0, 0.5]);
      const box = element.getBoundingClientRect();
      return [box.x + x, box.y + y];
    }""")
    page.mouse.click(*place)
    page.wait_for_url("**/studies/study/trials/0")
    page.goto(f"{client.url}/studies/study/trials/1")
    expect(page.locator("#metrics figure h2")).to_have_text(["val_loss"])
    trial.fail("ValueError: <b>no</b>", retry=False)
    expect(page.locator("#state")).to_contain_text("failed")
    expect(page.locator("#error pre")).to_have_text("ValueError: <b>no</b>")


def test_a_hidden_page_holds_no_stream_and_catches_up_when_seen_again(page, client):
    open_study(page, client)
    hide = "Object.defineProperty(document, 'hidden', {{ value: {}, configurable: true }});"
    tell = "document.dispatchEvent(new Event('visibilitychange'))"
    page.evaluate(hide.format("true") + tell)
    expect(page.locator("#live")).to_contain_text("paused")
    client.study("study").ask_one().finish(0.125)
    page.evaluate(hide.format("false") + tell)
    expect(page.locator("#live")).to_contain_text("live")
    expect(page.locator("#best .big")).to_have_text("0.125")


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_is_wider_than_the_page(page, client, width):
    trial = client.study("study").ask_one()
    trial.report(0, **METRICS)
    trial.finish(0.5)
    page.set_viewport_size({"width": width, "height": 800})
    for path in ("/studies/study", "/studies/study/trials/0"):
        page.goto(client.url + path)
        expect(page.locator("canvas").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_the_open_tab_is_in_sight_on_a_small_screen(page, client):
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(f"{client.url}/studies/study?tab=log")
    expect(page.locator("#live")).to_have_text("live")
    expect(page.get_by_role("tab", name="Log")).to_be_in_viewport(ratio=0.99)
    assert page.evaluate("scrollY") == 0
