"""The real commands as processes: a server that can be killed and started again, and workers, with what they log."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

from trialbook import Client

COMMANDS = Path(sys.executable).parent
PATIENCE = 120.0  # seconds, for what takes a few on an idle machine
LOOK_AGAIN = 0.05
LEASE_SECONDS = "4"


def eventually(look, what):
    """What `look` brings as soon as it brings something; it is asked again and again, against a deadline."""
    deadline = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < deadline, f"it never came to that: {what}"
        threading.Event().wait(LOOK_AGAIN)
    return found


class Server:
    """`trialbook-server serve` on a folder; started again, it has the same address and token."""

    def __init__(self, folder, *, lease_seconds=LEASE_SECONDS, log=None):
        self.folder, self._port, self._lease_seconds, self._log = folder, 0, lease_seconds, log
        self.start()

    def start(self):
        """Start, and wait until it is ready."""
        command = [COMMANDS / "trialbook-server", "serve", "--port", str(self._port), "--data", str(self.folder)]
        environ = {**os.environ, "TRIALBOOK_LEASE_SECONDS": self._lease_seconds}
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self._log, text=True, env=environ)
        ready = json.loads(self._process.stdout.readline())
        self.url, self.token = ready["url"], ready["token"]
        self._port = urlsplit(self.url).port
        self.client = Client(self.url, self.token, deadline=PATIENCE)

    def ended(self):
        """Its exit code, None while it runs."""
        return self._process.poll()

    def kill(self):
        """As kill -9, or a power cut without the disk's: nothing is tidied up."""
        self._end(signal.SIGKILL)

    def stop(self):
        """Stop gently; its database stops too."""
        self._end(signal.SIGTERM)

    def _end(self, number):
        self.client.close()
        self._process.send_signal(number)
        self._process.wait(PATIENCE)
        self._process.stdout.close()

    def study_that_ends(self, name):
        """The study, once it is over."""

        def look():
            study = self.client.get_study(name)
            return study if study.state in ("completed", "cancelled") else None

        return eventually(look, f"the study {name} ends")

    def trials(self, name):
        """All trials of a study, by number, with curves and attempts."""
        return [self.client.get_trial(name, trial.number) for trial in self.client.list_trials(name, order="number")]


class Worker:
    """`trialbook-worker` for one study, or with None for all, in a folder of its own."""

    def __init__(self, server, name, study, *arguments, source=None, environ=None):
        self.name = name
        self._server, self._study = server, study
        self._folder = tempfile.TemporaryDirectory(prefix="trialbook-test-")
        folder = Path(self._folder.name)
        if source is not None:
            (folder / "train.py").write_text(source)
        self._log = folder / "log"
        command = [COMMANDS / "trialbook-worker", "--name", name, *arguments]
        command += [] if study is None else ["--study", study]
        environ = {**os.environ, "TRIALBOOK_URL": server.url, "TRIALBOOK_TOKEN": server.token, **(environ or {})}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, cwd=folder, stderr=log, env=environ)

    def make(self, name):
        """Make an empty file in its folder, which its training code may wait for."""
        Path(self._folder.name, name).touch()

    def journal(self):
        """What it has logged."""
        return [json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("{")]

    def events(self, kind):
        """What it has logged of that kind."""
        return [entry for entry in self.journal() if entry["event"] == kind]

    def in_the_middle_of_a_trial(self, epochs):
        """A trial of this worker that has reported some of its first half; the worker is stopped (SIGSTOP) there."""

        def look():
            self._process.send_signal(signal.SIGSTOP)
            running = self._server.client.list_trials(self._study, state="running")
            mine = [one for one in running if one.worker == self.name and 2 <= (one.last_step or 0) < epochs / 2]
            if not mine:
                self._process.send_signal(signal.SIGCONT)
            return mine

        assert self._process.poll() is None, self._log.read_text()
        return eventually(look, f"{self.name} is in the middle of a trial")[0]

    def kill(self):
        """As kill -9."""
        self._process.kill()
        self._process.wait(PATIENCE)

    def sleep(self):
        """Stand still where it is (SIGSTOP)."""
        self._process.send_signal(signal.SIGSTOP)

    def said(self):
        """The end of what it has logged."""
        return self._log.read_text()[-500:]

    def ended(self):
        """Its exit code, None while it runs."""
        return self._process.poll()

    def wake(self):
        """Go on after SIGSTOP."""
        self._process.send_signal(signal.SIGCONT)

    def leave(self):
        """Told to leave by SIGTERM, and awake to hear it; the exit code."""
        self._process.send_signal(signal.SIGTERM)
        self._process.send_signal(signal.SIGCONT)
        return self._process.wait(PATIENCE)

    def drained(self):
        """The exit code, once it has ended by itself."""
        return self._process.wait(PATIENCE)

    def close(self):
        """End it if it still runs, and remove its folder."""
        self.kill()
        self._folder.cleanup()
