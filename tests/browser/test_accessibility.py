"""Every page in both themes, looked at by axe-core: nothing that it calls serious or critical. And no chart without its
data and its picture, nothing that is wider than a page of any width, and nothing on paper that only a screen has."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.service.calls import spec
from trialbook import Client

pytestmark = [pytest.mark.browser, pytest.mark.slow]
REFUSED = re.compile("Failed to load resource: .* status of 404")  # Chromium says so of the page that is not there
AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
TABS = ("history", "curves", "parameters", "trials", "timeline", "distribution", "search", "notes", "log")
TRIAL = "/studies/study/trials/0"
PAGES = ("/", "/studies/new", "/compare?study=study", "/workers", "/datasets", "/tokens", TRIAL, "/nothing")
EVERYWHERE = (*PAGES, *(f"/studies/study?tab={tab}" for tab in TABS))
LOOK = """async () => (await axe.run(document, { resultTypes: ["violations"] })).violations
    .filter(one => ["serious", "critical"].includes(one.impact))
    .map(one => `${one.id}: ${one.nodes.slice(0, 3).map(node => node.html.slice(0, 160)).join(" | ")}`)"""

BARE = """() => [...document.querySelectorAll(".chart")].filter(one => one.checkVisibility())
    .filter(one => !one.closest("figure").querySelector("figcaption .tools"))
    .map(one => one.outerHTML.slice(0, 80))"""

DRAWN = """() => [...document.querySelectorAll(".chart")].filter(one => one.checkVisibility())
    .every(one => one.querySelector("canvas"))"""
WIDER = """() => {
  const edge = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= edge) return [];
  return [...document.querySelectorAll("body *")].filter(one => one.checkVisibility())
    .filter(one => one.getBoundingClientRect().right > edge + 1).slice(0, 3).map(one => one.outerHTML.slice(0, 120));
}"""
ON_SCREENS_ALONE = "nav, header.frame, .btn, select, input, .tools, [role=tablist], dialog"
FOR_SCREENS = f"""() => [...document.querySelectorAll("{ON_SCREENS_ALONE}")]
    .filter(one => one.checkVisibility()).map(one => one.outerHTML.slice(0, 120))"""
# Charts that nobody sees on paper: none drawn, or on a ground of colours that sum up to less than a light grey's.
UNSEEN = """() => [...document.querySelectorAll(".chart")].filter(one => one.checkVisibility()).filter(one => {
  const colours = getComputedStyle(one.closest(".card")).backgroundColor.match(/[.\\d]+/g).slice(0, 3).map(Number);
  return !one.querySelector("canvas")?.clientHeight || colours[0] + colours[1] + colours[2] < 700;
}).map(one => one.outerHTML.slice(0, 80))"""
PAPER = 718  # pixels: the width of A4 without its margins


@pytest.fixture(scope="module")
def axe() -> str:
    """axe-core's text."""
    if not AXE.exists():
        pytest.skip("axe-core is not here: make node_modules/.ready")
    return AXE.read_text()


@pytest.fixture
def client(server: str) -> Iterator[Client]:
    """A client with a study of some trials, one of them with curves."""
    space = {"x": {"type": "float", "low": 0.0, "high": 1.0}, "kind": {"type": "categorical", "choices": ["a", "b"]}}
    with Client(server, "none") as made:
        made.create_study(spec(space=space, budget={"n_trials": 10}))
        for i in range(5):
            trial = made.study("study").ask_one()
            for step in range(3):
                trial.report(step, loss=1 / (1 + step + i), train_loss=0.5 / (1 + step + i))
            trial.finish(1 / (3 + i))
        yield made
        made.delete_study("study")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_have_no_serious_fault(page: Page, client: Client, axe: str, theme: str):
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    faults = []
    for path in EVERYWHERE:
        opened(page, client, path)
        page.evaluate(axe)
        faults += [f"{path} {fault}" for fault in page.evaluate(LOOK)]
        faults += [f"{path} has no data or picture: {chart}" for chart in page.evaluate(BARE)]
    assert faults == []


def opened(page: Page, client: Client, path: str) -> None:
    page.goto(client.url + path)
    if path.startswith("/studies/study"):
        expect(page.locator("#live")).to_have_text("live")
    page.wait_for_function(DRAWN)


@pytest.mark.parametrize("width", [390, 720, 2560])
def test_nothing_is_wider_than_the_page(page: Page, client: Client, width: int):
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(reduced_motion="reduce")
    wider = []
    for path in EVERYWHERE:
        opened(page, client, path)
        wider += [f"{path} {one}" for one in page.evaluate(WIDER)]
    assert wider == []


def test_paper_shows_charts_on_a_light_ground_whole_and_nothing_to_click(page: Page, client: Client):
    page.set_viewport_size({"width": PAPER, "height": 1000})
    faults = []
    for path in EVERYWHERE:
        page.emulate_media(media="screen", color_scheme="dark", reduced_motion="reduce")
        opened(page, client, path)
        page.emulate_media(media="print")
        page.wait_for_function("() => document.documentElement.dataset.theme === 'light'")
        for look in (FOR_SCREENS, UNSEEN, WIDER):
            faults += [f"{path} {one}" for one in page.evaluate(look)]
    assert faults == []
