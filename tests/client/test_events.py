"""A stream of events is read exactly, whatever the pieces, and taken up where it was cut."""

import json

import httpx
import pytest

from trialbook.errors import NotFound
from trialbook.events import Event, read_events

STREAM = (
    b': hello\n\nid: 1\nevent: report\ndata: {"step": 1}\n\n'
    + 'id: 2\r\nevent: note\r\ndata: "a\u2028b"\r\ndata:\r\n\r\ndata: not json\r\rid: 3\ndata: cut'.encode()
)
EVENTS = [Event("1", "report", {"step": 1}), Event("2", "note", "a\u2028b"), Event("2", "message", "not json")]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_events_are_the_same_in_pieces_of_any_size(size):
    pieces = [STREAM[i : i + size] for i in range(0, len(STREAM), size)]
    assert list(read_events(pieces)) == EVENTS


def test_a_cut_stream_is_taken_up_after_the_last_event_seen(client, script):
    def cut(request):
        def pieces():
            yield b"id: 7\ndata: 1\n\nid: 8\ndata: half"
            raise httpx.ReadError("cut")

        return httpx.Response(200, content=pieces())

    script.answers = [cut, httpx.ConnectError("refused"), httpx.Response(200, content=b"id: 8\ndata: 2\n\n")]
    events = client.stream_events("s")
    assert [next(events).data, next(events).data] == [1, 2]
    assert [request.headers.get("last-event-id") for request in script.requests] == [None, "7", "7"]


def test_the_stream_of_a_deleted_study_says_so(client, script):
    script.answers = [httpx.Response(404, content=json.dumps({"code": "not-found"}))]
    with pytest.raises(NotFound):
        next(client.stream_events("s"))
