"""A server for all tests, and workers that end with their test."""

import shutil
import tempfile
from pathlib import Path

import pytest

from tests.end_to_end.machines import Server, Worker


@pytest.fixture(scope="session")
def server():
    folder = Path(tempfile.mkdtemp(prefix="trialbook-test-"))
    one = Server(folder)
    yield one
    one.stop()
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
