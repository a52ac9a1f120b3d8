"""How long a worker waits for a model-based trial: the Gaussian process at 300 finished trials, beside Optuna's.

Workers (clients over HTTP) hold each trial for some seconds, finish it and ask for the next; the wait is from that
asking to the lease. They start one after another, within the time of a trial; with --together at one instant, so that
they finish together too, and the last of them may wait for a fit that has seen the others' results. Also counted: how
many trials were the model's own, and how many finished results each had not seen when it was handed out (the rule: at
most as many as other workers are on the study).

    python benchmarks/lease_latency.py --workers 4 --trial-seconds 5 --trials 60
"""

import argparse
import asyncio
import math
import random
import statistics
import time
from typing import Any

import aiohttp
from throughput import TOKEN, post, postgres, serving

from service.store.migrating import migrate

STORED = 300
SPACE = {
    "learning_rate": {"type": "float", "low": 1e-4, "high": 1.0, "log": True},
    "dropout": {"type": "float", "low": 0.0, "high": 0.5},
    "width": {"type": "int", "low": 16, "high": 256, "log": True},
    "hidden_layers": {"type": "int", "low": 1, "high": 4},
    "activation": {"type": "categorical", "choices": ["relu", "leaky_relu", "tanh"]},
}
SPEC = {"name": "latency", "objective": {"trainer": "external", "metric": "loss"}, "space": SPACE}


def loss(params: dict[str, Any]) -> float:
    """A valley with a few dents."""
    rate, width = math.log10(params["learning_rate"]) + 2, math.log2(params["width"]) - 6
    kind = {"relu": 0.0, "leaky_relu": 0.05, "tanh": 0.2}[params["activation"]]
    dents = 0.1 * math.sin(8 * rate) * math.cos(5 * width)
    return rate**2 + 0.1 * width**2 + (params["dropout"] - 0.2) ** 2 + 0.1 * params["hidden_layers"] + kind + dents


def drawn(chance: random.Random) -> dict[str, Any]:
    """A point of the space, at random."""
    return {
        "learning_rate": 10 ** chance.uniform(-4, 0),
        "dropout": chance.uniform(0, 0.5),
        "width": round(2 ** chance.uniform(4, 8)),
        "hidden_layers": chance.randint(1, 4),
        "activation": chance.choice(["relu", "leaky_relu", "tanh"]),
    }


async def work(
    http: aiohttp.ClientSession, worker: str, trials: int, seconds: float, begin_after: float
) -> list[float]:
    """One worker: its trials one after another, each lasting about so many seconds; its waits in seconds."""
    waits = []
    await asyncio.sleep(begin_after)
    chance = random.Random(worker)
    for number in range(trials):
        asked = {"request_id": f"{worker}-{number}", "worker": worker, "trainers": ["external"], "wait_seconds": 30}
        begun = time.perf_counter()
        [lease] = (await post(http, "/api/v1/leases", {**asked, "study": SPEC["name"]}))["leases"]
        waits.append(time.perf_counter() - begun)
        await asyncio.sleep(seconds * chance.uniform(0.9, 1.1))
        value = loss(lease["params"])
        await post(http, f"/api/v1/leases/{lease['lease']}/finish", {"state": "complete", "value": value})
    return waits


