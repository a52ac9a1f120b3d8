"""Trials per second through the whole service, beside Optuna's RDBStorage and its gRPC proxy on the same PostgreSQL.

One trial is: get it, report five steps, finish it. Ours goes over HTTP, with one POST per report and with the five
reports in one POST (what a worker does when its steps are faster than the round trip). Optuna's clients are processes
that ask, report and tell with random search; each has done a whole trial before the time begins, so that what it keeps
of the study is read. Equal numbers of clients; everything runs on this machine in one run.

    python benchmarks/throughput.py --seconds 20 --clients 4 32 --stored 0 1000 10000 100000 --peers
"""

import argparse
import asyncio
import itertools
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import asyncpg
from past import fill
from sqlalchemy.engine import make_url

from service.store.migrating import migrate
from service.store.postgres import EmbeddedPostgres

STEPS = 5
OURS, RDB, GRPC = "trialbook", "optuna RDBStorage", "optuna gRPC proxy"
EACH, BATCHED = "one POST per report", "five reports in one POST"
READY_SECONDS = 600  # that a peer's client may take to its second trial
PEERS_UP_TO = 1000  # stored trials: more would take Optuna hours to fill and to walk
TOKEN = "benchmark"
SPEC = {
    "objective": {"trainer": "external", "metric": "loss", "direction": "minimize"},
    "space": {"x": {"type": "float", "low": 0.0, "high": 1.0}, "y": {"type": "float", "low": 0.0, "high": 1.0}},
    "sampler": {"name": "random", "seed": 0},
}


@contextmanager
def postgres() -> Iterator[str]:
    """A fresh PostgreSQL for the whole run."""
    with tempfile.TemporaryDirectory(prefix="trialbook-bench-") as folder:
        server = EmbeddedPostgres(Path(folder))
        try:
            yield server.start()
        finally:
            server.stop()


@contextmanager
def serving(url: str) -> Iterator[str]:
    """Our server on this database, its log in a file as an operator's is."""
    with tempfile.TemporaryDirectory(prefix="trialbook-bench-") as folder, Path(folder, "log").open("w") as log:
        command = [sys.executable, "-m", "service", "serve", "--port", "0", "--data", folder, "--database-url", url]
        environment = {**os.environ, "TRIALBOOK_TOKEN": TOKEN}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
        try:
            yield json.loads(process.stdout.readline())["url"]
        finally:
            process.terminate()
            process.wait(20)


async def statement(url: str, text: str, *arguments: object) -> object:
    """One statement on a database."""
    dsn = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(text, *arguments)
    finally:
        await connection.close()


async def ours(server: str, database: str, *, clients: int, stored: int, batched: bool, seconds: float) -> dict:
    """Trials per second and the p99 of a lease, with this many clients for this long."""
    headers = {"authorization": f"Bearer {TOKEN}"}
    name = f"bench-{time.time_ns()}"
    async with aiohttp.ClientSession(
        server, headers=headers, connector=aiohttp.TCPConnector(limit=0), raise_for_status=True
    ) as http:
        await http.post("/api/v1/studies", json={**SPEC, "name": name})
        await fill(database, name, stored)
        waits: list[float] = []
        done, end = itertools.count(), time.perf_counter() + seconds
        await asyncio.gather(*(work(http, name, f"w{i}", batched, waits, done, end) for i in range(clients)))
        total = next(done)
        await http.delete(f"/api/v1/studies/{name}")
    p99 = statistics.quantiles(waits, n=100)[98] * 1000
    return {"trials/s": total / seconds, "p99 lease ms": p99}


async def work(
    http: aiohttp.ClientSession,
    study: str,
    worker: str,
    batched: bool,
    waits: list[float],
    done: Iterator[int],
    end: float,
) -> None:
    """One client: trial after trial until the time is up."""
    for number in itertools.count():
        begun = time.perf_counter()
        if begun >= end:
            return
        asked = {"request_id": f"{study}-{worker}-{number}", "worker": worker, "trainers": ["external"], "study": study}
        [lease] = (await post(http, "/api/v1/leases", asked))["leases"]
        waits.append(time.perf_counter() - begun)
        base = f"/api/v1/leases/{lease['lease']}"
        reports = [{"step": s, "metrics": {"loss": 1.0 / (s + 1), "train_loss": 0.5}} for s in range(STEPS)]
        for batch in [reports] if batched else [[one] for one in reports]:
            await post(http, f"{base}/reports", {"reports": batch})
        await post(http, f"{base}/finish", {"state": "complete", "value": 0.2})
        if time.perf_counter() < end:
            next(done)


async def post(http: aiohttp.ClientSession, path: str, body: dict) -> dict:
    """One call."""
    async with http.post(path, json=body) as answer:
        return await answer.json()


def storage(kind: str, where: str):
    """Optuna's storage: straight on the database, or through its proxy."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    if kind == "rdb":
        return optuna.storages.RDBStorage(where, engine_kwargs={"pool_size": 2})
    host, port = where.split(":")
    return optuna.storages.GrpcStorageProxy(host=host, port=int(port))


def optuna_client(kind: str, where: str, name: str, seed: int, ready, go, seconds: float, results) -> None:
    """One of Optuna's clients, in its own process: a trial to warm up, then as many as the time allows."""
    import optuna

    study = optuna.load_study(
        study_name=name, storage=storage(kind, where), sampler=optuna.samplers.RandomSampler(seed)
    )
    optuna_trial(study)
    ready.release()
    go.wait()
    end, done = time.perf_counter() + seconds, 0
    while time.perf_counter() < end:
        optuna_trial(study)
        done += time.perf_counter() < end
    results.put(done)


