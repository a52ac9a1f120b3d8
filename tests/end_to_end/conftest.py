"""A server for all tests, and workers that end with their test."""

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.end_to_end.machines import Server, Worker


@pytest.fixture(scope="session")
def server():
    with running_server() as one:
        yield one


@pytest.fixture
def mortal_server():
    """A server of this test's own, to be killed."""
    with running_server() as one:
        yield one


@contextmanager
def running_server():
    folder = Path(tempfile.mkdtemp(prefix="trialbook-test-"))
    try:
        one = Server(folder)
        yield one
        one.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def start():
    """Starts a worker: `start(server, name, study, *arguments)`, with a `train.py` where its source is given."""
    started = []

    def begin(*arguments, **options):
        started.append(Worker(*arguments, **options))
        return started[-1]

    yield begin
    for worker in started:
        worker.close()
