"""What the service bears: simulated workers on studies with much or little behind them, and what that costs.

A trial is: get it, hold it so long, report five steps, finish it. Told are trials per second, the time of each call,
and the processors' seconds that servers and PostgreSQL took for a thousand trials, in one run on one machine.

    python benchmarks/load.py --workers 32 --stored 0 1000000
    python benchmarks/load.py --workers 256 --hold 30 --seconds 90
    python benchmarks/load.py --workers 32 --servers 1 2
    python benchmarks/load.py --workers 32 --stored 100000 --studies 1000
    python benchmarks/load.py --workers 32 --leases 10000      # besides, so many trials run elsewhere
    python benchmarks/load.py --workers 32 --stored 1000 --batched --seconds 20 --peers   # and Optuna's storages

With --json all figures are kept, those of earlier runs before them; --picture draws what is kept, and --told only that.
"""

import argparse
import asyncio
import itertools
import json
import re
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import psutil
from past import STEPS, fill
from throughput import PEERS_UP_TO, SPEC, TOKEN, peers_database, post, postgres, serving, statement, theirs

from service.store.migrating import migrate

OPERATIONS = ("lease", "report", "finish")
REACH = 10_000  # workers that are reckoned with
WARM_SECONDS = 5.0  # of servers that have just started, before anything is measured
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

    since: float  # once each worker has held a trial
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
        seen.trials += seen.since <= time.perf_counter() < seen.until


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
        since, servers = time.perf_counter() + 2 * case.hold, itertools.cycle(sessions)
        seen = Seen(since, since + case.seconds)
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


def show_peers(url: str, chosen: argparse.Namespace, found: list[dict]) -> None:
    """Optuna's storages with as many clients and stored trials as ours had without a pause, and how many times as
    much ours did."""
    database = peers_database(url)
    for one in found:
        if one["hold"] or one["studies"] > 1 or one["leases"] or one["stored"] > PEERS_UP_TO:
            continue
        one["peers"] = {}
        for who, rate in theirs(database, clients=one["workers"], stored=one["stored"], seconds=chosen.seconds):
            one["peers"][who] = rate
            ratio = f"ours {one['trials_per_second'] / rate:.1f} times as much" if rate else "none within the time"
            print(
                f"{one['workers']:4} clients {who:20} {one['stored']:7,} stored {rate:7.2f} trials/s  {ratio}",
                flush=True,
            )


def draw(found: list[dict], path: Path) -> None:
    """Trials per second and seconds of processor, by stored trials where nobody pauses and by workers that hold their
    trials; what is only reckoned is dashed."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 6.5), layout="constrained")
    (rate_stored, rate_workers), (cpu_stored, cpu_workers) = figure.subplots(2, 2, sharey="row")
    for batched, label in ((False, "one POST per report"), (True, "five reports in one POST")):
        some = [one for one in found if not one["hold"] and one["batched"] == batched]
        line = draw_medians(rate_stored, some, lambda one: one["trials_per_second"], label=label)
        draw_medians(cpu_stored, some, cpu, label=label, color=line.get_color())
    held = sorted((one for one in found if one["hold"]), key=by("workers"))
    if held:
        hold, most, last = held[-1]["hold"], REACH, held[-1]
        workers, reached = [one["workers"] for one in held], [last["workers"], most]
        [line] = rate_workers.plot(workers, [one["trials_per_second"] for one in held], "o-", label=f"held {hold:g} s")
        rates = [last["trials_per_second"] * n / last["workers"] for n in reached]
        look = {"linestyle": "--", "color": line.get_color(), "alpha": 0.6}
        rate_workers.plot(reached, rates, **look, label="reckoned, on so many more cores")
        cpu_workers.plot(workers, [cpu(one) for one in held], "o-", color=line.get_color(), label=f"held {hold:g} s")
        cpu_workers.plot(reached, [cpu(last)] * 2, **look, label="reckoned: as much for each trial")
    rate_stored.set(ylabel="trials per second", yscale="log")
    cpu_stored.set(ylabel="seconds of processor for 1,000 trials", yscale="log", xlabel="stored trials (0 stands at 1)")
    cpu_workers.set(xlabel="workers")
    for axes in (rate_stored, rate_workers, cpu_stored, cpu_workers):
        axes.set(xscale="log")
        axes.grid(alpha=0.3)
        axes.legend(loc="best")
    figure.savefig(path, metadata={"Date": None})


def draw_medians(axes: Any, found: list[dict], of: Callable[[dict], float], **look: Any) -> Any:
    """A line through the medians by stored trials, and a dot for each measurement; told is the line."""
    groups: dict[int, list[float]] = {}
    for one in sorted(found, key=by("stored")):
        groups.setdefault(max(1, one["stored"]), []).append(of(one))
    [line] = axes.plot(list(groups), [statistics.median(some) for some in groups.values()], "-", **look)
    for stored, some in groups.items():
        axes.plot([stored] * len(some), some, "o", color=line.get_color(), markersize=4)
    return line


def by(name: str) -> Callable[[dict], float]:
    """The order of measurements along one axis."""
    return lambda one: one[name]


def cpu(one: dict) -> float:
    """Seconds of processor for a thousand trials, of servers and PostgreSQL together."""
    return sum(one["cpu_seconds_per_1000_trials"].values())


def main() -> None:
    """Print one line per case; with --json keep all figures."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("workers", 32), ("servers", 1), ("stored", 0), ("studies", 1), ("leases", 0)):
        options.add_argument(f"--{name}", type=int, nargs="+", default=[default])
    options.add_argument("--hold", type=float, default=0.0, help="seconds that a worker holds each trial")
    options.add_argument("--seconds", type=float, default=10.0, help="of each measurement")
    options.add_argument("--batched", action="store_true", help="the five reports in one POST")
    options.add_argument("--sizes", action="store_true", help="only tell how many bytes a trial takes")
    options.add_argument("--peers", action="store_true", help="measure Optuna too, at up to 1,000 stored trials")
    options.add_argument("--json", type=Path, help="add all figures to this file")
    options.add_argument("--picture", type=Path, help="an SVG of the figures, those in the file among them")
    options.add_argument("--told", action="store_true", help="measure nothing, draw what was kept")
    chosen = options.parse_args()
    kept = json.loads(chosen.json.read_text()) if chosen.json and chosen.json.exists() else []
    found = kept + ([] if chosen.told else run(chosen))
    if chosen.json:
        chosen.json.write_text(json.dumps(found, indent=1))
    if chosen.picture:
        draw(found, chosen.picture)


def run(chosen: argparse.Namespace) -> list[dict]:
    """All cases that were asked for."""
    found: list[dict] = []
    with postgres() as url, ExitStack() as stack:
        migrate(url)
        urls = [stack.enter_context(serving(url)) for _ in range(max(chosen.servers))]
        if chosen.sizes:
            print("bytes per trial:", asyncio.run(sizes(urls[0], url)))
            return found
        warm = Case(
            workers=16, stored=0, studies=1, servers=len(urls), leases=0, hold=0.0, batched=False, seconds=WARM_SECONDS
        )
        asyncio.run(measure(warm, urls, url))
        for stored, studies, leases, servers, workers in itertools.product(
            chosen.stored, chosen.studies, chosen.leases, chosen.servers, chosen.workers
        ):
            case = Case(workers, stored, studies, servers, leases, chosen.hold, chosen.batched, chosen.seconds)
            found.append(asyncio.run(measure(case, urls[:servers], url)))
            show(found[-1])
        if chosen.peers:
            show_peers(url, chosen, found)
    return found


if __name__ == "__main__":
    main()
