"""A trial's page in a real Chromium: what the trial keeps is drawn as it comes, and what is no such file is not."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.service.calls import spec
from trialbook import Client
from trialbook.wire import Report

pytestmark = [pytest.mark.browser, pytest.mark.slow]
REFUSED = re.compile("Failed to load resource: .* 422")  # a variation outside the space

CONFUSION = {"classes": ["cat", "dog"], "counts": [[7, 2], [1, 8]], "undecided": [0, 1]}
WRONG = {"probability": 0.75, "probability_of_true": 0.25}
MISTAKES = {
    "rows": [
        {"row": 17, "true": "cat", "decided": "dog", **WRONG},
        {"row": 4, "true": "dog", "decided": "cat", **WRONG},
        {"row": 5, "true": "dog", "decided": None, **WRONG},
    ]
}
LAYER = [{"low": -1.0, "high": 1.0, "mean": 0.0, "deviation": 0.5 / n, "counts": [1, 4, n]} for n in (1, 2, 3)]
HISTOGRAMS = {"steps": [0, 1, 2], "activations": {"0 Dense": LAYER, "1 ReLU": LAYER}, "gradients": {"0.weight": LAYER}}
FILES = {"confusion.json": CONFUSION, "mistakes.json": MISTAKES, "histograms.json": HISTOGRAMS}
SERIES = "(id) => echarts.getInstanceByDom(document.getElementById(id))?.getOption()?.series ?? []"
CELL = """([column, row]) => {
  const element = document.getElementById("confusion-chart");
  element.scrollIntoView({ block: "center" });
  const [x, y] = echarts.getInstanceByDom(element).convertToPixel({ gridIndex: 0 }, [column, row]);
  const box = element.getBoundingClientRect();
  return [box.x + x, box.y + y];
}"""


@pytest.fixture
def client(server: str) -> Iterator[Client]:
    """A client, with one external study that goes at the end."""
    objective = {"trainer": "external", "metric": "val_loss", "direction": "minimize"}
    with Client(server, "none") as made:
        made.create_study(spec(objective=objective))
        yield made
        made.delete_study("study")


def lease(client: Client) -> str:
    answer = client.acquire_leases("w", ["external"], request_id="r", wait_seconds=20.0, study="study")
    return answer.leases[0].lease


def series(page: Page, chart: str) -> list[dict[str, Any]]:
    """What a chart draws, once it does."""
    page.wait_for_function(f"(id) => ({SERIES})(id).length > 0", arg=chart)
    return page.evaluate(SERIES, chart)


NARROW = "() => document.documentElement.scrollWidth <= document.documentElement.clientWidth"


def test_what_a_trial_keeps_is_drawn_as_it_comes(page, client):
    held = lease(client)
    client.report(held, [Report(step=n, metrics={"val_loss": 1.0 - n / 4}) for n in range(3)])
    page.goto(f"{client.url}/studies/study/trials/0")
    expect(page.locator("#metrics .key")).to_have_text("▲ 0.5 at the best step, 2")
    for name, content in FILES.items():
        client.put_artifact(held, name, json.dumps(content).encode())

    counts = {tuple(cell["value"]) for cell in series(page, "confusion-chart")[0]["data"]}
    assert counts == {(0, 0, 7), (1, 0, 2), (2, 0, 0), (0, 1, 1), (1, 1, 8), (2, 1, 1)}
    expect(page.locator("#confusion-words")).to_contain_text("15 of 19 are right. Most often wrong: cat called dog")
    rows = page.locator("#mistakes tbody tr")
    expect(rows).to_have_count(3)
    page.mouse.click(*page.evaluate(CELL, [1, 0]))
    expect(rows).to_have_text(["catdog0.750.2517"])
    page.locator("select[name=pair]").select_option("dog called nothing (1)")
    expect(rows).to_have_text(["dognothing0.750.255"])

    for key in ("Home", "ArrowDown", "ArrowRight", "ArrowRight"):
        page.locator("#confusion-chart").press(key)
    expect(page.locator("#confusion-chart + [role=status]")).to_have_text(
        "of 10 true dog, 1 could not be decided (10.0 %)"
    )
    page.locator("#confusion-chart").press("ArrowUp")
    page.locator("#confusion-chart").press("ArrowLeft")
    page.locator("#confusion-chart").press("Enter")
    expect(rows).to_have_text(["catdog0.750.2517"])

    assert [line["id"] for line in series(page, "spread-chart")] == ["0 Dense", "1 ReLU"]
    for chart, told in (("spread", "0 Dense, step 2"), ("ridges", "1 ReLU, step 2")):
        page.locator(f"#{chart}-chart").press("End")
        expect(page.locator(f"#{chart}-chart + [role=status]")).to_contain_text(told)
    expect(page.locator("#ridges-of")).to_have_text("1 ReLU, one for each step")
    page.locator("#kind").select_option("gradients")
    expect(page.locator("#ridges-of")).to_have_text("0.weight, one for each step")
    assert len(series(page, "ridges-chart")[0]["data"]) == 3
    expect(page.locator("figure:visible > figcaption .tools")).to_have_count(4)  # data and picture of every chart

    page.set_viewport_size({"width": 390, "height": 800})
    page.wait_for_function(NARROW)  # charts follow the page a frame later


def test_files_of_the_same_names_with_other_contents_are_files_alone(page, client):
    held = lease(client)
    for name in FILES:
        client.put_artifact(held, name, b'{"steps": [1], "rows": 3, "classes": {}}')
    client.put_artifact(held, "gradient_check.json", b"no JSON")
    page.goto(f"{client.url}/studies/study/trials/0")
    expect(page.locator("#artifacts [data-file]")).to_have_count(4)
    client.put_artifact(held, "mistakes.json", json.dumps(MISTAKES).encode())
    expect(page.locator("#mistakes tbody tr")).to_have_count(3)
    for part in ("#confusion", "#layers", "#problem"):
        expect(page.locator(part)).to_be_hidden()


def test_a_trial_is_run_again_varied_and_cancelled_from_its_page(page, client):
    client.add_trials("study", [{"params": {"x": 0.25}}])
    page.goto(f"{client.url}/studies/study/trials/0")
    page.get_by_role("button", name="Run again").click()
    expect(page.locator("#queued")).to_have_text("Trial 1 waits in the queue.")
    page.get_by_role("button", name="Vary…").click()
    field = page.locator("#variation input[name=x]")
    expect(field).to_have_value("0.25")
    queue = page.get_by_role("button", name="Put into the queue")
    for wrong, words in (("much", "x must be a number"), ("7", "x is outside the search space")):
        field.fill(wrong)
        queue.click()
        expect(page.locator("#variation [data-wrong]")).to_have_text(words)
    field.fill("0.5")
    queue.click()
    expect(page.locator("#queued")).to_have_text("Trial 2 waits in the queue.")
    assert [one.params["x"] for one in client.list_trials("study")] == [0.25, 0.25, 0.5]
    page.get_by_role("button", name="Cancel…").click()
    page.get_by_role("button", name="Cancel the trial").click()
    expect(page.locator("#state")).to_contain_text("cancelled")
    expect(page.get_by_role("button", name="Cancel…")).to_have_count(0)
    page.get_by_role("link", name="Trial 2").click()
    expect(page.locator("h1")).to_have_text("trial 2")
