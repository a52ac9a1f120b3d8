"""A book trainer's trial, from lease to value: the data, the learner, its epochs. The only module that loads models."""

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from models.datasets import Dataset, Split, load, load_table, split
from models.families import build
from models.learner import EarlyStopping, Epoch
from models.training import Learner
from trialbook.outcomes import TrialFailed
from trialbook.wire import Lease
from workers.trial import Trial

SPLIT_SEED = 0  # all trials of all studies on a data set share its parts, so that their values compare


def use_threads(count: int) -> None:
    """Let torch train with so many threads."""
    torch.set_num_threads(count)
    torch.set_num_interop_threads(1)


def train(trial: Trial, lease: Lease) -> float:
    """Train a book model and report its epochs; the value is the objective's metric at the epoch that is kept: the
    best under early stopping, else the last.

    Raises TrialFailed without retry for data, parameters or a metric that do not fit: another attempt would fail alike.
    """
    try:
        parts = _split(_read(lease, trial.data), lease.folds)
        learner, epochs = _begin(trial, lease, parts)
        for epoch in epochs:
            trial.attributes["epochs"] = epoch.step + 1
            _require_metric(lease, epoch)
            trial.report(epoch.step, **epoch.metrics)
            if trial.is_save_due():
                trial.save(epoch.step, learner.state())
    except ValueError as error:
        raise TrialFailed(str(error), retry=False) from error
    best = learner.best
    if best is None:
        raise TrialFailed(f"{lease.objective.trainer} trained no epoch", retry=False)
    trial.attributes |= _describe(learner, best, lease, parts)
    return best.metrics[str(lease.objective.metric)]


def _read(lease: Lease, uploaded: Path | None) -> Dataset:
    if uploaded is not None and lease.data is not None:
        name, target, task = (lease.data.get(key) for key in ("name", "target", "task"))
        if not target or not task:
            raise ValueError(f"the data set {name!r} needs a target column and a task to be learned from")
        return replace(_load_table(uploaded, target, task), name=str(name))
    if lease.objective.data is None:
        raise ValueError(f"the objective names no data set, and {lease.objective.trainer} needs one")
    return _load(lease.objective.data)


# Kept between the trials of one process: a study's trials mostly share their data.
_load = lru_cache(maxsize=4)(load)


@lru_cache(maxsize=2)
def _load_table(path: Path, target: str, task: Any) -> Dataset:  # Any: a models.catalog.Task, checked by the server
    return load_table(path, target=target, task=task)


def _split(dataset: Dataset, folds: int) -> Split:
    return split(dataset, SPLIT_SEED, folds=folds)


def _begin(trial: Trial, lease: Lease, parts: Split) -> tuple[Learner, Iterator[Epoch]]:
    """The learner and its epochs, from the checkpoint on if there is one that fits."""
    saved = trial.load()
    if saved is not None:
        try:
            learner = _build(trial, lease)
            epochs = learner.fit(parts, early_stopping=_stopping(lease), resume=saved)
            return learner, _chain(next(epochs, None), epochs)
        except ValueError as error:
            trial.note(f"training starts from the beginning: {error}")
    learner = _build(trial, lease)
    return learner, learner.fit(parts, early_stopping=_stopping(lease))


def _chain(first: Epoch | None, rest: Iterator[Epoch]) -> Iterator[Epoch]:
    if first is not None:
        yield first
        yield from rest


def _build(trial: Trial, lease: Lease) -> Learner:
    return build(lease.objective.trainer, trial.params, seed=trial.seed, seeds=lease.seeds)


def _stopping(lease: Lease) -> EarlyStopping | None:
    if (wanted := lease.early_stopping) is None:
        return None
    return EarlyStopping(str(lease.objective.metric), lease.direction, wanted.patience, wanted.min_delta)


def _require_metric(lease: Lease, epoch: Epoch) -> None:
    if lease.objective.metric not in epoch.metrics:
        names = ", ".join(epoch.metrics)
        raise ValueError(f"{lease.objective.trainer} reports {names}, but no {lease.objective.metric!r}")


def _describe(learner: Learner, best: Epoch, lease: Lease, parts: Split) -> dict[str, Any]:  # Any: JSON
    """What is stored with the result; in lockstep, the parameters of one of the learners."""
    members = lease.seeds * max(1, len(parts.folds))
    parameters = sum(tensor.numel() for tensor in learner.parameters().values()) // members
    return {"best_step": best.step, "parameters": parameters}
