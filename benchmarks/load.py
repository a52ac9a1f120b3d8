"""What the service bears: simulated workers on studies with much or little behind them, and what that costs.

A trial is: get it, hold it so long, report five steps, finish it. Told are trials per second, the time of each call,
and the processors' seconds that servers and PostgreSQL took for a thousand trials, in one run on one machine.

    python benchmarks/load.py --workers 32 --stored 0 1000000
    python benchmarks/load.py --workers 256 --hold 30 --seconds 90
    python benchmarks/load.py --workers 32 --servers 1 2
    python benchmarks/load.py --workers 32 --stored 100000 --studies 1000
    python benchmarks/load.py --workers 32 --leases 10000      # besides, so many trials run elsewhere

Optuna's storages on the same machine: benchmarks/throughput.py --peers.
"""

import argparse
import asyncio
import itertools
import json
import re
import statistics
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import psutil
from past import STEPS, fill
from throughput import SPEC, TOKEN, post, postgres, serving, statement

from service.store.migrating import migrate

OPERATIONS = ("lease", "report", "finish")
# Trials that other workers run: their leases are looked at by whoever asks for one.
RUNNING = """
    with study as (
        update studies set made = made + $2::int, counted = counted + $2::int where name = $1
        returning id, made - $2::int as first
    )
    insert into trials (study_id, number, state, source, params, attempt, worker, lease_until, started_at)
    select id, first + n, 'running', 'sampler', '{"x": 0.5, "y": 0.5}', 1, 'elsewhere-' || n, now() + interval '1 h',
        now()
    from study, generate_series(0, $2::int - 1) n
"""
POSTMASTER = "select split_part(pg_read_file('postmaster.pid'), chr(10), 1)::int"


@dataclass
class Seen:
    """What the workers saw within the time that is measured."""

    until: float
    trials: int = 0
    seconds: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in OPERATIONS})


@dataclass(frozen=True)
class Case:
    """One measurement."""

    workers: int
    stored: int
    studies: int
    servers: int
    leases: int
    hold: float
    batched: bool
    seconds: float


async def cpu_seconds(sessions: list[aiohttp.ClientSession], database: str) -> dict[str, float]:
    """What the processors have done so far for the servers, and for PostgreSQL with all its processes."""
    servers = 0.0
    for session in sessions:
        async with session.get("/metrics") as answer:
            servers += float(re.search(r"^process_cpu_seconds_total (\S+)", await answer.text(), re.MULTILINE)[1])
    postmaster = psutil.Process(await statement(database, POSTMASTER))
    times = postmaster.cpu_times()
    total = times.user + times.system + times.children_user + times.children_system  # the children that have ended
    for child in postmaster.children():
        with suppress(psutil.NoSuchProcess):
            total += sum(child.cpu_times()[:2])
    return {"servers": servers, "postgres": total}


async def timed(seen: Seen, operation: str, http: aiohttp.ClientSession, path: str, body: dict) -> dict:
    """One call, and how long it took."""
    begun = time.perf_counter()
    answer = await post(http, path, body)
    seen.seconds[operation].append(time.perf_counter() - begun)
    return answer


async def worker(case: Case, seen: Seen, servers: Iterator[aiohttp.ClientSession], study: str, n: int) -> None:
    """Trial after trial, each call to the next server, until the time is up."""
    name = f"w{n}"
    await asyncio.sleep(case.hold * n / case.workers)  # workers are never all at the same place
    for number in itertools.count():
        if time.perf_counter() >= seen.until:
            return
        asked = {"request_id": f"{study}-{name}-{number}", "worker": name, "trainers": ["external"], "study": study}
        [lease] = (await timed(seen, "lease", next(servers), "/api/v1/leases", asked))["leases"]
        base = f"/api/v1/leases/{lease['lease']}"
        reports = [{"step": s, "metrics": {"loss": 1.0 / (s + 1), "train_loss": 0.5}} for s in range(STEPS)]
        for batch in [reports] if case.batched else [[one] for one in reports]:
            await asyncio.sleep(case.hold / STEPS)
            await timed(seen, "report", next(servers), f"{base}/reports", {"reports": batch})
        await timed(seen, "finish", next(servers), f"{base}/finish", {"state": "complete", "value": 0.2})
        seen.trials += time.perf_counter() < seen.until