def optuna_trial(study) -> None:
    """One trial, as Optuna's users spell it."""
    trial = study.ask()
    trial.suggest_float("x", 0.0, 1.0)
    trial.suggest_float("y", 0.0, 1.0)
    for step in range(STEPS):
        trial.report(1.0 / (step + 1), step)
    study.tell(trial, 0.2)


def optunas(kind: str, where: str, *, clients: int, stored: int, seconds: float) -> float:
    """Optuna's trials per second."""
    import optuna

    name = f"bench-{kind}-{time.time_ns()}"
    study = optuna.create_study(study_name=name, storage=storage(kind, where))
    space = {n: optuna.distributions.FloatDistribution(0.0, 1.0) for n in ("x", "y")}
    past = {"values": [0.5], "params": {"x": 0.5, "y": 0.5}, "distributions": space}
    steps = dict.fromkeys(range(STEPS), 0.5)
    study.add_trials([optuna.trial.create_trial(**past, intermediate_values=steps) for _ in range(stored)])
    context = multiprocessing.get_context("spawn")
    ready, go, results = context.Semaphore(0), context.Event(), context.Queue()
    arguments = [(kind, where, name, seed, ready, go, seconds, results) for seed in range(clients)]
    processes = [context.Process(target=optuna_client, args=one, daemon=True) for one in arguments]
    for process in processes:
        process.start()
    for _ in processes:
        if not ready.acquire(timeout=READY_SECONDS):
            raise TimeoutError(f"a client of {kind} did not come through its first trial in {READY_SECONDS} s")
    go.set()
    total = sum(results.get() for _ in processes)
    for process in processes:
        process.join()
    return total / seconds


@contextmanager
def proxy(url: str) -> Iterator[str]:
    """Optuna's gRPC proxy on this database, in a process of its own."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    code = (
        "import optuna, sys; optuna.storages.run_grpc_proxy_server("
        "optuna.storages.RDBStorage(sys.argv[1]), host='127.0.0.1', port=int(sys.argv[2]))"
    )
    process = subprocess.Popen([sys.executable, "-c", code, url, str(port)], stderr=subprocess.DEVNULL)
    try:
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if process.poll() is not None:
                raise ChildProcessError(f"Optuna's proxy ended with code {process.returncode}")
            time.sleep(0.1)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


Rates = dict[tuple[str, str, int, int], float]  # trials per second by who, how, clients, stored


def measure_ours(url: str, chosen: argparse.Namespace, rates: Rates) -> None:
    """Our server on a database of its own, at each number of stored trials and clients."""
    with serving(url) as server:
        for stored, clients, how in itertools.product(chosen.stored, chosen.clients, (EACH, BATCHED)):
            found = asyncio.run(
                ours(server, url, clients=clients, stored=stored, batched=how == BATCHED, seconds=chosen.seconds)
            )
            rates[OURS, how, clients, stored] = found["trials/s"]
            show(OURS, how, clients, stored, found["trials/s"], found["p99 lease ms"])


def theirs(url: str, *, clients: int, stored: int, seconds: float) -> Iterator[tuple[str, float]]:
    """Each of Optuna's storages on this database, and its trials per second."""
    yield RDB, optunas("rdb", url, clients=clients, stored=stored, seconds=seconds)
    with proxy(url) as where:
        yield GRPC, optunas("grpc", where, clients=clients, stored=stored, seconds=seconds)


def peers_database(url: str) -> str:
    """A database of Optuna's own on this PostgreSQL."""
    asyncio.run(statement(url, "create database theirs"))
    return make_url(url).set(drivername="postgresql+psycopg", database="theirs").render_as_string(hide_password=False)


def measure_theirs(url: str, chosen: argparse.Namespace, rates: Rates) -> None:
    """Optuna's storages on the same PostgreSQL."""
    for stored, clients in itertools.product([n for n in chosen.stored if n <= PEERS_UP_TO], chosen.clients):
        for who, rate in theirs(url, clients=clients, stored=stored, seconds=chosen.seconds):
            rates[who, "", clients, stored] = rate
            show(who, "", clients, stored, rate)


def show(who: str, how: str, clients: int, stored: int, rate: float, p99: float | None = None) -> None:
    """One line of the table."""
    wait = "" if p99 is None else f"   p99 of a lease {p99:7.1f} ms"
    print(f"{who:18} {how:25} {clients:3} clients {stored:7,} stored {rate:8.1f} trials/s{wait}", flush=True)


def show_ratios(rates: Rates) -> None:
    """What the run says: against each peer at equal clients and stored trials, and against an empty study."""
    print("\nratios")
    for (who, how, clients, stored), rate in rates.items():
        if who != OURS:
            continue
        for peer in (RDB, GRPC):
            if peers := rates.get((peer, "", clients, stored)):
                print(f"{how:25} {clients:3} clients {stored:7,} stored {rate / peers:6.1f} x {peer}")
        if stored and (empty := rates.get((OURS, how, clients, 0))):
            print(f"{how:25} {clients:3} clients {stored:7,} stored {rate / empty:6.2f} x the same at 0 stored")


def main() -> None:
    """Print one line per measurement, and the ratios at the end."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=float, default=20.0)
    options.add_argument("--clients", type=int, nargs="+", default=[4, 32])
    options.add_argument("--stored", type=int, nargs="+", default=[0, 1000, 10_000, 100_000])
    options.add_argument("--peers", action="store_true", help="measure Optuna too, at up to 1,000 stored trials")
    chosen = options.parse_args()
    rates: Rates = {}
    with postgres() as url:
        asyncio.run(statement(url, "create database ours"))
        own = make_url(url).set(database="ours").render_as_string(hide_password=False)
        migrate(own)
        measure_ours(own, chosen, rates)
        if chosen.peers:
            measure_theirs(peers_database(url), chosen, rates)
    show_ratios(rates)


if __name__ == "__main__":
    main()
