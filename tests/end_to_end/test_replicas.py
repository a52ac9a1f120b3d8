"""Two servers on one database and one folder, called in turn: what holds for one holds for both."""

import asyncio
import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.end_to_end.machines import PATIENCE, Server, eventually
from tests.promises.stage import Crowd, study
from trialbook.wire import Finish, Report

pytestmark = pytest.mark.slow
N, CLIENTS = 60, 12
CELLS = {"a": {"type": "int", "low": 1, "high": 5}, "b": {"type": "categorical", "choices": ["u", "v"]}}


@pytest.fixture(scope="module")
def replicas():
    folder = Path(tempfile.mkdtemp(prefix="trialbook-test-"))
    try:
        with replica(folder) as one, replica(folder) as other:
            yield one, other
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def replica(folder):
    server = Server(folder)
    try:
        yield server
    finally:
        server.stop()


def test_clients_that_alternate_get_exactly_n_trials_and_each_cell_once(replicas):
    async def work():
        crowd = Crowd(replicas)
        await crowd.submit(study("shared", budget={"n_trials": N}))
        await crowd.submit(study("cells", sampler={"name": "grid"}, space=CELLS))
        names = ("shared", "cells")
        await asyncio.gather(*[crowd.work(names[n % 2], f"client-{n}") for n in range(CLIENTS)])
        await crowd.close()
        assert crowd.refused == []
        return crowd.acknowledged

    written = asyncio.run(work())
    for server in replicas:
        shared, cells = server.trials("shared"), server.trials("cells")
        assert [(trial.number, trial.state, trial.attempt) for trial in shared] == [
            (n, "complete", 1) for n in range(N)
        ]
        points = {tuple(trial.params.values()) for trial in cells}
        assert (len(cells), len(points)) == (10, 10)
        values = {("finish", trial.study, trial.number, None, trial.value) for trial in (*shared, *cells)}
        assert values == {one for one in written if one[0] == "finish"}
        assert server.client.get_study("shared").state == "completed"


def test_a_call_repeated_at_the_other_replica_is_the_same_call(replicas):
    one, other = (server.client for server in replicas)
    one.create_study(study("repeated", budget={"n_trials": 2}), idempotency_key="repeated")
    assert other.create_study(study("repeated", budget={"n_trials": 2}), idempotency_key="repeated").name == "repeated"
    asked = {"trainers": ["external"], "study": "repeated", "request_id": "one-request"}
    [first] = one.acquire_leases("w", **asked).leases
    [again] = other.acquire_leases("w", **asked).leases
    assert again == first
    assert one.report(first.lease, [Report(step=0, metrics={"loss": 1.0})]) == other.report(
        first.lease, [Report(step=0, metrics={"loss": 1.0})]
    )
    done = Finish(state="complete", value=1.0)
    assert other.finish_trial(first.lease, done) == one.finish_trial(first.lease, done)
    assert other.get_study("repeated").counts["complete"] == 1


def test_work_that_comes_up_at_one_replica_wakes_who_waits_at_the_other(replicas):
    one, other = (server.client for server in replicas)
    one.create_study(study("waited-for", budget={"n_trials": 1}))
    [held] = one.acquire_leases("first", ["external"], study="waited-for").leases
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(one.acquire_leases, "second", ["external"], study="waited-for", wait_seconds=30)
        eventually(lambda: any(known.name == "second" for known in other.list_workers()), "the other one knows of it")
        other.release_lease(held.lease)
        begun = time.monotonic()
        assert [lease.number for lease in waiting.result(PATIENCE).leases] == [0]
    assert time.monotonic() - begun < 5  # within a second, on a machine that is not busy


def test_a_stream_at_one_replica_tells_what_was_done_at_the_other(replicas):
    one, other = (server.client for server in replicas)
    one.create_study(study("told", budget={"n_trials": 1}))
    with ThreadPoolExecutor() as pool:
        seen = pool.submit(lambda: next(event for event in one.stream_events("told") if completes(event)))
        [held] = other.acquire_leases("w", ["external"], study="told").leases
        other.finish_trial(held.lease, Finish(state="complete", value=1.0))
        assert seen.result(PATIENCE).data["number"] == 0


def completes(event):
    """Whether this event tells of a trial that is complete."""
    return event.kind == "trial" and event.data["state"] == "complete"
