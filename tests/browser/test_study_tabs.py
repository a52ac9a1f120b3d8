"""The tabs Timeline, Notes and Log in a real Chromium, live and kept in the address."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.service.calls import spec
from trialbook import Client

pytestmark = [pytest.mark.browser, pytest.mark.slow]
BARS = """(wanted) => {
  const chart = echarts.getInstanceByDom(document.getElementById("timeline"));
  return JSON.stringify(chart?.getOption()?.series?.[0]?.data.map(one => one.bar.state)) === wanted;
}"""
BAR = """() => {
  const chart = echarts.getInstanceByDom(document.getElementById("timeline"));
  if (chart.getWidth() !== chart.getDom().clientWidth || !chart.getZr().animation.isFinished()) return null;
  const [lane, ...ends] = chart.getOption().series[0].data[0].value;
  const [[left, y], [right]] = ends.map(end => chart.convertToPixel({ seriesIndex: 0 }, [end, lane]));
  const middle = { x: (left + right) / 2, y };
  return chart.getZr().findHover(middle.x, middle.y)?.target ? middle : null;
}"""  # the middle of the first bar in the canvas, once the chart has the size of its place and the bar is drawn there

# Whether a chart has drawn a series of that id. A function, since Playwright evaluates other text again at each look.
HAS_SERIES = """([chart, series]) => {
  const element = document.querySelector(chart);
  const found = element ? echarts.getInstanceByDom(element)?.getOption()?.series ?? [] : [];
  return found.some(one => one.id === series && one.data.length > 0);
}"""


@pytest.fixture
def client(server: str) -> Iterator[Client]:
    """A client, with one external study that goes at the end."""
    with Client(server, "none") as made:
        made.create_study(spec("tabs", budget={"n_trials": 50}))
        yield made
        made.delete_study("tabs")


def test_attempts_become_bars_as_they_begin_and_end(page: Page, client):
    page.goto(f"{client.url}/studies/tabs?tab=timeline")
    expect(page.locator("#timeline-empty")).to_be_visible()
    trial = client.study("tabs").ask_one()
    page.wait_for_function(BARS, arg='["running"]')
    expect(page.locator("#timeline-empty")).to_be_hidden()
    trial.finish(0.5)
    page.wait_for_function(BARS, arg='["complete"]')
    expect(page.locator("#timeline-idle")).to_have_text("Workers were idle 0 % of the time.")
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function("() => document.documentElement.scrollWidth <= 390")  # once the chart has followed
    page.locator("#timeline canvas").click(position=page.wait_for_function(BAR).json_value())
    page.wait_for_url(f"{client.url}/studies/tabs/trials/0")


def test_a_chart_is_walked_by_keys(page: Page, client):
    for _ in range(2):
        client.study("tabs").ask_one().finish(0.5)
    page.goto(f"{client.url}/studies/tabs?tab=timeline")
    page.wait_for_function(BARS, arg='["complete","complete"]')
    for key in ("ArrowRight", "ArrowRight", "Enter"):
        page.locator("#timeline").press(key)
    page.wait_for_url(f"{client.url}/studies/tabs/trials/1")


@pytest.mark.parametrize(
    ("path", "chart", "ready", "keys", "told"),
    [
        ("?tab=parameters", "#parallel", "trials", ["ArrowRight", "ArrowRight"], "trial 1 0.25"),
        ("?tab=distribution", "#value-shares", "complete", ["Home"], "0.25 or better: 33.33 % of the complete trials"),
        ("?tab=distribution", "#value-counts", "bins complete", ["End"], "1 complete trial from"),
        ("?tab=search", "#belief", "mean", ["Home"], "x 0 expected"),
        ("/trials/1", ".chart[data-metric=loss]", "1/loss", ["ArrowRight", "ArrowRight"], "train_loss 0.125"),
    ],
)
def test_what_keys_come_to_is_told_to_who_does_not_see_it(page: Page, client, path, chart, ready, keys, told):
    for value in (0.5, 0.25, 1.0):
        trial = client.study("tabs").ask_one()
        for step in range(2):
            trial.report(step, loss=value, train_loss=value / (1 + step))
        trial.finish(value)
    page.goto(f"{client.url}/studies/tabs{path}")
    page.wait_for_function(HAS_SERIES, arg=[chart, ready], timeout=60_000)
    for key in keys:
        page.locator(chart).press(key)
    expect(page.locator(f"{chart} + [role=status]")).to_contain_text(told)


def test_notes_are_written_previewed_saved_and_not_overwritten_unseen(page: Page, client):
    page.goto(f"{client.url}/studies/tabs?tab=notes")
    page.get_by_role("button", name="Write").click()
    field = page.locator("#notes-text")
    field.fill("**First** <script>alert(1)</script>")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("[data-preview] strong")).to_have_text("First")
    page.get_by_role("button", name="Go on writing").click()
    field.press("Control+Enter")
    expect(page.locator("#notes-shown strong")).to_have_text("First")
    assert client.get_study("tabs").notes == "**First** <script>alert(1)</script>"
    page.get_by_role("button", name="Edit").click()
    field.fill("Mine")
    client.update_study("tabs", notes="*Theirs*")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#notes [data-wrong]")).to_contain_text("Somebody else saved other notes")
    assert client.get_study("tabs").notes == "*Theirs*"
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#notes-shown")).to_have_text("Mine")


def test_the_log_tells_what_happens_and_is_filtered(page: Page, client):
    page.goto(f"{client.url}/studies/tabs?tab=log")
    lines = page.locator("#log li")
    expect(lines).to_have_count(1)
    study = client.study("tabs")
    trial = study.ask_one()
    trial.report(0, loss=0.5)
    trial.finish(0.25)
    expect(lines.first).to_contain_text("Trial 0 is complete with loss 0.25.")
    expect(lines).to_have_count(3)
    page.get_by_role("checkbox", name="reports").check()
    expect(lines).to_have_count(4)
    page.get_by_role("checkbox", name="trials").uncheck()
    page.reload()
    expect(page.locator("#log a")).to_have_text("Trial 0 reported step 0.")
    expect(lines).to_have_count(2)
    page.locator("#log input[name=trial]").fill("0")
    page.locator("#log input[name=trial]").press("Tab")
    expect(lines).to_have_count(1)
