"""A server process, as users start it, for tests that need a real one."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

STOP_SECONDS = 30


@contextmanager
def server_process(*options: str) -> Iterator[dict[str, str]]:
    """A server on an embedded database in a folder of its own: what it says when it is ready."""
    folder = tempfile.mkdtemp(prefix="trialbook-test-")
    command = [sys.executable, "-m", "service", "serve", "--port", "0", "--data", folder, *options]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TRIALBOOK_")}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)
        shutil.rmtree(folder, ignore_errors=True)
