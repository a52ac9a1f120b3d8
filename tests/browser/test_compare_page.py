"""Two studies compared in a real Chromium: chosen from a list, drawn, and followed while they run."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.service.calls import spec
from trialbook import Client

pytestmark = [pytest.mark.browser, pytest.mark.slow]

BEST = """([study, wanted]) => {
  const chart = window.echarts?.getInstanceByDom(document.getElementById("progress"));
  return chart?.getOption()?.series?.find(one => one.id === study)?.data.at(-1).value[1] === wanted;
}"""


@pytest.fixture
def client(server: str) -> Iterator[Client]:
    """A client, with two external studies that go at the end."""
    with Client(server, "none") as made:
        for name in ("one", "two"):
            made.create_study(spec(name))
            made.study(name).ask_one().finish(0.5)
        yield made
        for name in ("one", "two"):
            made.delete_study(name)


def test_chosen_studies_are_drawn_and_followed_and_the_view_stays_in_the_address(page: Page, client: Client):
    page.goto(f"{client.url}/compare")
    for name in ("two", "one"):
        page.check(f"input[value={name}]")
    page.click("form.choose button")
    page.wait_for_function(BEST, arg=["two", 0.5])
    page.select_option("select[name=x]", "epochs")
    client.study("two").ask_one().finish(0.25)
    page.wait_for_function(BEST, arg=["two", 0.25])
    page.reload()
    expect(page.locator("select[name=x]")).to_have_value("epochs")
    page.wait_for_function(BEST, arg=["one", 0.5])
    page.click("[aria-label='Compare without one']")
    expect(page.locator("#compared a.name")).to_have_text(["two"])


def test_keys_come_to_a_point_of_each_study_and_open_its_trial(page: Page, client: Client):
    page.goto(f"{client.url}/compare?study=one&study=two")
    page.wait_for_function(BEST, arg=["two", 0.5])
    page.locator("#distribution").press("End")
    expect(page.locator("#distribution + [role=status]")).to_contain_text("two 0.5 or better: 100 % of 1 trials")
    page.locator("#progress").press("End")
    expect(page.locator("#progress + [role=status]")).to_contain_text("two trial 0")
    page.locator("#progress").press("Enter")
    page.wait_for_url(f"{client.url}/studies/two/trials/0")
