"""The tab Trials in a real Chromium: a long table that is filtered, sorted, scrolled and walked through."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.service.calls import spec
from trialbook import Client

pytestmark = [pytest.mark.browser, pytest.mark.slow]
MANY = 450
SPACE = {
    "x": {"type": "float", "low": 0.0, "high": 1000.0},
    "kind": {"type": "categorical", "choices": ["even", "odd"]},
}
STATES = ("complete", "pruned", "failed")


def result(n: int) -> dict:
    state = STATES[n % 3]
    found = {"params": {"x": float(n), "kind": ("even", "odd")[n % 2]}, "state": state}
    return found if state == "failed" else {**found, "value": 1.0 - n / 1000}


@pytest.fixture(scope="module")
def client(server: str) -> Iterator[Client]:
    """A client, with one study of many trials: the higher the number, the better."""
    with Client(server, "none") as made:
        made.create_study(spec("many", space=SPACE, budget={"n_trials": 10}))
        made.add_trials("many", [result(n) for n in range(MANY)])
        yield made
        made.delete_study("many")


def rows(page: Page):
    return page.locator("#trials tr[data-trial]")


def open_trials(page: Page, client: Client, query: str = "") -> None:
    page.goto(f"{client.url}/studies/many?tab=trials{query}")
    expect(rows(page).first).to_be_visible()


def test_all_rows_are_scrolled_through_while_few_are_in_the_page(page, client):
    open_trials(page, client, "&order=number")
    expect(page.locator("[data-shown]")).to_have_text("450 in all")
    assert rows(page).count() < 100
    scroll = page.locator("#trials .rows")
    last = rows(page).filter(has=page.get_by_role("link", name=str(MANY - 1), exact=True))
    while last.count() == 0:
        before = rows(page).last.get_attribute("data-trial")
        scroll.evaluate("one => one.scrollTo(0, one.scrollHeight)")
        page.wait_for_function(
            "was => [...document.querySelectorAll('#trials tr[data-trial]')].at(-1).dataset.trial !== was", arg=before
        )
    assert rows(page).count() < 100
    page.evaluate("window.same = true")
    scroll.evaluate("one => one.scrollTo(0, 0)")
    expect(rows(page).first).to_have_attribute("data-trial", "0")


def test_filters_are_chips_that_stand_in_the_address_and_can_be_removed(page, client):
    open_trials(page, client)
    page.locator("#trials summary", has_text="Filter").click()
    page.get_by_role("checkbox", name="pruned").check()
    expect(page.locator("[data-shown]")).to_have_text("showing 150 of 450")
    page.locator("#trials select[name=of]").select_option(label="x")
    page.locator("#trials input[name=from]").fill("oops")
    page.get_by_role("button", name="Filter by it").click()
    expect(page.locator("#trials [data-wrong]")).to_have_text("These must be numbers.")
    page.locator("#trials input[name=from]").fill("100")
    page.locator("#trials input[name=to]").fill("200")
    page.get_by_role("button", name="Filter by it").click()
    expect(page.locator("[data-shown]")).to_have_text("showing 34 of 450")
    page.locator("#trials select[name=of]").select_option(label="kind")
    page.get_by_role("checkbox", name="odd").check()
    page.get_by_role("button", name="Filter by it").click()
    expect(page.locator("[data-shown]")).to_have_text("showing 17 of 450")
    page.keyboard.press("Escape")
    page.reload()
    expect(page.locator("[data-shown]")).to_have_text("showing 17 of 450")
    expect(rows(page).first).to_have_attribute("data-trial", "199")
    with page.expect_download() as told:
        page.get_by_role("link", name="CSV").click()
    assert len(told.value.path().read_text().splitlines()) == 1 + 17
    for chip in ("Remove the filter x ≥ 100", "Remove the filter pruned", "Remove the filter kind is odd"):
        page.get_by_role("button", name=chip).click()
    expect(page.locator("[data-shown]")).to_have_text("showing 201 of 450")
    page.get_by_role("button", name="Remove the filter x ≤ 200").click()
    expect(page.locator("[data-shown]")).to_have_text("450 in all")
    expect(page.locator("#trials .chips")).to_be_hidden()


def test_heads_sort_columns_are_chosen_and_keys_open_a_trial(page, client):
    open_trials(page, client)
    page.get_by_role("button", name="x", exact=True).click()
    expect(rows(page).first).to_have_attribute("data-trial", "0")
    expect(page.get_by_role("columnheader", name="x ▲")).to_have_attribute("aria-sort", "ascending")
    page.get_by_role("button", name="x ▲").click()
    expect(rows(page).first).to_have_attribute("data-trial", str(MANY - 1))
    page.locator("#trials summary", has_text="Columns").click()
    page.get_by_role("checkbox", name="kind").uncheck()
    expect(page.get_by_role("columnheader", name="kind")).to_have_count(0)
    page.reload()
    expect(page.get_by_role("columnheader", name="x ▼")).to_be_visible()
    expect(page.get_by_role("columnheader", name="kind")).to_have_count(0)
    rows(page).first.focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowUp", "Enter"):
        page.keyboard.press(key)
    page.wait_for_url(f"{client.url}/studies/many/trials/{MANY - 2}")


def test_on_a_phone_each_trial_is_a_card(page, client):
    page.set_viewport_size({"width": 390, "height": 844})
    open_trials(page, client)
    first = rows(page).first
    expect(first.get_by_text("x", exact=True)).to_have_count(0)
    assert first.bounding_box()["width"] <= 390
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
