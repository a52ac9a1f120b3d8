"""The first rows of data sets on the page Data, in a real Chromium."""

import io
from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from service.contents import CSV, NPZ
from tests.browser.test_accessibility import AXE, LOOK
from trialbook import Client

pytestmark = [pytest.mark.browser, pytest.mark.slow]
SETS = ("rows-table", "rows-pictures", "rows-sequences")
COLOURS = "canvas => [...canvas.getContext('2d').getImageData(0, 0, 2, 1).data]"


def packed(**arrays: object) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


@pytest.fixture
def client(server: str) -> Iterator[Client]:
    """A client with a table, pictures and sequences of its own."""
    pictures = np.zeros((2, 3, 4, 4))
    pictures[0, 0, 0, 0] = pictures[0, 1, 0, 1] = 1.0  # a red pixel, then a green one
    with Client(server, "none") as made:
        made.put_dataset("rows-table", b"height,kind\n1.5,<b>tall</b>\n,short\n", target="kind", kind=CSV)
        made.put_dataset("rows-pictures", packed(x=pictures, y=np.arange(2)), kind=NPZ)
        made.put_dataset("rows-sequences", packed(x=np.random.rand(3, 5, 2), y=np.array([0.5, 1, 2])), kind=NPZ)
        yield made
        for name in SETS:
            made.delete_dataset(name)


def opened(page: Page, name: str):
    details = page.locator(f"details[data-rows={name}]")
    details.locator("summary").click()
    return details


def test_first_rows_are_read_when_they_are_asked_for(page: Page, client: Client):
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/rows" in request.url else None)
    page.goto(f"{client.url}/datasets")
    expect(page.locator("h1")).to_be_visible()
    assert asked == []
    table = opened(page, "rows-table")
    expect(table.locator("th")).to_have_text(["height", "kind"])
    expect(table.locator("td")).to_have_text(["1.5", "<b>tall</b>", "", "short"])
    assert len(asked) == 1


def test_pictures_are_drawn_in_their_colours_and_sequences_as_lines(page: Page, client: Client):
    page.goto(f"{client.url}/datasets")
    pictures = opened(page, "rows-pictures")
    expect(pictures.locator("li")).to_have_text(["0", "1"])
    assert pictures.locator("canvas").first.evaluate(COLOURS) == [255, 0, 0, 255, 0, 255, 0, 255]
    sequences = opened(page, "rows-sequences")
    expect(sequences.locator("li")).to_have_text(["0.5", "1", "2"])
    points = sequences.locator("polyline").first.get_attribute("points")
    assert len((points or "").split()) == 5
    assert sequences.locator("polyline").count() == 6


@pytest.mark.parametrize("width", [1280, 390])
def test_built_in_pictures_fit_the_page(page: Page, client: Client, width: int):
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"{client.url}/datasets")
    expect(opened(page, "digits").locator("canvas")).to_have_count(20, timeout=60_000)
    expect(opened(page, "breast_cancer").locator("th")).to_have_count(31, timeout=60_000)
    assert page.locator("#builtin").evaluate("card => card.scrollWidth <= card.clientWidth")
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_what_went_wrong_is_said_and_tried_again(page: Page, client: Client):
    page.goto(f"{client.url}/datasets")
    page.route("**/rows?*", lambda route: route.fulfill(status=200, body="no JSON"), times=1)
    table = opened(page, "rows-table")
    expect(table).to_contain_text("The rows were not read.")
    table.locator("summary").click()
    opened(page, "rows-table")
    expect(table.locator("td")).to_have_count(4)


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not here: make node_modules/.ready")
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_rows_that_are_shown_have_no_serious_fault(page: Page, client: Client, theme: str):
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    page.goto(f"{client.url}/datasets")
    for name, shown in zip(SETS, ("td", "canvas", "svg"), strict=True):
        expect(opened(page, name).locator(shown).first).to_be_visible()
    page.evaluate(AXE.read_text())
    assert page.evaluate(LOOK) == []
