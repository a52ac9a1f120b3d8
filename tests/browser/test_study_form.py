"""The form of a new study and its text, each following the other, in a real Chromium on a real server."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from trialbook import Client

pytestmark = [pytest.mark.browser, pytest.mark.slow]
REFUSED = re.compile("Failed to load resource: .* status of 422")  # Chromium says so of each mistake
TEXT = """# mine
name: mine
objective: {trainer: external, metric: loss}
space:
  rate: {type: float, low: 0.1, high: 1.0}  # how fast
  width:
    type: int
    low: 1  # narrow
    high: 4
sampler: {name: random}
"""


@pytest.fixture
def client(server: str) -> Iterator[Client]:
    """A client; the studies of a test go at its end."""
    with Client(server, "none") as made:
        yield made
        for study in list(made.list_studies()):
            made.delete_study(study.name)


@pytest.fixture
def text(page: Page, client: Client) -> Locator:
    """The editor of a page that was opened, with TEXT in it, and whose form shows it."""
    page.goto(f"{client.url}/studies/new?trainer=external")
    editor = page.get_by_label("Study in YAML")
    editor.fill(TEXT)
    expect(form(page).get_by_label("name", exact=True).first).to_have_value("mine")
    return editor


def form(page: Page) -> Locator:
    return page.get_by_role("form", name="The study as a form")


def parameter(page: Page, name: str) -> Locator:
    return page.get_by_role("group", name=f"parameter {name}")


def test_the_form_changes_the_text_and_leaves_its_comments(page, client, text):
    parameter(page, "rate").get_by_label("low").fill("1e-4")
    expect(text).to_have_value(TEXT.replace("low: 0.1,", "low: 0.0001,"))
    parameter(page, "rate").get_by_label("log").check()
    expect(text).to_have_value(re.compile(r"high: 1.0, log: true}  # how fast"))
    page.get_by_label("n_trials").fill("7")
    expect(text).to_have_value(re.compile(r"sampler: {name: random}\nbudget: {n_trials: 7}\n"))
    expect(page.locator("#lost")).to_be_hidden()
    page.get_by_role("button", name="Remove width").click()
    expect(page.locator("#lost")).to_contain_text("# narrow")
    page.get_by_role("button", name="Bring it back").click()
    expect(parameter(page, "width").get_by_label("high")).to_have_value("4")
    page.get_by_role("button", name="Submit the study").click()
    page.wait_for_url("**/studies/mine")
    made = client.get_study("mine").spec
    assert (made["space"]["rate"]["low"], made["space"]["rate"]["log"], made["budget"]["n_trials"]) == (1e-4, True, 7)


def test_what_is_typed_is_shown_by_the_form_and_what_is_no_yaml_leaves_it(page, text):
    text.fill(TEXT.replace("high: 4", "high: 9").replace("name: random", "name: grid, counts: {rate: 5}"))
    expect(parameter(page, "width").get_by_label("high")).to_have_value("9")
    expect(parameter(page, "rate").get_by_label("grid values")).to_have_value("5")
    expect(page.locator("#cells")).to_have_text("The grid has 45 cells.")
    parameter(page, "rate").get_by_label("grid values").fill("6")
    expect(page.locator("#cells")).to_have_text("The grid has 54 cells.")
    text.fill("name: [")
    expect(page.locator("#form-note")).to_contain_text("no YAML")
    expect(parameter(page, "width").get_by_label("high")).to_have_value("9")


def test_a_mistake_stands_at_its_field(page, text):
    low = parameter(page, "width").get_by_label("low")
    low.fill("8")
    high = parameter(page, "width").get_by_label("high")
    expect(high).to_have_attribute("aria-invalid", "true")
    expect(parameter(page, "width")).to_contain_text("must not be below low")
    expect(low).to_be_focused()
    high.fill("many")
    expect(parameter(page, "width")).to_contain_text("valid integer")
    high.fill("16")
    expect(page.locator("#verdict")).to_have_class("right")
    expect(high).to_have_attribute("aria-invalid", "false")


def test_a_parameter_of_the_catalogue_is_added_by_keyboard_and_retyped(page, client):
    page.goto(f"{client.url}/studies/new?trainer=mlp&data=iris")
    page.get_by_label("add a parameter").select_option("weight_decay")
    added = parameter(page, "weight_decay")
    expect(added.get_by_label("type")).to_have_value("float")
    added.get_by_label("type").focus()
    page.keyboard.type("cat")
    expect(added.get_by_label("choices")).to_be_visible()
    added.get_by_label("choices").fill("0, 1e-4, 1e-3")
    added.get_by_label("when").fill("optimizer: sgd")
    editor = page.get_by_label("Study in YAML")
    line = "weight_decay: {type: categorical, choices: [0, 0.0001, 0.001], when: {optimizer: [sgd]}}"
    expect(editor).to_have_value(re.compile(re.escape(line)))
    expect(page.locator("#verdict")).to_have_class("right")
    form(page).get_by_label("name", exact=True).nth(1).fill("learning_rat")
    page.keyboard.press("Tab")
    expect(page.locator("#mistakes")).to_contain_text("did you mean 'learning_rate'")