async def measure(case: Case, urls: list[str], database: str) -> dict:
    """One case on servers that run."""
    names = [f"load-{time.time_ns()}-{n}" for n in range(case.studies)]
    async with AsyncExitStack() as stack:
        sessions = [await stack.enter_async_context(session(url)) for url in urls]
        for name in names:
            await post(sessions[0], "/api/v1/studies", {**SPEC, "name": name})
            await fill(database, name, case.stored // case.studies, vacuum=name == names[-1])
        await statement(database, RUNNING, names[0], case.leases)
        before = await cpu_seconds(sessions, database)
        seen, servers = Seen(time.perf_counter() + case.seconds), itertools.cycle(sessions)
        workers = [worker(case, seen, servers, names[n % case.studies], n) for n in range(case.workers)]
        await asyncio.gather(*workers)
        after = await cpu_seconds(sessions, database)
    done = max(1, len(seen.seconds["finish"]))
    return {
        **vars(case),
        "trials_per_second": seen.trials / case.seconds,
        "cpu_seconds_per_1000_trials": {who: 1000 * (after[who] - before[who]) / done for who in after},
        "milliseconds": {name: percentiles(found) for name, found in seen.seconds.items()},
    }


async def sizes(url: str, database: str, *, trials: int = 1000) -> dict[str, int]:
    """Bytes that a finished trial of 100 steps and four metrics takes in each table, its indexes among them."""
    async with session(url) as http:
        await post(http, "/api/v1/studies", {**SPEC, "name": "sizes"})
    await fill(database, "sizes", trials, steps=100, metrics=("loss", "train_loss", "train_error", "val_error"))
    found = {}
    for table in ("trials", "reports", "attempts", "events"):
        found[table] = await statement(database, f"select pg_total_relation_size('{table}')") // trials
    return found


def session(url: str) -> aiohttp.ClientSession:
    """Connections to one server, as many as there are workers."""
    headers = {"authorization": f"Bearer {TOKEN}"}
    connector = aiohttp.TCPConnector(limit=0)
    return aiohttp.ClientSession(url, headers=headers, connector=connector, raise_for_status=True)


def percentiles(seconds: list[float]) -> dict[str, float]:
    """In milliseconds."""
    found = statistics.quantiles(seconds, n=100, method="inclusive") if len(seconds) > 1 else [0.0] * 99
    return {"p50": 1000 * found[49], "p99": 1000 * found[98]}


def show(found: dict) -> None:
    """One line of the table."""
    cpu = found["cpu_seconds_per_1000_trials"]
    times = "  ".join(f"{name} {ms['p50']:.0f}/{ms['p99']:.0f}" for name, ms in found["milliseconds"].items())
    print(
        f"{found['workers']:4} workers {found['servers']} servers {found['stored']:9,} stored "
        f"{found['studies']:4} studies {found['leases']:6,} leases {found['trials_per_second']:7.1f} trials/s   "
        f"CPU s per 1,000: servers {cpu['servers']:.1f} PostgreSQL {cpu['postgres']:.1f}   ms p50/p99: {times}",
        flush=True,
    )


def main() -> None:
    """Print one line per case; with --json keep all figures."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("workers", 32), ("servers", 1), ("stored", 0), ("studies", 1), ("leases", 0)):
        options.add_argument(f"--{name}", type=int, nargs="+", default=[default])
    options.add_argument("--hold", type=float, default=0.0, help="seconds that a worker holds each trial")
    options.add_argument("--seconds", type=float, default=10.0, help="of each measurement")
    options.add_argument("--batched", action="store_true", help="the five reports in one POST")
    options.add_argument("--sizes", action="store_true", help="only tell how many bytes a trial takes")
    options.add_argument("--json", type=Path, help="write all figures to this file")
    chosen = options.parse_args()
    found = []
    with postgres() as url, ExitStack() as stack:
        migrate(url)
        urls = [stack.enter_context(serving(url)) for _ in range(max(chosen.servers))]
        if chosen.sizes:
            print("bytes per trial:", asyncio.run(sizes(urls[0], url)))
            return
        for stored, studies, leases, servers, workers in itertools.product(
            chosen.stored, chosen.studies, chosen.leases, chosen.servers, chosen.workers
        ):
            case = Case(workers, stored, studies, servers, leases, chosen.hold, chosen.batched, chosen.seconds)
            found.append(asyncio.run(measure(case, urls[:servers], url)))
            show(found[-1])
    if chosen.json:
        chosen.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
