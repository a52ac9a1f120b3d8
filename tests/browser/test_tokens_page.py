"""An admin makes a token in a real browser, sees its secret once, and revokes it."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from trialbook import Client

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def client(server: str) -> Iterator[Client]:
    """A client of the server."""
    with Client(server, "none") as made:
        yield made


def test_a_secret_is_shown_once_and_a_revoked_token_stays_in_the_list(page: Page, server: str, client: Client) -> None:
    page.goto(f"{server}/tokens")
    page.get_by_label("role").select_option("worker")
    page.get_by_label("what for").fill("the lab")
    page.get_by_label("days").fill("30")
    page.get_by_role("button", name="Make").click()
    expect(page.locator("#secret")).to_contain_text("tb_")
    secret = page.locator("#secret").inner_text()
    [made] = [one for one in client.list_tokens() if one.name == "the lab"]
    assert secret.startswith(f"tb_{made.id}_")
    assert made.role == "worker" and made.expires_at is not None
    row = page.locator(f"tr[data-id='{made.id}']")
    expect(row).to_contain_text("valid for")
    page.reload()
    assert secret not in page.content()
    row.get_by_role("button", name="Revoke").click()
    page.get_by_role("button", name="Keep it").click()
    expect(row).to_contain_text("valid for")
    row.get_by_role("button", name="Revoke").click()
    page.get_by_role("button", name="Revoke the token").click()
    expect(row).to_contain_text("revoked")
    assert [one.id for one in client.list_tokens() if one.revoked_at is not None] == [made.id]
