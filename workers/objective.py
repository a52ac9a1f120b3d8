"""A book trainer's trial, from lease to value: the data, the learner, its epochs. The only module that loads models."""

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from models.datasets import Dataset, Split, from_text, load, load_arrays, load_table, split
from models.families import build
from models.learner import EarlyStopping, Epoch
from models.saved import read, unfitted
from models.training import Learner
from trialbook.evaluation import Evaluation
from trialbook.outcomes import TrialFailed, TrialPruned
from trialbook.wire import Lease
from workers.result import keep_model
from workers.trial import Trial

PINNED = ("media_type", "task", "target")  # what of a lease's data says how its file is read
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
        try:
            _train(trial, lease, learner, epochs)
        except TrialPruned:
            _keep(trial, lease, learner, parts)
            raise
    except ValueError as error:
        raise TrialFailed(str(error), retry=False) from error
    return _keep(trial, lease, learner, parts).metrics[str(lease.objective.metric)]


def evaluate(asked: Evaluation, uploaded: Path | None, folder: Path) -> tuple[dict[str, float], int]:
    """Measure the model in the folder on the untouched test part: the metrics, and of how many examples they are.

    Raises ValueError for a model or data that do not fit.
    """
    description, parameters = read(folder)
    if (description.trainer, description.split_seed) != (asked.objective.trainer, SPLIT_SEED):
        raise ValueError(f"the model is of {description.trainer}, split by {description.split_seed}")
    parts = _split(_read(asked, uploaded), asked.folds)
    learner = unfitted(description)
    learner.restore(parts, parameters)
    return learner.measure_test(), len(parts.test)


def _train(trial: Trial, lease: Lease, learner: Learner, epochs: Iterator[Epoch]) -> None:
    """Report each epoch, and save a checkpoint where it is time for one."""
    for epoch in epochs:
        trial.attributes["epochs"] = epoch.step + 1
        _require_metric(lease, epoch)
        trial.report(epoch.step, **epoch.metrics)
        if trial.is_save_due():
            trial.save(epoch.step, learner.state())


def _read(lease: Lease | Evaluation, uploaded: Path | None) -> Dataset:
    if uploaded is not None and lease.data is not None:
        return replace(_load_file(uploaded, **{key: lease.data.get(key) for key in PINNED}), name=lease.data["name"])
    if lease.objective.data is None:
        raise ValueError(f"the objective names no data set, and {lease.objective.trainer} needs one")
    return _load(lease.objective.data)


# Kept between the trials of one process: a study's trials mostly share their data.
_load = lru_cache(maxsize=4)(load)


@lru_cache(maxsize=2)
def _load_file(path: Path, media_type: str, task: Any, target: str | None) -> Dataset:  # Any: a models.catalog.Task
    if media_type == "application/x-npz":
        return load_arrays(path, task=task)
    if media_type == "text/plain":
        return from_text(path.stem, path.read_text("utf-8-sig"))
    if not target or not task:
        raise ValueError("the table needs a target column and a task to be learned from")
    return load_table(path, target=target, task=task)


@lru_cache(maxsize=2)
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


def _keep(trial: Trial, lease: Lease, learner: Learner, parts: Split) -> Epoch:
    """Store the model of the best epoch, which may be later than the last report of a pruned trial; that epoch.

    In lockstep, the number of parameters is one of the learners'.
    """
    best = learner.best
    if best is None:
        raise TrialFailed(f"{lease.objective.trainer} trained no epoch", retry=False)
    keep_model(trial, lease, learner, parts, SPLIT_SEED)
    members = lease.seeds * max(1, len(parts.folds))
    parameters = sum(tensor.numel() for tensor in learner.parameters().values()) // members
    trial.attributes |= {"best_step": best.step, "parameters": parameters}
    return best
