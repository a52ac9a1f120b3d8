"""Which trainers a worker offers: the book's by name, and its operator's own functions as `module:function`.

A name that comes from the server only selects among these; nothing is imported because a server says so.
"""

import importlib
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from trialbook.outcomes import TrialFailed
from workers.trial import Trial

TrainFunction = Callable[[Trial], Any]  # Any: a number or None, which is checked when it returns
OURS = ("models", "workers", "service", "migrations")


class Unusable(Exception):
    """A trainer that cannot be offered."""


def is_own(name: str) -> bool:
    """Whether a trainer's name stands for a function of the operator's own."""
    return ":" in name


def load_functions(names: Iterable[str], folder: Path) -> Mapping[str, TrainFunction]:
    """The operator's functions by name, with the folder first on the path. Raises Unusable, or what an import raises.

    A package in the folder that is called like one of ours (a `models`, most likely) is the one that its code gets.
    """
    sys.path.insert(0, str(folder))
    for ours in OURS:
        if (folder / ours).is_dir() or (folder / f"{ours}.py").is_file():
            _forget(ours)
    return {name: _load(name) for name in names}


def call(function: TrainFunction, trial: Trial) -> float | None:
    """What the function returns, as a number; None leaves the value to what was reported."""
    value = function(trial)
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError) as error:
        raise TrialFailed(f"the trainer returned {type(value).__name__}, which is no number", retry=False) from error


def _load(name: str) -> TrainFunction:
    module_name, _, function_name = name.partition(":")
    found: Any = importlib.import_module(module_name)  # Any: whatever the operator wrote
    for part in function_name.split("."):
        if not hasattr(found, part):
            raise Unusable(f"{name}: {module_name} has no {function_name!r}")
        found = getattr(found, part)
    if not callable(found):
        raise Unusable(f"{name} is no function")
    checked: TrainFunction = found
    return checked


def _forget(package: str) -> None:
    for name in [name for name in sys.modules if name == package or name.startswith(f"{package}.")]:
        del sys.modules[name]
