"""Every trainer's default study through the whole service, beside the trivial baseline on the same validation part.

A server on a database of its own and a worker with two processes; for each trainer `trialbook submit --trainer NAME`
as a user would, or the studies of the files given. The baseline knows the training part's targets and no input: the
most frequent class, the mean, each token's share. The last column is the best trial on the untouched test part.

    python benchmarks/book_models.py --trials 20                     # a table in Markdown
    python benchmarks/book_models.py --trials 2 --trainers cnn rnn
    python benchmarks/book_models.py --files examples/mnist1d-*.yaml
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
import yaml
from torch import Tensor

from models.catalog import TRAINERS
from models.datasets import END, IGNORED, Split, load, split
from models.word2vec import MEASURED_NOISE
from trialbook import Client, wire
from trialbook.starting import starting_spec

PAUSE = 0.5  # seconds between looks at a study
LONGEST = 3600.0  # seconds for one study


@contextmanager
def running(processes: int) -> Iterator[Client]:
    """A server and a worker, until the end."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("TRIALBOOK_")}
    with tempfile.TemporaryDirectory(prefix="trialbook-bench-") as folder, Path(folder, "log").open("w") as log:
        serve = [sys.executable, "-m", "service", "serve", "--port", "0", "--data", folder]
        server = subprocess.Popen(serve, stdout=subprocess.PIPE, stderr=log, text=True, env=own)
        assert server.stdout is not None
        ready = json.loads(server.stdout.readline())
        there = {**own, "TRIALBOOK_URL": ready["url"], "TRIALBOOK_TOKEN": ready["token"]}
        work = [sys.executable, "-m", "workers", "--processes", str(processes), "--cache", f"{folder}/cache"]
        worker = subprocess.Popen(work, stdout=log, stderr=log, env=there)
        try:
            with Client(ready["url"], ready["token"]) as client:
                yield client
        finally:
            for process in (worker, server):
                process.terminate()
                process.wait(60)


def run(client: Client, spec: dict) -> tuple[wire.Study, float]:
    """The study at its end, its test number included, and how many seconds it took."""
    begun = time.monotonic()
    name = client.create_study(spec).name
    while (study := client.get_study(name)).state != "completed":
        if time.monotonic() - begun > LONGEST:
            client.cancel_study(name)
            raise SystemExit(f"{name} did not end within {LONGEST:g} s: {study.counts}")
        time.sleep(PAUSE)
    took = time.monotonic() - begun
    while study.best is not None and not tested(client, study) and time.monotonic() - begun < took + 120:
        time.sleep(PAUSE)
    return study, took


def tested(client: Client, study: wire.Study) -> dict[str, float]:
    """What the best trial reached on the test part."""
    assert study.best is not None
    attributes = client.get_trial(study.name, study.best.number).attributes
    return {name: value for name, value in attributes.items() if name.startswith("test_") and isinstance(value, float)}


def baseline(metric: str, parts: Split) -> float:
    """What the metric is for a model that knows the training part's targets and looks at no input; nan for none."""
    name, task = metric.removeprefix("val_"), parts.schema.task
    train, held = parts.train.y, parts.validation.y
    if task == "regression":
        squared, absolute = (held - train.mean()).square().mean().item(), (held - train.median()).abs().mean().item()
        return {"mse": squared, "loss": squared / parts.schema.target_deviation**2, "mae": absolute, "r2": 0.0}.get(
            name, math.nan
        )
    if name == "mrr":  # the mean of 1 / place, all places being as likely
        return sum(1 / place for place in range(1, MEASURED_NOISE + 2)) / (MEASURED_NOISE + 1)
    if task == "language":
        return unigram(name, parts.train.x[:, 1:], parts.validation.x[:, 1:], len(parts.schema.source))
    if name == "loss" and task in ("classification", "multitask"):
        columns = zip(train.reshape(len(train), -1).T, held.reshape(len(held), -1).T, strict=True)
        losses = [surprise(*column) for column in columns]
        return sum(losses) / len(losses)
    if task == "multitask":
        right = torch.tensor([share(train[:, head], held[:, head]) for head in range(train.shape[1])]).mean().item()
    elif task == "seq2seq":
        rows, counts = train.unique(dim=0, return_counts=True)
        right = (held == rows[counts.argmax()]).all(dim=1).double().mean().item()
        if name.startswith("token"):
            counted = (held == END).cumsum(dim=1) <= 1
            right = share(train[(train == END).cumsum(dim=1) <= 1], held[counted])
    else:
        right = share(train.flatten(), held.flatten())
    return {"error": 1.0 - right, "accuracy": right}.get(name.rpartition("_")[2], math.nan)


def share(train: Tensor, held: Tensor) -> float:
    """How much of what is held out is the training part's most frequent value."""
    frequent = train[train != IGNORED].bincount().argmax()
    return (held[held != IGNORED] == frequent).double().mean().item()


def surprise(train: Tensor, held: Tensor) -> float:
    """The mean negative log-likelihood of what is held out under the training part's shares."""
    counts = train[train != IGNORED].bincount().double()
    return -(counts / counts.sum()).log()[held[held != IGNORED]].mean().item()


def unigram(name: str, train: Tensor, held: Tensor, words: int) -> float:
    """Each word by its share of the training part, one occurrence more for each."""
    counts = train.flatten().bincount(minlength=words).double() + 1.0
    loss = -(counts / counts.sum()).log()[held.flatten()].mean().item()
    return {"loss": loss, "perplexity": math.exp(loss), "accuracy": share(train.flatten(), held.flatten())}.get(
        name, math.nan
    )


def shown(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.4g}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, help="else 20, or what the files say")
    parser.add_argument("--trainers", nargs="*", default=list(TRAINERS))
    parser.add_argument("--files", nargs="*", type=Path, default=[])
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    print("| study | trainer | data | metric | trivial | best | on the test part | trials | seconds |")
    print("|---|---|---|---|---|---|---|---|---|")
    worse = 0
    with running(arguments.processes) as client:
        known = {one["name"]: one for one in client.list_trainers()}
        budget = {"budget": {"n_trials": arguments.trials or 20}}
        specs = [starting_spec(known[name], None, **budget).model_dump(mode="json") for name in arguments.trainers]
        if arguments.files:
            specs = [yaml.safe_load(file.read_text()) for file in arguments.files]
        for spec in specs:
            if arguments.trials:
                spec["budget"] = {"n_trials": arguments.trials}
            study, seconds = run(client, spec)
            objective = study.spec["objective"]
            trivial = baseline(objective["metric"], split(load(objective["data"]), 0))
            best = math.nan if study.best is None else float(study.best.value)
            better = (best < trivial) if objective["direction"] == "minimize" else (best > trivial)
            worse += not better
            on_test = {} if study.best is None else tested(client, study)
            same = on_test.get(objective["metric"].replace("val_", "test_"), math.nan)
            counts = ", ".join(f"{n} {state}" for state, n in study.counts.items() if n)
            print(
                f"| {study.name} | `{objective['trainer']}` | {objective['data']} | {objective['metric']} "
                f"| {shown(trivial)} | {shown(best)} | {shown(same)} | {counts} | {seconds:.0f} |",
                flush=True,
            )
    return int(worse > 0)


if __name__ == "__main__":
    sys.exit(main())