async def run(
    server: str, *, workers: int, trials: int, seconds: float, together: bool
) -> tuple[list[list[float]], list[dict[str, Any]]]:
    """Each worker's waits, and all the study's trials."""
    chance = random.Random(0)
    past = [drawn(chance) for _ in range(STORED)]
    headers = {"authorization": f"Bearer {TOKEN}"}
    async with aiohttp.ClientSession(server, headers=headers, raise_for_status=True) as http:
        await post(http, "/api/v1/studies", {**SPEC, "sampler": {"name": "gp", "seed": 0}})
        done = [{"params": params, "state": "complete", "value": loss(params)} for params in past]
        await post(http, f"/api/v1/studies/{SPEC['name']}/trials", {"trials": done})
        apart = 0.0 if together else seconds / workers
        waits = await asyncio.gather(
            *(work(http, f"w{i}", trials // workers, seconds, i * apart) for i in range(workers))
        )
        return list(waits), await everything(http)


async def everything(http: aiohttp.ClientSession) -> list[dict[str, Any]]:
    """All trials of the study."""
    items, cursor = [], None
    while True:
        query = {"limit": "100", **({"cursor": cursor} if cursor else {})}
        async with http.get(f"/api/v1/studies/{SPEC['name']}/trials", params=query) as answer:
            page = await answer.json()
        items += page["items"]
        if (cursor := page["next_cursor"]) is None:
            return items


def unseen(trials: list[dict[str, Any]]) -> list[int]:
    """Of each model's trial: how many results had come in when it was handed out that its model had not seen."""
    ended = sorted(one["finished_at"] for one in trials if one["finished_at"])
    models = [one for one in trials if one["explanation"].get("mode") == "model" and one["started_at"]]
    return [sum(at < one["started_at"] for at in ended) - one["explanation"]["seen"] for one in models]


def optuna_seconds(times: int = 5) -> float:
    """The median time that Optuna's Gaussian process thinks, at as many finished trials."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    chance = random.Random(0)
    space = {
        "learning_rate": optuna.distributions.FloatDistribution(1e-4, 1.0, log=True),
        "dropout": optuna.distributions.FloatDistribution(0.0, 0.5),
        "width": optuna.distributions.IntDistribution(16, 256, log=True),
        "hidden_layers": optuna.distributions.IntDistribution(1, 4),
        "activation": optuna.distributions.CategoricalDistribution(["relu", "leaky_relu", "tanh"]),
    }
    study = optuna.create_study(sampler=optuna.samplers.GPSampler(seed=0))
    for _ in range(STORED):
        params = drawn(chance)
        study.add_trial(optuna.trial.create_trial(params=params, distributions=space, value=loss(params)))
    spent = []
    for _ in range(times):
        begun = time.perf_counter()
        trial = study.ask(space)
        spent.append(time.perf_counter() - begun)
        study.tell(trial, loss(trial.params))
    return statistics.median(spent)


def main() -> None:
    """Run, and print what was seen."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--workers", type=int, default=4)
    options.add_argument("--trials", type=int, default=60)
    options.add_argument("--trial-seconds", type=float, default=5.0)
    options.add_argument("--together", action="store_true", help="start all workers at one instant")
    options.add_argument("--peer", action="store_true", help="time Optuna's GPSampler too (needs torch)")
    chosen = options.parse_args()
    with postgres() as url:
        migrate(url)
        with serving(url) as server:
            waits, trials = asyncio.run(
                run(
                    server,
                    workers=chosen.workers,
                    trials=chosen.trials,
                    seconds=chosen.trial_seconds,
                    together=chosen.together,
                )
            )
    own = [one for one in trials if one["number"] >= STORED and one["started_at"]]
    modes = [one["explanation"].get("mode") for one in own]
    missed = unseen(trials)
    first, later = [one[0] for one in waits], [wait for one in waits for wait in one[1:]]
    p50, p99 = statistics.median(later), statistics.quantiles(later, n=100, method="inclusive")[98]
    print(f"{len(own)} trials, {chosen.workers} workers, {chosen.trial_seconds} s each, {STORED} finished before")
    print(f"lease: p50 {p50 * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms, longest {max(later) * 1000:.1f} ms")
    print(f"each worker's first, which waits for the suggester to load and fit: at most {max(first) * 1000:.0f} ms")
    print(f"the model's own: {modes.count('model') / len(own):.1%}")
    print(f"finished results unseen at most: {max(missed)} (the rule: {chosen.workers - 1})")
    if chosen.peer:
        theirs = optuna_seconds()
        print(f"Optuna's GPSampler thinks {theirs * 1000:.0f} ms at {STORED} trials: {theirs / p50:.0f} x our wait")


if __name__ == "__main__":
    main()
