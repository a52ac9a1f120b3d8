"""Calls are repeated until answered, never longer than the deadline, and errors arrive as what they are."""

import httpx
import pytest

from trialbook import Client
from trialbook.connection import path_of, read_environment
from trialbook.errors import Invalid, NameTaken, NotFound, TrialbookError, Unavailable, Unreachable

STUDY = {
    "name": "s", "state": "running", "reason": None, "spec": {}, "counts": {}, "best": None, "owner": "me", "tags": {},
    "created_at": "2026-01-01T00:00:00Z", "started_at": None, "finished_at": None,
}  # fmt: skip


def problem(status, code, **more):
    return httpx.Response(status, json={"code": code, "detail": "What is wrong.", **more})


def test_lost_connection_is_repeated_with_growing_pauses(client, script):
    lost = [httpx.ConnectError("refused"), httpx.ReadTimeout("late"), httpx.RemoteProtocolError("cut")]
    script.answers = [*lost, httpx.Response(200, json=STUDY)]
    assert client.get_study("s").name == "s"
    assert script.pauses == [0.05, 0.1, 0.2]


def test_client_that_was_closed_says_so(client, script):
    client.close()
    with pytest.raises(Unreachable, match="closed"):
        client.get_study("s")
    assert script.pauses == []


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_busy_server_is_asked_again_no_sooner_than_it_says(client, script, status):
    script.answers = [httpx.Response(status, headers={"retry-after": "7"}), httpx.Response(200, json=STUDY)]
    client.get_study("s")
    assert script.pauses == [7.0]


def test_after_the_deadline_the_error_names_the_address(client, script):
    script.answers = [httpx.ConnectError("refused")] * 100
    with pytest.raises(Unreachable, match="http://lab:8000 cannot be reached: refused"):
        client.get_study("s")
    assert 20 < script.now() <= 30


def test_a_wait_beyond_the_deadline_is_not_begun(client, script):
    script.answers = [httpx.Response(503, headers={"retry-after": "3600"})]
    with pytest.raises(Unavailable):
        client.get_study("s")
    assert script.pauses == []


def test_a_problem_is_raised_as_its_own_error_with_every_mistake(client, script):
    errors = [{"pointer": "/space/x/low", "message": "must be a number", "code": "float_type", "line": 4}]
    script.answers = [problem(422, "invalid", errors=errors)]
    with pytest.raises(Invalid) as caught:
        client.submit_text("name: [")
    assert (caught.value.errors[0].pointer, caught.value.errors[0].line) == ("/space/x/low", 4)


def test_an_unknown_code_falls_back_to_its_status(client, script):
    script.answers = [problem(404, "code-of-the-future")]
    with pytest.raises(NotFound, match="What is wrong"):
        client.get_study("s")


def test_a_redirect_is_not_followed(client, script):
    script.answers = [httpx.Response(307, headers={"location": "http://elsewhere"})]
    with pytest.raises(TrialbookError, match="307 to http://elsewhere"):
        client.get_study("s")


def test_repeats_of_one_submission_share_their_key_and_other_submissions_have_another(client, script):
    answer = httpx.Response(201, json=STUDY)
    script.answers = [httpx.ReadError("cut"), answer, answer]
    client.create_study({"name": "s"})
    client.create_study({"name": "s"})
    first, again, other = (request.headers["idempotency-key"] for request in script.requests)
    assert first == again != other


def test_an_answer_that_is_none_of_ours_is_an_error_that_says_so(client, script):
    script.answers = [httpx.Response(200, text="<html>Welcome</html>"), httpx.Response(200, json=["a list"])]
    for call in (client.get_study, client.get_curves):
        with pytest.raises(TrialbookError, match="http://lab:8000 is no Trialbook server"):
            call("s")


def test_a_conflict_is_not_repeated(client, script):
    script.answers = [problem(409, "name-taken")]
    with pytest.raises(NameTaken):
        client.create_study({"name": "s"})


def test_a_delete_whose_answer_was_lost_has_succeeded_when_nothing_is_there(client, script):
    script.answers = [httpx.ReadError("cut"), problem(404, "not-found")]
    client.delete_study("s")
    assert len(script.requests) == 2


def test_deleting_what_is_not_there_says_so(client, script):
    script.answers = [problem(404, "not-found")]
    with pytest.raises(NotFound):
        client.delete_study("s")


def test_a_token_whose_answer_was_lost_is_not_made_twice(client, script):
    script.answers = [httpx.ReadError("cut")]
    with pytest.raises(Unreachable):
        client.create_token("worker")


def test_address_and_token_come_from_the_environment_or_a_file(tmp_path):
    file = tmp_path / "token"
    file.write_text("from-file\n")
    environ = {"TRIALBOOK_URL": "http://lab", "TRIALBOOK_TOKEN": "", "TRIALBOOK_TOKEN_FILE": str(file)}
    assert read_environment(environ) == ("http://lab", "from-file")
    assert read_environment({**environ, "TRIALBOOK_TOKEN": "direct"}) == ("http://lab", "direct")


@pytest.mark.parametrize("url", ["lab:8000", "ftp://lab", "http://", "http://lab:port", ""])
def test_what_is_no_address_is_refused_at_once(url):
    with pytest.raises(Unreachable, match="is not an address"):
        Client(url or " ", "secret")


def test_a_name_cannot_leave_its_place_in_the_path():
    assert path_of("studies", "..", "a/b?c#d") == "/studies/%2E%2E/a%2Fb%3Fc%23d"


def test_the_servers_version_is_known_from_its_answers(client, script):
    script.answers = [httpx.Response(200, json=STUDY, headers={"trialbook-version": "0.3.1"})]
    assert client.server_version is None
    client.get_study("s")
    assert client.server_version == "0.3.1"
