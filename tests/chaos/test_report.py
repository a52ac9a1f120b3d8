"""How soon lost trials were leased again, from a history made by hand."""

from collections import Counter
from datetime import UTC, datetime

import pytest

from tests.chaos.clients import LEASE_SECONDS
from tests.chaos.history import Final
from tests.chaos.report import FORGIVEN, OVERSLEPT, judge, noticed
from tests.chaos.story import Story

CLOCK = 1_000_000.0  # what the server's clock is ahead of the history's


def judged(late: float, outages=(), pause: float | None = None):
    """The report on a trial whose next attempt begins so late after its lease's end."""
    story = Story()
    story.grant(ttl=LEASE_SECONDS)
    end = story.now - 1 + LEASE_SECONDS
    if pause is not None:
        story.call("pauseStudy", "/studies/s/pause", {}, {})
        story.now += pause
        story.call("resumeStudy", "/studies/s/resume", {}, {})
    story.now = max(story.now, end + late)
    story.grant(2, ttl=LEASE_SECONDS)
    trial = story.trial(attempt=2, outcomes=("expired", None))
    for attempt, began in zip(trial["attempts"], (0.0, end + late), strict=True):
        attempt["started_at"] = datetime.fromtimestamp(CLOCK + began, UTC).isoformat()
    study = {**story.study, "spec": story.calls[0].asked, "notes": "", "tags": {}}
    final = Final([study], {"s": [trial]}, {"s": {}})
    spans = [(end + begun, end + ended) for begun, ended in outages]
    return judge(story.calls, final, seconds=1, faults=Counter(), problems=[], outages=spans, clock=CLOCK)


@pytest.mark.parametrize(
    ("late", "outages", "pause", "wait"),
    [
        (3.0, [], None, 3.0),
        (-0.5, [], None, 0.0),
        (7.0, [], None, 7.0),
        (12.0, [(2.0, 9.0)], None, 3.0),  # away when it had ended: at once after it
        (FORGIVEN + 2.0, [(-1.0, 1.0)], None, 1.0),  # away while it lasted: it lasts longer
        (FORGIVEN + 8.0, [(-1.0, 1.0)], None, 7.0),
        (8.0, [(-90.0, -60.0)], None, 8.0),  # long before
        (9.0, [], 6.0, 1.0),  # resumed 8 s after its end
    ],
)
def test_a_wait_is_counted_from_when_the_lease_may_end(late, outages, pause, wait):
    report = judged(late, outages, pause)
    assert report.waits == [pytest.approx(wait, abs=1e-3)]
    assert any("leased again only" in problem for problem in report.problems) == (wait > 5)


def test_outages_that_nobody_made_are_read_from_the_server_s_log():
    at = datetime.fromtimestamp(CLOCK + 30, UTC).isoformat()
    lines = ["Started", f'{{"time": "{at}", "event": "outage-noticed", "leases_prolonged": 3}}', '{"event": "stopped"}']
    assert noticed(lines, CLOCK) == [(pytest.approx(30 - OVERSLEPT), pytest.approx(30))]
