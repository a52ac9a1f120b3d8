"""A run of chaos: the real server and its PostgreSQL, workers and clients behind bad networks, struck from a seed.

Sixteen work: four real `trialbook-worker` processes with a training process each, on code of their own that trains in
a second, and twelve clients in threads. (A worker and its training process take about 1.5 s of a core to start;
sixteen that are killed every few seconds would only ever start on two cores.) The seed fixes the plan of faults and
each client's behaviour; how they meet it can't fix.
"""

import asyncio
import random
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx

from tests.chaos import history
from tests.chaos.clients import LEASE_SECONDS, Asker, Board, Caller, Owner
from tests.chaos.history import Call, Final
from tests.chaos.load import read_final
from tests.chaos.proxy import Network
from tests.chaos.report import Report, judge, noticed
from tests.end_to_end.machines import Worker
from tests.promises.stage import Stage

WORKERS, ASKERS = 4, 12
PAUSES = (0.5, 2.5)  # seconds between two faults
END_SECONDS = 150.0  # until all studies are over once there are no faults
LONGER = 120.0  # seconds that faults may go on, until the owner has done all that it does
FAULTS = {
    "kill worker": 5,
    "stop worker": 3,
    "kill server": 2,
    "kill PostgreSQL": 1,
    "quit PostgreSQL": 1,  # as `pg_ctl restart -m immediate` does
    "stop PostgreSQL": 1,
}
ALL_KINDS, WORKERS_ONLY = 60.0, 40.0  # seconds in turn: leases expire on time only where no outage puts it off
TRAIN = """
import time
import numpy as np

def train(trial):
    saved = trial.load()
    first = 0 if saved is None else int(saved["step"][0]) + 1
    value = sum(float(p) if isinstance(p, (int, float)) else len(p) for p in trial.params.values())
    for step in range(first, 8):
        time.sleep(0.05)
        trial.report(step, loss=value + 1 / (step + 1))
        if step % 3 == 1:
            trial.save(step, {"step": np.array([step])})
    if trial.seed % 17 == 3 and saved is None:
        raise RuntimeError("out of luck")
    return value
"""


