"""The worker's side of a training process: start it, talk to it, end it. Knows no lease."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workers.channel import Channel, Message
from workers.devices import VISIBLE
from workers.output import Output

ROOT = str(Path(__file__).parent.parent)
# No -m: a program started by training code would import our package again, by a name the operator's folder may have.
PROGRAM = f"import sys; sys.path.append({ROOT!r}); from workers.child import main; main(int(sys.argv[1]))"
SECRETS = ("TRIALBOOK_TOKEN", "TRIALBOOK_TOKEN_FILE")
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS")
ENDING_SECONDS = 5.0  # a closed process has that long to end by itself


@dataclass(frozen=True)
class Told:
    """A message of a training process."""

    process: "TrainingProcess"
    message: Message


@dataclass(frozen=True)
class Died:
    """A training process has ended."""

    process: "TrainingProcess"


class TrainingProcess:
    """A process that trains one trial after another, warm between them. Each thing it tells goes to `tell`.

    It runs in a session of its own: signals to the worker's group don't reach it, and killing it kills what it started.
    """

    def __init__(
        self,
        functions: Sequence[str],
        *,
        folder: Path,
        threads: int,
        device: str | None,
        tell: Callable[[Any], None],
    ) -> None:
        self.functions = tuple(functions)
        self.output = Output()
        self.is_gone = False
        here, there = socket.socketpair()
        self._channel = Channel(here)
        with there:
            self._process = subprocess.Popen(  # noqa: S603  # our own program
                [sys.executable, "-P", "-c", PROGRAM, str(there.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=_environment(threads, device, folder),
                pass_fds=(there.fileno(),),
                start_new_session=True,
            )
        threading.Thread(target=self._receive, args=(tell,), name="training process", daemon=True).start()
        threading.Thread(target=self._collect, name="output", daemon=True).start()
        self.send("begin", functions=self.functions, folder=str(folder), threads=threads)

    def send(self, kind: str, **fields: Any) -> None:  # Any: JSON
        """Send a message; a process that is gone is told of by Died."""
        self._channel.send(kind, **fields)

    def kill(self) -> None:
        """End the process and all that it started, at once."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        """Let the process end."""
        self._channel.hang_up()
        self._wait()
        self.kill()

    def describe_end(self) -> str:
        """How the process ended, in words; one that has closed its pipe and goes on is ended."""
        code = self._wait()
        if code >= 0:
            return f"the training process ended with exit code {code}"
        if -code == signal.SIGKILL:
            return "the training process ended with signal 9 (SIGKILL): perhaps the machine was out of memory"
        return f"the training process ended with signal {-code} ({signal.Signals(-code).name})"

    def _wait(self) -> int:
        try:
            return self._process.wait(ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._process.wait()

    def _receive(self, tell: Callable[[Any], None]) -> None:
        while (message := self._channel.receive()) is not None:
            tell(Told(self, message))
        self.is_gone = True
        self._channel.close()
        tell(Died(self))

    def _collect(self) -> None:
        stream = self._process.stdout
        if stream is None:
            return
        while piece := os.read(stream.fileno(), 65536):
            self.output.feed(piece)
        stream.close()
        self.output.close()


def _environment(threads: int, device: str | None, folder: Path) -> dict[str, str]:
    """This process's, without what opens the server: training code needs no token, and may print what it has.

    Nor is the operator's folder on the path ahead of us: the training process puts it there for the operator's code.
    """
    kept = {name: value for name, value in os.environ.items() if name not in SECRETS}
    if path := kept.get("PYTHONPATH"):
        kept["PYTHONPATH"] = os.pathsep.join(part for part in path.split(os.pathsep) if part != str(folder))
    pinned = {} if device is None else {VISIBLE: device}
    return {**kept, **dict.fromkeys(THREAD_VARIABLES, str(threads)), **pinned}
