"""What workers feel of people who look: the times of their calls, without and with many dashboards on a large study.

Workers lease, report five steps and finish, at a steady pace; each viewer does what the study's page does: it opens the
page, reads its figures and follows the study's stream, reading anew what the page would. Both phases in one run.

    python benchmarks/viewer_flood.py --seconds 20 --viewers 50 --workers 16 --stored 10000
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import statistics
import time
from collections.abc import Awaitable, Callable

import aiohttp
from sqlalchemy.engine import make_url
from throughput import SPEC, STEPS, TOKEN, fill, post, postgres, serving, statement

from service.store.migrating import migrate

PAUSE = 0.1  # seconds of work between two calls of a worker
NAME = "flood"
HEADERS = {"authorization": f"Bearer {TOKEN}"}
RESPECT = 10  # as live.js: a reading pauses for so many times as long as it took
SHOWN = 12  # curves that a page asks for


def session(server: str) -> aiohttp.ClientSession:
    """A client without a limit of its own."""
    timeout = aiohttp.ClientTimeout(total=None)
    return aiohttp.ClientSession(
        server, headers=HEADERS, timeout=timeout, connector=aiohttp.TCPConnector(limit=0), raise_for_status=True
    )


async def work(http: aiohttp.ClientSession, worker: str, times: list[float], end: float) -> None:
    """One worker: trial after trial at its pace until the time is up; `times` gets the seconds of each call."""

    async def timed(path: str, body: dict) -> dict:
        begun = time.perf_counter()
        answer = await post(http, path, body)
        times.append(time.perf_counter() - begun)
        await asyncio.sleep(PAUSE)
        return answer

    while time.perf_counter() < end:
        asked = {"request_id": f"{worker}-{time.time_ns()}", "worker": worker, "trainers": ["external"], "study": NAME}
        [lease] = (await timed("/api/v1/leases", asked))["leases"]
        base = f"/api/v1/leases/{lease['lease']}"
        for step in range(STEPS):
            metrics = {"loss": 1.0 / (step + 1), "train_loss": 0.5}
            await timed(f"{base}/reports", {"reports": [{"step": step, "metrics": metrics}]})
        await timed(f"{base}/finish", {"state": "complete", "value": 0.2})


async def phase(server: str, workers: int, seconds: float) -> list[float]:
    """The seconds of all calls of some workers in that time."""
    times: list[float] = []
    async with session(server) as http:
        end = time.perf_counter() + seconds
        await asyncio.gather(*(work(http, f"w{i}", times, end) for i in range(workers)))
    return times


def calmly(act: Callable[[], Awaitable[None]], pause: float) -> Callable[[], None]:
    """As live.js: act at most once in a while, and rarer where it takes long; the last time surely."""
    asked = asyncio.Event()

    async def run() -> None:
        while True:
            await asked.wait()
            asked.clear()
            begun = time.perf_counter()
            await act()
            took = time.perf_counter() - begun
            await asyncio.sleep(max(pause - took, RESPECT * took))

    running = asyncio.ensure_future(run())
    running.add_done_callback(lambda done: done.cancelled() or done.result())
    return asked.set


class Viewer:
    """One open page of the study."""

    def __init__(self, http: aiohttp.ClientSession, counts: dict[str, int]) -> None:
        self._http, self._counts = http, counts

    async def _get(self, what: str, path: str) -> None:
        async with self._http.get(path) as answer:
            await answer.read()
        self._counts[what] = self._counts.get(what, 0) + 1

    async def look(self) -> None:
        """Open the page and follow the study."""
        base = f"/api/v1/studies/{NAME}"
        chosen = ",".join(map(str, range(SHOWN)))
        head = lambda: self._get("page", f"/studies/{NAME}")  # noqa: E731
        table = lambda: self._get("table", f"{base}/trials?limit=100&order=-number")  # noqa: E731
        parallel = lambda: self._get("parallel", f"{base}/analysis/parallel")  # noqa: E731
        curves = lambda: self._get("curves", f"{base}/curves?trials={chosen}&metric=loss&metric=train_loss")  # noqa: E731
        history = lambda: self._get("history", f"{base}/analysis/history")  # noqa: E731
        await asyncio.gather(head(), table(), parallel(), curves(), history())
        again = [calmly(head, 0.5), calmly(table, 1.0), calmly(parallel, 2.0), calmly(curves, 1.0)]
        async with self._http.get(f"{base}/events", headers={"accept": "text/event-stream"}) as stream:
            async for chunk in stream.content.iter_any():
                if told := chunk.count(b"event: trial"):
                    self._counts["events"] = self._counts.get("events", 0) + told
                    for act in again:
                        act()


def view(server: str, viewers: int, open_, close, results) -> None:
    """All viewers, in a process of their own."""

    os.nice(10)  # they stand for people's own machines

    async def run() -> None:
        counts: dict[str, int] = {}
        async with session(server) as http:
            tasks = [asyncio.ensure_future(Viewer(http, counts).look()) for _ in range(viewers)]
            await asyncio.sleep(3.0)  # the rush at the door is over
            open_.set()
            await asyncio.to_thread(close.wait)
            failed = [task.exception() for task in tasks if task.done() and not task.cancelled()]
            results.put({**counts, "failed": repr(failed[0]) if failed else None})
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()

    asyncio.run(run())


def tell(name: str, times: list[float]) -> float:
    """One line of the table; the p99 in seconds."""
    cut = statistics.quantiles(times, n=100)
    print(
        f"{name:16} {len(times):6} calls   p50 {cut[49] * 1000:7.1f} ms   p95 {cut[94] * 1000:7.1f} ms   "
        f"p99 {cut[98] * 1000:7.1f} ms",
        flush=True,
    )
    return cut[98]


async def prepare(server: str, database: str, stored: int) -> None:
    """A study with a past."""
    async with session(server) as http:
        await http.post("/api/v1/studies", json={**SPEC, "name": NAME})
    await fill(database, NAME, stored)


def main() -> None:
    """Measure without and with viewers, and print the ratio."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=float, default=20.0)
    options.add_argument("--workers", type=int, default=16)
    options.add_argument("--viewers", type=int, default=50)
    options.add_argument("--stored", type=int, default=10_000)
    chosen = options.parse_args()
    context = multiprocessing.get_context("spawn")
    with postgres() as url:
        asyncio.run(statement(url, "create database ours"))
        own = make_url(url).set(database="ours").render_as_string(hide_password=False)
        migrate(own)
        with serving(own) as server:
            asyncio.run(prepare(server, own, chosen.stored))
            asyncio.run(phase(server, chosen.workers, 3.0))  # warm
            alone = tell("workers alone", asyncio.run(phase(server, chosen.workers, chosen.seconds)))
            open_, close, results = context.Event(), context.Event(), context.Queue()
            process = context.Process(target=view, args=(server, chosen.viewers, open_, close, results))
            process.start()
            open_.wait()
            watched = tell("with viewers", asyncio.run(phase(server, chosen.workers, chosen.seconds)))
            close.set()
            print(f"ratio of the p99 {watched / alone:.2f}; viewers: {json.dumps(results.get())}")
            process.join()


if __name__ == "__main__":
    main()
