"""A server in memory that speaks what workers need of the contract over real HTTP, and workers to run against it."""

import hashlib
import io
import json
import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from trialbook import Client
from workers.journal import Journal
from workers.settings import Settings
from workers.slot import Slot

PATIENCE = 30.0  # seconds, for what should take a fraction of one


class FakeTrial:
    """A trial and all that workers told of it."""

    def __init__(self, number, lease):
        self.number, self.lease, self.attempt, self.lost = number, lease, 0, False
        self.batches, self.reports, self.artifacts, self.finished, self.released = [], {}, {}, [], 0
        self.renewed = 0

    def grant(self):
        self.attempt += 1
        saved = self.artifacts.get("checkpoint")
        resume_step = saved[1] if saved else None
        self.reports = {step: m for step, m in self.reports.items() if saved and step <= resume_step}
        return {
            "lease": f"{self.number}.{self.attempt}", "study": "s", "number": self.number, "attempt": self.attempt,
            "early_stopping": None, "seed": 7, "ttl_seconds": 60.0, "resume_step": resume_step, **self.lease,
        }  # fmt: skip

    def answer(self):
        state = self.finished[-1]["state"] if self.finished else "running"
        blank = dict.fromkeys(("value", "worker", "reason", "started_at", "finished_at"))
        return {
            **blank, "study": "s", "number": self.number, "state": state, "params": {}, "attempt": self.attempt,
            "explanation": {}, "attributes": {}, "created_at": "2026-01-01T00:00:00Z",
        }  # fmt: skip


class FakeServer:
    """Grants what was added, in order. `decide(trial, step)` judges reports; `away` cuts every connection."""

    def __init__(self):
        self.changed = threading.Condition()
        self.trials, self.waiting, self.asked = [], [], []
        self.decide = lambda trial, step: "continue"
        self.away, self.version, self.reason, self.datasets = False, None, "no-running-study", {}
        self.largest = self.cut = self.downloads = 0
        self.refused = ()  # names of artifacts
        self.evaluations, self.evaluated = [], []
        handler = type("Handler", (FakeHandler,), {"server_state": self})
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.http.daemon_threads = True
        self.http.handle_error = lambda *_: None  # workers are killed in the middle of answers
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    def add(self, trainer="train:train", params=None, *, data=None, metric="loss", fixed=None, **lease):
        objective = {"trainer": trainer, "data": data, "metric": metric, "fixed": fixed or {}}
        with self.changed:
            trial = FakeTrial(len(self.trials), {"objective": objective, "params": params or {}, **lease})
            self.trials.append(trial)
            self.waiting.append(trial)
            self.changed.notify_all()
        return trial

    def set(self, **values):
        with self.changed:
            vars(self).update(values)
            self.changed.notify_all()

    def wait(self, condition):
        with self.changed:
            assert self.changed.wait_for(condition, PATIENCE), "it never came to that"

    def acquire(self, body):
        self.asked.append(body)
        self.changed.notify_all()
        if self.evaluations:
            return 200, {"leases": [], "evaluation": self.evaluations.pop(0)}
        self.changed.wait_for(lambda: self.waiting or self.reason, body["wait_seconds"])
        if self.waiting:
            return 200, {"leases": [self.waiting.pop(0).grant()]}
        return 200, {"leases": [], "reason": self.reason or "nothing-waiting"}

    def tell(self, lease, action, query, content):
        trial = self.trials[int(lease.split(".")[0])]
        if trial.lost or int(lease.split(".")[1]) != trial.attempt:
            return 409, {"code": "lease-lost", "detail": "Another worker holds it."}
        return getattr(self, f"take_{action}")(trial, query, content)

    def take_reports(self, trial, query, content):
        reports = json.loads(content)["reports"]
        trial.batches.append([report["step"] for report in reports])
        decision = "continue"
        for report in reports:
            if decision == "continue":
                trial.reports[report["step"]] = report["metrics"]
                decision = self.decide(trial, report["step"])
        return 200, {"decision": decision, "reason": "by the test", "ttl_seconds": trial.lease.get("ttl_seconds", 60.0)}

    def take_renew(self, trial, query, content):
        trial.renewed += 1
        return 200, trial.answer()

    def take_release(self, trial, query, content):
        trial.released += 1
        return 200, trial.answer()

    def take_finish(self, trial, query, content):
        body = json.loads(content)
        trial.finished.append(body)
        if body["state"] == "failed" and body["retry"] and trial.attempt < 3:
            self.waiting.append(trial)
        return 200, trial.answer()

    def take_artifacts(self, trial, query, content):
        name = query.pop("name")
        if name in self.refused:
            return 507, {"code": "storage-full", "detail": "There is no room."}
        step = int(query["step"][0]) if "step" in query else None
        if step is not None and step > max(trial.reports, default=-1):
            return 409, {"code": "checkpoint-ahead"}
        assert query["sha256"] == [hashlib.sha256(content).hexdigest()]
        trial.artifacts[name] = (content, step)
        return 200, {
            "name": name,
            "size": len(content),
            "sha256": "",
            "step": step,
            "attempt": 1,
            "created_at": "2026-01-01",
        }


class FakeHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def respond(self):
        state = self.server_state
        content = self.rfile.read(int(self.headers.get("content-length") or 0))
        state.largest = max(state.largest, len(content))
        with state.changed:
            if state.away:
                self.close_connection = True
                state.cut += 1
                state.changed.notify_all()
                return
            status, answer = self.route(state, content)
            state.changed.notify_all()
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        if state.version:
            self.send_header("Trialbook-Version", state.version)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = respond  # noqa: N815  # names of http.server's

    def route(self, state, content):
        address = urlsplit(self.path)
        parts, query = address.path.removeprefix("/api/v1/").split("/"), parse_qs(address.query)
        match parts:
            case ["leases"]:
                return state.acquire(json.loads(content))
            case ["leases", lease, "artifacts", name]:
                return state.tell(lease, "artifacts", {**query, "name": name}, content)
            case ["evaluations", _, "finish"]:
                state.evaluated.append(json.loads(content))
                return 200, state.trials[0].answer()
            case ["leases", lease, action]:
                return state.tell(lease, action, query, content)
            case ["studies", _, "trials", number, "artifacts", name]:
                return 200, state.trials[int(number)].artifacts[name][0]
            case ["datasets", name]:
                state.downloads += 1
                return 200, state.datasets[name]

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    fake = FakeServer()
    yield fake
    fake.http.shutdown()
    fake.http.server_close()


class Working:
    """A worker's slot that works beside the test."""

    def __init__(self, server, folder, options):
        self.log, self.errors = io.StringIO(), []
        defaults = {"name": "w", "trainers": ("train:train",), "folder": folder, "cache": folder / "cache"}
        settings = Settings(**{**defaults, "drain": True, "wait_seconds": 5.0, **options})
        self.slot = Slot(Client(server.url, "t", deadline=0.2), settings, Journal(self.log), "w")
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self):
        try:
            self.slot.work()
        except Exception as error:
            self.errors.append(error)

    def join(self):
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive(), self.log.getvalue()
        return self

    def events(self):
        return [json.loads(line) for line in self.log.getvalue().splitlines()]


@pytest.fixture
def start(server, tmp_path):
    """Starts a worker with a `train.py` of this text; it is drained when the server has nothing more to do."""
    started = []

    def begin(source="", **options):
        (tmp_path / "train.py").write_text(source)
        started.append(Working(server, tmp_path, options))
        return started[-1]

    yield begin
    for working in started:
        working.slot.leave()
        working.thread.join(PATIENCE)


@pytest.fixture
def command(server, tmp_path):
    """Starts the command itself with a `train.py` of this text."""
    started = []

    def begin(source="", *arguments):
        (tmp_path / "train.py").write_text(source)
        environ = {
            **os.environ,
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "XDG_CACHE_HOME": str(tmp_path / "cache"),
        }
        program = "import sys; from workers.__main__ import app; app(prog_name='trialbook-worker')"
        line = [sys.executable, "-P", "-c", program, "--url", server.url, "--token", "t", *arguments]
        started.append(subprocess.Popen(line, cwd=tmp_path, env=environ, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def clock():
    return time.monotonic
