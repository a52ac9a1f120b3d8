"""A fleet's watch over its workers, on a cluster played by hand: no Ray, no time."""

import io
import json

from workers.fleet.cluster import Ended, Joined, Lost
from workers.fleet.fleet import PATIENCE_SECONDS, Fleet
from workers.fleet.member import Place
from workers.journal import Journal

PLACE = Place("node", 1, "reached")


class FakeCluster:
    """Does nothing by itself; what happens is said by the test, one list of events for each wait."""

    def __init__(self, *story):
        self.story, self.started, self.told, self.dismissed, self.now = list(story), [], [], [], 0.0

    def start(self, worker):
        self.started.append(worker)

    def leave(self, worker):
        self.told.append(worker)

    def dismiss(self, worker):
        self.dismissed.append(worker)

    def wait(self, seconds):
        self.now += PATIENCE_SECONDS
        then = self.story.pop(0)
        return then() or () if callable(then) else then


def run(cluster, *workers):
    log = io.StringIO()
    fleet = Fleet(cluster, workers, Journal(log), clock=lambda: cluster.now)
    cluster.fleet = fleet
    errors = fleet.work()
    return errors, [json.loads(line) for line in log.getvalue().splitlines()]


def test_a_lost_worker_is_told_of_and_works_again_where_it_is_placed():
    cluster = FakeCluster([Joined("a", PLACE)], [Lost("a", "gone")], [Joined("a", PLACE)], [Ended("a", ())])
    errors, told = run(cluster, "a")
    assert ([entry["event"] for entry in told], errors) == (["joined", "lost", "joined", "ended"], [])


def test_a_drained_fleet_does_not_wait_for_workers_without_a_place():
    cluster = FakeCluster([Joined("a", PLACE), Joined("b", PLACE)], [Lost("b", "gone")], [Ended("a", ())])
    assert run(cluster, "a", "b", "c")[0] == []
    assert sorted(cluster.dismissed) == ["a", "b", "c"]


def test_one_worker_that_cannot_work_stops_no_other_and_is_told_at_the_end():
    cluster = FakeCluster([Joined("a", PLACE), Ended("b", ("no such module",))], [], [Ended("a", ())])
    errors, told = run(cluster, "a", "b")
    assert (errors, cluster.told) == (["no such module"], [])
    assert [entry.get("error") for entry in told if entry["event"] == "ended"] == ["no such module", None]


def test_told_to_leave_it_tells_those_who_work_and_lets_go_of_the_rest():
    cluster = FakeCluster([Joined("a", PLACE)], lambda: cluster.fleet.leave(), [], [Ended("a", ())])
    assert run(cluster, "a", "b")[0] == []
    assert (cluster.told, cluster.dismissed) == (["a"], ["b", "a"])


def test_a_worker_that_is_lost_while_the_fleet_leaves_is_not_waited_for():
    cluster = FakeCluster([Joined("a", PLACE)], lambda: cluster.fleet.leave(), [Lost("a", "gone")])
    run(cluster, "a")
    assert cluster.dismissed == ["a"]


def test_workers_without_a_place_are_told_of_once_until_there_are_more():
    cluster = FakeCluster([], [], [], [Joined("a", PLACE)], [], [Lost("a", "gone")], [], [], [Joined("b", PLACE)],
                          [Ended("b", ())])  # fmt: skip
    told = [entry["workers"] for entry in run(cluster, "a", "b")[1] if entry["event"] == "waiting"]
    assert told == [2, 2]
