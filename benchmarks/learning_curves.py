"""Real learning curves: the book's trainers at random points of the spaces that users would search, trained to the end.

Made once and kept in a file of the temporary folder; the same for each run, since seeds are the trials' numbers.
"""

import json
import tempfile
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from models.datasets import load, split
from models.families import build
from service.search.random import point
from trialbook.space import Space

KEPT = Path(tempfile.gettempdir()) / "trialbook-learning-curves"
METRIC = "val_error"


@dataclass(frozen=True)
class Task:
    """A trainer on a data set, how long it trains, and what is searched."""

    trainer: str
    data: str
    epochs: int
    fixed: Mapping[str, Any]  # Any: a parameter's value
    space: Mapping[str, Any]  # Any: JSON


def log(low: float, high: float) -> dict[str, Any]:
    return {"type": "float", "low": low, "high": high, "log": True}


NET = {
    "learning_rate": log(1e-4, 1.0),
    "hidden_layers": {"type": "int", "low": 1, "high": 4},
    "width": {"type": "int", "low": 16, "high": 256, "log": True},
    "activation": {"type": "categorical", "choices": ["relu", "leaky_relu", "tanh"]},
    "dropout": {"type": "float", "low": 0.0, "high": 0.5},
    "optimizer": {"type": "categorical", "choices": ["sgd", "adam"]},
    "momentum": {"type": "float", "low": 0.0, "high": 0.99, "when": {"optimizer": ["sgd"]}},
}
LINE = {
    "learning_rate": log(1e-4, 1.0),
    "weight_decay": log(1e-6, 1e-1),
    "optimizer": {"type": "categorical", "choices": ["sgd", "adam"]},
}
TASKS = {
    "mlp on digits": Task("mlp", "digits", 64, {"batch_size": 64}, NET),
    "mlp on mnist1d": Task("mlp", "mnist1d", 64, {"batch_size": 64}, NET),
    "logistic on digits": Task("logistic", "digits", 64, {"batch_size": 64}, LINE),
    "cnn on digits": Task(
        "cnn",
        "digits",
        64,
        {"batch_size": 64, "filters": 8, "fc_width": 32},
        {"learning_rate": log(1e-4, 1.0), "optimizer": {"type": "categorical", "choices": ["sgd", "adam"]}},
    ),
}


def curves(name: str, count: int, processes: int) -> list[list[float]]:
    """The validation error after each epoch, of each of so many random points."""
    kept = KEPT / f"{name.replace(' ', '-')}.json"
    found: list[list[float]] = json.loads(kept.read_text()) if kept.exists() else []
    if len(found) < count:
        with ProcessPoolExecutor(processes) as pool:
            found += pool.map(partial(curve, name), range(len(found), count))
        KEPT.mkdir(exist_ok=True)
        kept.write_text(json.dumps(found))
    return found[:count]


def curve(name: str, number: int) -> list[float]:
    """One trial's validation error after each of its epochs."""
    torch.set_num_threads(1)
    task = TASKS[name]
    params = {**task.fixed, "epochs": task.epochs, **point(Space.model_validate(task.space), 0, number)}
    learner = build(task.trainer, params, seed=number)
    return [epoch.metrics[METRIC] for epoch in learner.fit(split(load(task.data), 0), early_stopping=None)]
