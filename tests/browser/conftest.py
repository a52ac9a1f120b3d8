"""A server without tokens, a Chromium for each module, and for each test a page that a mistake of its own fails."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.servers import server_process
from trialbook import Client

NOTHING = re.compile(r"(?!)")


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The URL of a server process."""
    with server_process("--no-auth") as said:
        yield said["url"]


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """A Chromium that ends with the module: its event loop lets no other run in this process meanwhile."""
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield made
        made.close()


@pytest.fixture
def page(browser: Browser, client: Client, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page without the other tests' cookies, files and permissions. Its errors, the policy's violations among them,
    fail the test at its end; a module's REFUSED names what Chromium says of refusals that its tests bring about."""
    wrong: list[str] = []
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    made = context.new_page()
    made.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
    made.on("pageerror", lambda error: wrong.append(str(error)))
    made.set_default_timeout(20_000)
    yield made
    context.close()
    refused = getattr(request.module, "REFUSED", NOTHING)
    assert [text for text in wrong if not refused.match(text)] == []
