"""Every page in both themes, looked at by axe-core: nothing that it calls serious or critical. And no chart without its
data and its picture."""

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
LOOK = """async () => (await axe.run(document, { resultTypes: ["violations"] })).violations
    .filter(one => ["serious", "critical"].includes(one.impact))
    .map(one => `${one.id}: ${one.nodes.slice(0, 3).map(node => node.html.slice(0, 160)).join(" | ")}`)"""

BARE = """() => [...document.querySelectorAll(".chart")].filter(one => one.checkVisibility())
    .filter(one => !one.closest("figure").querySelector("figcaption .tools"))
    .map(one => one.outerHTML.slice(0, 80))"""


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
    for path in (*PAGES, *(f"/studies/study?tab={tab}" for tab in TABS)):
        page.goto(client.url + path)
        if path.startswith("/studies/study"):
            expect(page.locator("#live")).to_have_text("live")
        page.evaluate(axe)
        faults += [f"{path} {fault}" for fault in page.evaluate(LOOK)]
        faults += [f"{path} has no data or picture: {chart}" for chart in page.evaluate(BARE)]
    assert faults == []
