"""trialbook token: an admin makes, lists and revokes tokens from any machine."""

import json

import pytest

from trialbook import Client
from trialbook.errors import Unauthorized

pytestmark = pytest.mark.slow


def test_a_token_is_made_printed_once_used_and_revoked(run, ready):
    asked = ("--role", "viewer", "--owner", "ann", "--days", "1.5")
    made = json.loads(run("token", "create", *asked, "-o", "json").stdout)
    with Client(ready["url"], made["token"]) as ann:
        assert list(ann.list_studies()) == []
        listed = run("token", "list").stdout
        revoked = run("token", "revoke", made["id"], "--yes")
        with pytest.raises(Unauthorized):
            list(ann.list_studies())
    assert made["owner"] == "ann" and made["expires_at"] is not None
    assert f"{made['id']}" in listed and "ann" in listed and made["token"] not in listed
    assert (revoked.exit_code, revoked.stdout) == (0, f"{made['id']} is revoked\n")
    state = {one["id"]: one["revoked_at"] for one in json.loads(run("token", "list", "-o", "json").stdout)}
    assert state[made["id"]] is not None
    assert run("token", "revoke", made["id"], "--yes").exit_code == 1


def test_the_secret_alone_is_printed_for_scripts(run):
    said = run("token", "create", "--role", "worker").stdout
    assert said.startswith("tb_") and said.count("\n") == 1
    assert run("token", "create", "--role", "king").exit_code == 2
