"""How pages say things that the command line does not: what a sampler thought, how a trial stands. Pure."""

import json
import shlex
from collections.abc import Mapping
from typing import Any

from trialbook.wire import Study, Trial
from trialbook.words import (
    SHAPES,
    count,
    duration,
    finished,
    limits,
    lost_by_cancel,
    shown,
    shown_param,
    spared,
    tested,
    time_left,
)
from trialbook.yaml_text import dump

STUDY_BADGES = {"running": "running", "paused": "waiting", "completed": "complete", "cancelled": "cancelled"}
SAMPLERS = {
    "grid": "the grid",
    "random": "random search",
    "sobol": "a Sobol sequence",
    "gp": "Bayesian search with a Gaussian process",
    "gp_skopt": "Bayesian search by scikit-optimize",
    "tpe": "Bayesian search with tree-structured Parzen estimators",
    "cmaes": "CMA-ES",
}

__all__ = [
    "SAMPLERS",
    "SHAPES",
    "STUDY_BADGES",
    "count",
    "dump",
    "duration",
    "ended",
    "explained",
    "finished",
    "indented",
    "limits",
    "lost_by_cancel",
    "shown",
    "shown_param",
    "start_command",
    "tested",
    "time_left",
]


def indented(value: Any) -> str:  # Any: JSON
    """What has an inside, over several lines."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def start_command(study: Study, url: str) -> str:
    """What starts a worker for this study, ready to copy."""
    trainer = study.spec["objective"]["trainer"]
    if trainer == "external":
        return (
            "from trialbook import Client\n\n"
            f"for trial in Client({json.dumps(url)}).study({json.dumps(study.name)}).ask():\n"
            "    trial.finish(objective(**trial.params))"
        )
    own = f" --trainer {shlex.quote(trainer)}" if ":" in trainer else ""
    return f'trialbook-worker --url {shlex.quote(url)} --token "$TRIALBOOK_TOKEN" --study {study.name}{own}'


def explained(trial: Trial, metric: str | None) -> str:
    """Why these parameters, in words."""
    known = trial.explanation
    if not known:
        return "Added by hand: no sampler chose these parameters."
    sampler = SAMPLERS.get(known.get("sampler", ""), str(known.get("sampler")))
    mode = known.get("mode")
    if mode == "cell":
        return f"Cell {known.get('cell')} of the grid."
    if mode == "fallback":
        return f"Drawn at random, since {sampler} could not suggest a point: {known.get('reason')}."
    if mode == "startup":
        where = "In the middle of all ranges" if trial.number == 0 else "One of the first points, which spread evenly"
        return f"{where}, before {sampler} has enough to learn from."
    if mode == "model":
        return f"Suggested by {sampler}{_seen(known)}.{_predicted(known, metric)}"
    return f"Drawn by {sampler}."


def _seen(known: Mapping[str, Any]) -> str:
    return f" after {count(known['seen'], 'finished trial')}" if isinstance(known.get("seen"), int) else ""


def _predicted(known: Mapping[str, Any], metric: str | None) -> str:
    mean, spread = known.get("predicted"), known.get("deviation")
    if not isinstance(mean, (int, float)) or not isinstance(spread, (int, float)):
        return ""
    return f" It expected {metric or 'a value'} {shown(mean)} ± {shown(spread)} there."


def ended(trial: Trial, patience: int | None) -> str:
    """How the trial stands, in words; `patience` is the study's early stopping."""
    reason = trial.reason or ""
    sentences = {
        "waiting": f"In the queue: waiting for a worker{f' ({reason})' if reason.startswith('promoted') else ''}.",
        "running": f"Running on {trial.worker}, attempt {trial.attempt}.",
        "paused": f"Paused: {reason}. It goes on if it comes to be among the best.",
        "complete": f"Complete{f': {reason}' if reason else ''}.{_impatience(trial, patience)}",
        "pruned": f"Stopped early: {reason or 'it was not promising'}.",
        "failed": f"Failed after {count(trial.attempt, 'attempt')}{f': {reason}' if reason else ''}.",
        "cancelled": f"Cancelled: {reason.removeprefix('cancelled ') or 'by a user'}.",
    }
    return f"{sentences[trial.state]} {spared(trial)}".rstrip()


def _impatience(trial: Trial, patience: int | None) -> str:
    best, last = trial.attributes.get("best_step"), trial.last_step
    if patience is None or last is None or not isinstance(best, int) or last - best < patience:
        return ""
    return f" Stopped early at step {last}: no better for {count(last - best, 'step')} after step {best}."
