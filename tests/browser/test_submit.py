"""A study written, mended and submitted, and a table uploaded and deleted, in a real Chromium on a real server."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.service.calls import spec
from trialbook import Client

pytestmark = [pytest.mark.browser, pytest.mark.slow]
REFUSED = re.compile("Failed to load resource: .* status of (422|503)")  # Chromium says so of each mistake
TABLE = "height,weight,kind\n1.5,60,a\n1.7,80,b\n"


@pytest.fixture
def client(server: str) -> Iterator[Client]:
    """A client; the studies and data sets of a test go at its end."""
    with Client(server, "none") as made:
        yield made
        for study in list(made.list_studies()):
            made.delete_study(study.name)
        for one in made.list_datasets():
            if not one.builtin:
                made.delete_dataset(one.name)


def editor(page: Page) -> Locator:
    return page.get_by_label("Study in YAML")


def write(page: Page, before: str, after: str) -> None:
    """Select some text of the editor and type over it."""
    assert editor(page).evaluate(
        """(area, before) => {
          const at = area.value.indexOf(before);
          area.focus();
          area.setSelectionRange(at, at + before.length);
          return at >= 0;
        }""",
        before,
    )
    page.keyboard.type(after)


def marked(page: Page) -> Locator:
    return page.locator("#editor .gutter .wrong")


def test_a_mistake_is_marked_at_its_line_and_once_mended_the_study_is_submitted(page, client):
    page.goto(f"{client.url}/studies/new?trainer=mlp&data=iris")
    expect(page.locator("#verdict")).to_contain_text("60 trials, by Bayesian search")
    write(page, "high: 4", "high: 0")
    line = editor(page).input_value().splitlines().index("  hidden_layers: {type: int, low: 1, high: 0}") + 1
    expect(marked(page)).to_have_text([str(line)])
    expect(page.locator("#mistakes")).to_contain_text(f"line {line}")
    page.get_by_role("button", name="Submit the study").click()  # is refused with the same words
    expect(page.locator("#mistakes")).to_contain_text(f"line {line}")
    write(page, "high: 0}", "high: 3}")
    expect(marked(page)).to_have_count(0)
    expect(page.locator("#verdict")).to_have_class("right")
    page.get_by_role("button", name="Submit the study").click()
    page.wait_for_url("**/studies/mlp-iris")
    expect(page.get_by_role("heading", name="mlp-iris")).to_be_visible()
    assert client.get_study("mlp-iris").spec["space"]["hidden_layers"]["high"] == 3


def test_a_taken_name_is_marked_and_a_mistake_of_the_server_alone_has_its_line(page, client):
    client.create_study(spec("taken"))
    page.goto(f"{client.url}/studies/new")
    write(page, "name: mlp-digits", "name: taken")
    expect(marked(page)).to_have_text(["2"])
    expect(page.locator("#mistakes")).to_contain_text("another study has this name")
    write(page, "name: taken", "name: free")
    write(page, "data: digits", "data: nothing")
    expect(marked(page)).to_have_text(["5"])
    expect(page.locator("#mistakes")).to_contain_text("objective.data is no data set here")


def test_what_was_typed_is_there_after_a_reload_and_can_be_thrown_away(page, client):
    page.goto(f"{client.url}/studies/new")
    write(page, "name: mlp-digits", "name: mine")
    page.reload()
    assert "name: mine" in editor(page).input_value()
    page.get_by_role("button", name="Start over").click()
    assert "name: mlp-digits" in editor(page).input_value()
    page.reload()
    assert "name: mlp-digits" in editor(page).input_value()


def test_pressing_again_after_a_lost_answer_makes_one_study(page, client):
    page.goto(f"{client.url}/studies/new")
    expect(page.locator("#verdict")).to_have_class("right")
    keys: list[str | None] = []

    def lose(route, request):
        keys.append(request.headers.get("idempotency-key"))
        if len(keys) > 1:
            return route.continue_()
        route.fetch()
        return route.fulfill(status=503, content_type="application/json", body='{"detail": "Away for a moment."}')

    page.route("**/api/v1/studies", lose)
    page.get_by_role("button", name="Submit the study").click()
    expect(page.locator("#verdict")).to_contain_text("Away for a moment.")
    page.get_by_role("button", name="Submit the study").click()
    page.wait_for_url("**/studies/mlp-digits")
    assert keys[0] is not None
    assert keys[0] == keys[1]
    assert [one.name for one in client.list_studies()] == ["mlp-digits"]


def test_tab_indents_and_escape_then_tab_leaves(page, client):
    page.goto(f"{client.url}/studies/new")
    write(page, "budget: {n_trials: 60}", "budget:")
    for key in ("Enter", "a", "Enter", "Tab", "b"):
        page.keyboard.press(key)
    assert editor(page).input_value().endswith("budget:\n  a\n    b\n")
    page.keyboard.press("Shift+Tab")
    assert editor(page).input_value().endswith("budget:\n  a\n  b\n")
    page.keyboard.press("Control+z")
    assert editor(page).input_value().endswith("budget:\n  a\n    b\n")
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    expect(editor(page)).not_to_be_focused()


def test_a_file_is_opened_and_a_clone_begins_with_its_study(page, client, tmp_path):
    file = tmp_path / "study.yaml"
    file.write_bytes(
        b"name: from-file\r\nobjective: {trainer: external}\r\nspace: {x: {type: int, low: 1, high: 3}}\r\n"
    )
    client.create_study(spec("origin", budget={"n_trials": 7}))
    page.goto(f"{client.url}/studies/new?from=origin")
    expect(page.locator("#verdict")).to_contain_text("7 trials")
    assert "name: origin-2" in editor(page).input_value()
    page.locator("input[type=file]").set_input_files(file)
    expect(page.locator("#verdict")).to_contain_text("trials until you cancel it")
    assert editor(page).input_value().startswith("name: from-file\nobjective")
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/studies/from-file")


def choose_table(page: Page, folder: Path, table: str) -> None:
    file = folder / "My people.csv"
    file.write_text(table)
    page.locator("#upload input[type=file]").set_input_files(file)


def test_a_table_is_uploaded_shown_and_deleted(page, client, tmp_path):
    page.goto(f"{client.url}/datasets")
    choose_table(page, tmp_path, TABLE)
    expect(page.get_by_label("name", exact=True)).to_have_value("my-people")
    expect(page.get_by_label("target column")).to_have_value("kind")
    page.get_by_role("button", name="Upload").click()
    row = page.locator("#datasets tr", has_text="my-people")
    expect(row).to_contain_text("classification")
    with page.expect_download() as download:
        row.get_by_role("link", name="Download").click()
    assert download.value.path().read_text() == TABLE
    row.get_by_role("button", name="Delete…").click()
    expect(page.locator("#really")).to_contain_text("my-people, 2 rows")
    page.get_by_role("button", name="Keep it").click()
    expect(row).to_be_visible()
    row.get_by_role("button", name="Delete…").click()
    page.get_by_role("button", name="Delete the data set").click()
    expect(row).to_have_count(0)


def test_what_is_wrong_with_a_table_stands_where_it_belongs(page, client, tmp_path):
    page.goto(f"{client.url}/datasets")
    page.get_by_role("button", name="Upload").click()
    expect(page.locator("#file-wrong")).to_have_text("Choose the file to upload.")
    choose_table(page, tmp_path, TABLE + "1,2\n")
    page.get_by_role("button", name="Upload").click()
    expect(page.locator("#file-wrong")).to_contain_text("row 4 has 2 fields, the header 3")
    choose_table(page, tmp_path, TABLE)
    page.get_by_label("target column").fill("colour")
    page.get_by_role("button", name="Upload").click()
    expect(page.locator("#target-wrong")).to_contain_text("names no column; the columns are height, weight, kind")
    expect(page.locator("#file-wrong")).to_be_empty()
    assert all(one.builtin for one in client.list_datasets())


def test_a_new_worker_appears_without_a_reload(page, client):
    page.goto(f"{client.url}/workers")
    page.evaluate("window.same = true")
    client.create_study(spec("busy"))
    trial = client.study("busy").ask_one()
    expect(page.locator("#workers")).to_contain_text("busy · 0")
    assert page.evaluate("window.same") is True
    trial.release()


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_is_wider_than_the_page(page, client, width, tmp_path):
    client.put_dataset("people", TABLE.encode(), target="kind")
    page.set_viewport_size({"width": width, "height": 800})
    for path in ("/studies/new", "/workers", "/datasets"):
        page.goto(client.url + path)
        expect(page.locator("h1")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


# Whether the curves' chart has drawn a line of some steps.
DRAWN = """() => {
  const chart = window.echarts?.getInstanceByDom(document.getElementById("curves"));
  return (chart?.getOption()?.series ?? []).some(one => one.data.length > 3);
}"""


def test_a_submitted_study_is_trained_live_and_its_best_trial_opened(page, client, tmp_path):
    page.goto(f"{client.url}/studies/new?trainer=logistic&data=iris")
    write(page, "n_trials: 60", "n_trials: 4")
    page.get_by_role("button", name="Submit the study").click()
    page.wait_for_url("**/studies/logistic-iris")
    expect(page.locator("#command")).to_contain_text("trialbook-worker")
    command = [sys.executable, "-m", "workers", "--url", client.url, "--token", "none", "--study", "logistic-iris"]
    with subprocess.Popen([*command, "--drain", "--cache", str(tmp_path)]) as worker:
        page.wait_for_function(DRAWN, timeout=90_000)
        expect(page.locator("#state")).to_contain_text("completed", timeout=90_000)
        assert worker.wait(60) == 0
    best = client.get_study("logistic-iris").best
    page.locator("#best").get_by_role("link", name=f"trial {best.number}").click()
    page.wait_for_url(f"**/studies/logistic-iris/trials/{best.number}")
    expect(page.get_by_text("the best so far")).to_be_visible()
