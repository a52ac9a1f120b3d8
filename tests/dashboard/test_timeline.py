"""The timeline: bars in lanes without overlap, idle time as it is, of large studies the latest part."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from service import timeline as use_case
from service.dashboard.figures.timeline import timeline
from tests.service.calls import expire, finish, lease, spec, submit
from trialbook.spec import StudySpec

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
SPEC = StudySpec.model_validate(spec())


@dataclass(frozen=True)
class Try:
    worker: str
    start: float
    end: float | None
    number: int = 0
    attempt: int = 1
    state: str = "complete"
    value: float | None = None

    @property
    def started_at(self):
        return BEGAN + timedelta(seconds=self.start)

    @property
    def ended_at(self):
        return None if self.end is None else BEGAN + timedelta(seconds=self.end)


def drawn(*tries, now=100.0):
    return timeline(SPEC, tries, BEGAN + timedelta(seconds=now))


def test_a_worker_alone_has_one_lane_and_its_pauses_are_idle():
    found = drawn(Try("a", 0, 10), Try("a", 10, 20, number=1), Try("a", 30, 40, number=2))
    assert found["lanes"] == ["a"]
    assert found["idle"] == pytest.approx(10 / 40)
    assert [(one["number"], one["lane"], one["start"], one["end"]) for one in found["items"]] == [
        (0, 0, 0, 10),
        (1, 0, 10, 20),
        (2, 0, 30, 40),
    ]


def test_a_worker_that_runs_several_at_once_has_as_many_lanes():
    found = drawn(Try("b", 0, 10), Try("b", 5, 20), Try("b", 10, 12), Try("a", 3, 4), Try("b", 11, 13))
    assert found["lanes"] == ["a", "b", "b", "b"]
    assert [one["lane"] for one in found["items"]] == [0, 1, 2, 1, 3]
    bars = sorted((one["lane"], one["start"], one["end"]) for one in found["items"])
    assert all(a[0] != b[0] or a[2] <= b[1] for a, b in pairwise(bars))


def test_what_runs_ends_now_and_nothing_is_idle_where_nothing_ran():
    [bar] = drawn(Try("a", 0, None, state="running"), now=7)["items"]
    assert (bar["start"], bar["end"], bar["state"]) == (0, 7, "running")
    assert drawn()["idle"] is None
    assert drawn(Try("a", 3, 3))["idle"] is None


def test_each_attempt_is_a_bar_and_of_many_trials_the_latest_are_drawn(serve, monkeypatch):
    async def check():
        async with serve() as client:
            await submit(client, budget={"n_trials": 10})
            path = "/api/v1/studies/study/analysis/timeline"
            assert (await client.get(path)).json()["items"] == []
            one = await lease(client, worker="first")
            await expire(client)
            again = await lease(client, worker="second")
            assert (again["number"], again["attempt"]) == (one["number"], 2)
            for _ in range(3):
                await finish(client, await lease(client, worker="third"), value=0.5)
            found = (await client.get(path)).json()
            assert found["lanes"] == ["first", "second", "third"]
            bars = [(bar["number"], bar["attempt"], bar["state"]) for bar in found["items"]]
            assert bars == [(0, 1, "expired"), (0, 2, "running"), *((n, 1, "complete") for n in (1, 2, 3))]
            assert (found["note"], found["first"], found["last"], found["total"]) == ("", 0, 3, 4)
            monkeypatch.setattr(use_case, "MOST", 2)
            found = (await client.get(path)).json()
            assert {bar["number"] for bar in found["items"]} == {0, 2, 3}  # what runs, and the latest two
            assert found["note"] == "showing trials 2 to 3 of 4"
            found = (await client.get(path, params={"last": 1})).json()
            assert {bar["number"] for bar in found["items"]} == {0, 1}

    asyncio.run(check())
