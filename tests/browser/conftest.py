"""A server without tokens, and a page in Chromium that a mistake of its own fails."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.servers import server_process
from trialbook import Client

NOTHING = re.compile(r"(?!)")


@pytest.fixture(scope="package")
def server() -> Iterator[str]:
    """The URL of a server process."""
    with server_process("--no-auth") as said:
        yield said["url"]


@pytest.fixture
def page(chromium: str, client: Client, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page whose errors, the policy's violations among them, fail the test at its end. A module's REFUSED names what
    Chromium says of refusals that its tests bring about."""
    wrong: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        made = browser.new_page(viewport={"width": 1280, "height": 900})
        made.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
        made.on("pageerror", lambda error: wrong.append(str(error)))
        made.set_default_timeout(20_000)
        yield made
        browser.close()
    refused = getattr(request.module, "REFUSED", NOTHING)
    assert [text for text in wrong if not refused.match(text)] == []