class Chaos:
    """One run."""

    def __init__(self, folder: Path, seed: int, say: Callable[[str], None]) -> None:
        self._folder, self._seed, self._say = folder, seed, say
        self._chance = random.Random(seed)
        self._calls: list[Call] = []
        self._board = Board()
        self._faults: Counter[str] = Counter()
        self._workers: dict[str, Worker] = {}
        self._addresses: dict[str, str] = {}  # of workers, each its own way to the server
        self._asleep: dict[str, float] = {}  # until when
        self._outages: list[tuple[float, float]] = []
        self._problems: list[str] = []
        self._callers: list[Caller] = []

    async def run(self, seconds: float) -> Report:
        """So many seconds of faults, then peace until all studies are over, then the judgement."""
        clock = time.time() - time.monotonic()
        with (self._folder / "server.log").open("wb") as log:
            self._stage = await asyncio.to_thread(Stage, self._folder / "data", str(LEASE_SECONDS), log=log)
            self._network = Network(lambda: self._stage.server.url, self._seed, self._keep)
            try:
                await self._network.start()
                await self._begin()
                begun = time.monotonic()
                await self._strike(begun + seconds)
                await self._make_peace()
                await self._network.settle()
                final = await self._read()
            finally:
                await self._close()
        if (code := self._stage.server.ended()) != 0:
            self._problems.append(f"the server left with {code}")
        return judge(
            self._calls,
            final,
            seconds=time.monotonic() - begun,
            faults=self._faults + self._network.faults,
            problems=self._problems,
            outages=self._outages + noticed((self._folder / "server.log").read_text().splitlines(), clock),
            clock=clock,
        )

    def _keep(self, call: Call) -> None:
        self._calls.append(call)
        history.write(self._folder / "history.jsonl", [call])

    async def _begin(self) -> None:
        token = self._stage.server.token
        for i in range(WORKERS):
            self._start_worker(f"worker-{i}", await self._network.add(f"worker-{i}"))
        self._owner = Owner("owner", await self._network.add("owner"), token, self._board, self._seed)
        self._callers = [self._owner]
        for i in range(ASKERS):
            url = await self._network.add(f"asker-{i}")
            self._callers.append(Asker(f"asker-{i}", url, token, self._board, self._seed))
        for caller in self._callers:
            caller.start()

    def _start_worker(self, name: str, url: str) -> None:
        self._addresses[name] = url
        server: Any = SimpleNamespace(url=url, token=self._stage.server.token)
        self._workers[name] = Worker(server, name, None, "--trainer", "train:train", source=TRAIN)

    async def _strike(self, until: float) -> None:
        """One fault after another; the first few are one of each kind, however little time there is, and the owner has
        time for all that it does to its studies. In the last part of each turn they strike workers only."""
        first, begun = self._chance.sample(list(FAULTS), len(FAULTS)), time.monotonic()
        while (left := until - time.monotonic()) > 0 or first or (self._owner.owes and left > -LONGER):
            is_any = (time.monotonic() - begun) % (ALL_KINDS + WORKERS_ONLY) < ALL_KINDS
            kinds = {kind: weight for kind, weight in FAULTS.items() if is_any or kind.endswith("worker")}
            kind = first.pop() if first else self._chance.choices(list(kinds), weights=list(kinds.values()))[0]
            self._faults[kind] += 1
            await self._strikes[kind](self)
            self._say(f"{left:5.0f} s left, {len(self._calls)} calls, {self._board.trials} trials told, {kind}")
            await asyncio.sleep(self._chance.uniform(*PAUSES))
            self._wake_and_look()

    async def _kill_worker(self) -> None:
        name = self._chance.choice(list(self._workers))
        await asyncio.to_thread(self._workers[name].close)
        self._asleep.pop(name, None)
        self._start_worker(name, self._addresses[name])

    async def _stop_worker(self) -> None:
        name = self._chance.choice(list(self._workers))
        self._workers[name].sleep()
        self._asleep[name] = time.monotonic() + self._chance.uniform(1.5, 3) * LEASE_SECONDS

    async def _kill_server(self) -> None:
        begun = time.monotonic()
        await asyncio.to_thread(self._stage.server.kill)
        await asyncio.to_thread(self._stage.server.start)
        self._outages.append((begun, time.monotonic()))

    async def _kill_postgres(self) -> None:
        await self._end_postgres(signal.SIGKILL)

    async def _quit_postgres(self) -> None:
        await self._end_postgres(signal.SIGQUIT)

    async def _end_postgres(self, number: signal.Signals) -> None:
        begun = time.monotonic()
        self._stage.end_postgres(number)
        await self._until_ready()
        self._outages.append((begun, time.monotonic()))

    async def _stop_postgres(self) -> None:
        begun = time.monotonic()
        self._stage.signal_postgres(signal.SIGSTOP)
        await asyncio.sleep(self._chance.uniform(0.5, 4))
        self._stage.signal_postgres(signal.SIGCONT)
        await self._until_ready()
        self._outages.append((begun, time.monotonic()))

    _strikes = {
        "kill worker": _kill_worker,
        "stop worker": _stop_worker,
        "kill server": _kill_server,
        "kill PostgreSQL": _kill_postgres,
        "quit PostgreSQL": _quit_postgres,
        "stop PostgreSQL": _stop_postgres,
    }

    async def _until_ready(self) -> None:
        async with httpx.AsyncClient() as http:
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                with suppress(httpx.TransportError):
                    if (await http.get(f"{self._stage.server.url}/readyz")).status_code == 200:
                        return
                await asyncio.sleep(0.05)
        self._problems.append("the server was not ready again within a minute")

    def _wake_and_look(self, *, all_of_them: bool = False) -> None:
        for name, until in list(self._asleep.items()):
            if all_of_them or time.monotonic() > until:
                self._workers[name].wake()
                del self._asleep[name]
        for name, worker in self._workers.items():
            if (code := worker.ended()) is not None:
                self._problems.append(f"{name} ended by itself with {code}: {worker.said()}")
                self._start_worker(name, self._addresses[name])
        if (code := self._stage.server.ended()) is not None:
            self._problems.append(f"the server ended by itself with {code}")
            self._stage.server.start()
        for caller in self._callers:
            self._problems += [f"{caller.name}: {error!r}" for error in caller.errors]
            caller.errors.clear()

    async def _make_peace(self) -> None:
        self._network.calm = True
        self._owner.submits = False
        self._wake_and_look(all_of_them=True)
        deadline = time.monotonic() + END_SECONDS
        while (names := self._board.open()) and time.monotonic() < deadline:
            self._say(f"no more faults, there go on: {', '.join(names)}")
            await asyncio.to_thread(lambda names=names: [self._owner.resume(name) for name in names])
            await asyncio.sleep(0.5)
            self._wake_and_look()
        self._problems += [f"the study {name} does not end" for name in self._board.open()]
        for caller in self._callers:
            caller.stopping.set()
        for caller in self._callers:
            await asyncio.to_thread(caller.join, 100)
            self._problems += [f"{caller.name} does not end"] if caller.is_alive() else []
        for name, worker in self._workers.items():
            if (code := await asyncio.to_thread(worker.leave)) != 0:
                self._problems.append(f"{name} left with {code}")

    async def _read(self) -> Final:
        server = self._stage.server
        headers = {"authorization": f"Bearer {server.token}"}
        async with httpx.AsyncClient(base_url=server.url, headers=headers, timeout=60) as http:
            there = []
            for name in self._board.asked_for:
                status = (await http.get(f"/api/v1/studies/{name}")).status_code
                there += [name] if status == 200 else []
            return await read_final(http, tuple(there))

    async def _close(self) -> None:
        for caller in self._callers:
            caller.stopping.set()
        for worker in self._workers.values():
            await asyncio.to_thread(worker.close)
        await self._network.close()
        for call in self._network.lost():
            self._keep(call)
        await asyncio.to_thread(self._stage.server.stop)


async def run(seconds: float, seed: int, say: Callable[[str], None] = lambda _: None) -> Report:
    """A run in a folder of its own, which stays, with history and log, only where something was wrong."""
    folder = Path(tempfile.mkdtemp(prefix="trialbook-test-"))
    (folder / "data").mkdir(mode=0o700)
    try:
        report = await Chaos(folder, seed, say).run(seconds)
    except BaseException as error:
        error.add_note(f"history and log: {folder}")
        raise
    if report.is_clean:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        report.problems.append(f"history and log: {folder}")
    return report
