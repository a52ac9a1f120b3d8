"""The head of a study's page in a real Chromium: how it is going, when it ends, what can be copied."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.service.calls import spec
from trialbook import Client

pytestmark = [pytest.mark.browser, pytest.mark.slow]
REFUSED = re.compile("Failed to load resource: .* status of 422")  # Chromium says so of a budget that is refused


@pytest.fixture
def client(server: str) -> Iterator[Client]:
    """A client with one external study, done with its budget of three trials."""
    with Client(server, "none") as made:
        made.create_study(spec())
        for value in (0.5, 0.25, 0.75):
            made.study("study").ask_one().finish(value)
        yield made
        made.delete_study("study")


def test_a_completed_study_is_extended_and_goes_on(page: Page, client: Client):
    page.goto(f"{client.url}/studies/study")
    expect(page.locator("#outlook")).to_have_text("Too early to say: 3 trials so far.")
    page.get_by_role("button", name="Extend…").click()
    trials = page.get_by_label("n_trials")
    expect(trials).to_have_value("3")
    trials.fill("2")
    trials.press("Enter")
    expect(page.locator("#wrong-n_trials")).to_contain_text("must not be below the 3 trials already made")
    expect(trials).to_have_attribute("aria-invalid", "true")
    page.get_by_role("button", name="+10", exact=True).click()
    page.get_by_label("timeout").fill("3600")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#state")).to_contain_text("running")
    budget = client.get_study("study").spec["budget"]
    assert (budget["n_trials"], budget["timeout"]) == (12, 3600)


def test_the_best_trial_is_copied_as_python(page: Page, client: Client):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"{client.url}/studies/study")
    page.get_by_role("button", name="Copy Python").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied: dict = {}
    exec(page.evaluate("() => navigator.clipboard.readText()"), copied)  # noqa: S102  # what is tested is that it can be
    assert copied["params"] == client.get_study("study").best.params
