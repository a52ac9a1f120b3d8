"""From the one-time link to the list of studies and out again, in a real Chromium against a server with tokens."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.servers import server_process
from tests.service.calls import spec
from trialbook import Client

pytestmark = [pytest.mark.browser, pytest.mark.slow]
REFUSED = re.compile(".* the server responded with a status of 40")  # Chromium says so of answers that are no success


@pytest.fixture(scope="module")
def ready() -> Iterator[dict[str, str]]:
    """What a server process said when it was ready: url, token and a one-time link."""
    with server_process() as said:
        yield said


@pytest.fixture
def client(ready: dict[str, str]) -> Iterator[Client]:
    """A client; its studies go at the end."""
    with Client(ready["url"], ready["token"]) as made:
        yield made
        for study in made.list_studies():
            made.delete_study(study.name)


def sign_in(page: Page, ready: dict[str, str], path: str = "/") -> None:
    page.goto(ready["url"] + path)
    page.get_by_label("Token").fill(ready["token"])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(ready["url"] + path)


def test_the_link_opens_the_list_once_and_signing_out_closes_it(page, ready, client):
    client.create_study(spec())
    page.goto(ready["dashboard"])
    page.wait_for_url(f"{ready['url']}/")
    assert page.evaluate("document.cookie") == ""
    page.get_by_role("link", name="study", exact=True).click()
    page.wait_for_url("**/studies/study")
    page.get_by_text("you", exact=True).click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/login")
    page.goto(f"{ready['url']}/studies/study")
    expect(page).to_have_url(f"{ready['url']}/login?next=%2Fstudies%2Fstudy")
    page.goto(ready["dashboard"])
    expect(page.get_by_role("alert")).to_contain_text("used before or is too old")
    expect(page).to_have_url(f"{ready['url']}/login")


def test_a_wrong_token_is_told_and_a_right_one_leads_where_one_wanted(page, ready):
    page.goto(f"{ready['url']}/?state=paused")
    page.get_by_label("Token").fill("tb_wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("unknown, expired or revoked")
    page.get_by_label("Token").fill(ready["token"])
    page.keyboard.press("Enter")
    page.wait_for_url(f"{ready['url']}/?state=paused")


def test_the_list_follows_what_happens_without_a_reload_and_keeps_the_focus(page, ready, client):
    client.create_study(spec(budget={"n_trials": 4}))
    sign_in(page, ready)
    page.evaluate("window.same = true")
    page.locator("#study-study .name").focus()
    client.study("study").ask_one().finish(0.25)
    client.create_study(spec("newer"))
    expect(page.locator("#study-study .best")).to_contain_text("0.25")
    expect(page.locator("#study-study .trials")).to_contain_text("1 of 4")
    expect(page.locator("#studies tr").first).to_contain_text("newer")
    expect(page.locator("#study-study .name")).to_be_focused()
    client.delete_study("newer")
    expect(page.locator("#studies tr")).to_have_count(1)
    assert page.evaluate("window.same") is True


def test_the_search_is_found_by_its_key_and_stays_in_the_address(page, ready, client):
    for name in ("digits", "wine"):
        client.create_study(spec(name))
    sign_in(page, ready)
    expect(page.locator("#studies tr")).to_have_count(2)
    page.keyboard.press("/")
    page.keyboard.type("win")
    expect(page.locator("#studies tr")).to_have_count(1)
    expect(page).to_have_url(f"{ready['url']}/?q=win")
    page.get_by_role("link", name="paused").click()
    expect(page.locator("#empty")).to_contain_text("No study is like that")
    expect(page).to_have_url(f"{ready['url']}/?q=win&state=paused")


def test_more_studies_come_below_and_stay(page, ready, client):
    for n in range(35):
        client.create_study(spec(f"s{n}"))
    sign_in(page, ready)
    expect(page.locator("#studies tr")).to_have_count(30)
    page.get_by_role("link", name="More").click()
    expect(page.locator("#studies tr")).to_have_count(35)
    expect(page.get_by_role("link", name="More")).to_have_count(0)
    client.create_study(spec("latest"))
    expect(page.locator("#studies tr")).to_have_count(36)


def test_the_theme_is_kept_and_follows_the_system_until_chosen(page, ready):
    sign_in(page, ready)
    theme = page.locator("html")
    expect(theme).to_have_attribute("data-theme", "light")
    page.emulate_media(color_scheme="dark")
    expect(theme).to_have_attribute("data-theme", "dark")
    page.get_by_role("button", name="Theme: system").click()
    expect(theme).to_have_attribute("data-theme", "light")
    page.get_by_role("button", name="Theme: light").click()
    page.emulate_media(color_scheme="light")
    page.reload()
    expect(theme).to_have_attribute("data-theme", "dark")


@pytest.mark.parametrize("path", ["/", "/login", "/studies/nothing"])
def test_nothing_is_wider_than_a_narrow_page(page, ready, client, path):
    client.create_study(spec("a-name-of-a-study-that-is-as-long-as-can-be-and-then-some-more-of-it-until-it-ends"))
    sign_in(page, ready)
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(ready["url"] + path)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
