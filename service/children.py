"""Functions called in child processes that can be killed: one that hangs, crashes or eats the machine costs one call.

The children stay warm between calls, use one thread each, and end with their parent, however that ends.
"""

import asyncio
import ctypes
import json
import os
import pickle
import signal
import sys
import traceback
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from types import TracebackType
from typing import Any, BinaryIO, Self

_BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from service.children import serve; serve(sys.argv[2])"
)
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)
_SIZE_BYTES = 8
_ENDING_SECONDS = 5.0  # a child that has closed its pipe has that long to end by itself


class CallFailed(Exception):
    """The function gave no answer; the message says why, and where if it raised an error."""

    def __init__(self, reason: str, where: str | None = None) -> None:
        super().__init__(reason)
        self.where = where


@dataclass(frozen=True)
class _Failure:
    reason: str
    where: str


class Children:
    """Up to `size` child processes that call functions; `what` they are said to do where one fails. A child that is
    not kept `warm` ends with its call: what it loaded is large, and seldom asked for.

    async with Children("sampler", size=2) as children:
        answer = await children.call("package.module:function", argument, timeout=60)
    """

    def __init__(self, what: str, *, size: int = 1, warm: bool = True) -> None:
        self._what = what
        self._warm = warm
        self._free = asyncio.Semaphore(size)
        self._idle: list[Process] = []
        self._all: set[Process] = set()

    async def call(
        self,
        function: str,
        *arguments: Any,  # Any: whatever can be pickled
        timeout: float,  # noqa: ASYNC109  # the child is killed, not only the wait ended
    ) -> Any:  # Any: as above
        """The function's answer. Raises CallFailed when it fails or takes over `timeout` seconds.

        Waiting for a free process does not count towards the timeout.
        """
        async with self._free:
            process = await self._borrow()
            try:
                answer = await asyncio.wait_for(_converse(process, (function, arguments)), timeout)
            except TimeoutError:
                raise CallFailed(f"the {self._what} took longer than {timeout:g} s") from None
            except (EOFError, OSError):
                raise CallFailed(_ending(self._what, await self._ended(process))) from None
            else:
                if self._warm:
                    self._idle.append(process)
            finally:
                if process not in self._idle:
                    await self._end(process)
        if isinstance(answer, _Failure):
            raise CallFailed(answer.reason, answer.where)
        return answer

    async def close(self) -> None:
        """Ends all processes, busy or not."""
        self._idle.clear()
        for process in list(self._all):
            await self._end(process)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _borrow(self) -> Process:
        while self._idle:
            process = self._idle.pop()
            if process.returncode is None:
                return process
            self._all.discard(process)
        arguments = (json.dumps(sys.path), str(os.getpid()))
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", _BOOT, *arguments, stdin=PIPE, stdout=PIPE)
        self._all.add(process)
        return process

    async def _end(self, process: Process) -> int:
        self._all.discard(process)
        with suppress(ProcessLookupError):  # it has ended by itself
            process.kill()
        return await process.wait()

    async def _ended(self, process: Process) -> int:
        """The code with which a child that hung up ends. Not by `kill`: on a process that has ended but is not yet
        collected, it collects the code itself, and asyncio then knows none and says 255."""
        with suppress(TimeoutError):
            return await asyncio.wait_for(process.wait(), _ENDING_SECONDS)
        return await self._end(process)


async def _converse(process: Process, request: Any) -> Any:  # Any: what can be pickled, and what the child pickled
    assert process.stdin is not None  # noqa: S101  # both are pipes
    assert process.stdout is not None  # noqa: S101
    body = pickle.dumps(request)
    process.stdin.write(len(body).to_bytes(_SIZE_BYTES, "big") + body)
    await process.stdin.drain()
    size = int.from_bytes(await process.stdout.readexactly(_SIZE_BYTES), "big")
    return pickle.loads(await process.stdout.readexactly(size))  # noqa: S301  # our own child's


def _ending(what: str, code: int) -> str:
    if code >= 0:
        return f"the {what}'s process ended with code {code}"
    return f"the {what}'s process was ended by {signal.Signals(-code).name}"


# The child's side.


def serve(parent: str) -> None:
    """Answers requests on stdin until it closes. Runs in a process of its own."""
    _settle(int(parent))
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not end up among the answers
    while (request := _read(sys.stdin.buffer)) is not None:
        body = pickle.dumps(_answer(*request))
        answers.write(len(body).to_bytes(_SIZE_BYTES, "big") + body)
        answers.flush()


def _settle(parent: int) -> None:
    """One thread, behind the requests in priority, deaf to Ctrl-C (the parent is not), dead when the parent is."""
    os.environ.update(dict.fromkeys(_THREADS, "1"))  # read when NumPy is loaded, which it is not yet
    os.nice(5)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before we asked to be told
        sys.exit()


def _read(stream: BinaryIO) -> Any:  # Any: what the parent pickled
    size = int.from_bytes(stream.read(_SIZE_BYTES), "big")
    return pickle.loads(stream.read(size)) if size else None  # noqa: S301  # our own parent's


def _answer(function: str, arguments: tuple[Any, ...]) -> Any:  # Any: as above
    try:
        module, name = function.split(":")
        return getattr(import_module(module), name)(*arguments)
    except Exception as error:  # whatever it is, the parent is told
        return _Failure(f"{type(error).__name__}: {error}", "".join(traceback.format_tb(error.__traceback__)))
