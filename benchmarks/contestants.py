"""Samplers that compete: ours, which see the history and nothing else, and the peers; and which edition each is of."""

import ast
import contextlib
import hashlib
import re
from collections.abc import Callable, Sequence
from functools import cache, partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from peers import PACKAGES, PEERS

from service.search import SAMPLERS, History, Observation, Pending, build
from trialbook.space import Point, Space
from trialbook.spec import CMAESSampler, GPSampler, RandomSampler, SkoptSampler, SobolSampler, TPESampler


class Ours:
    """One of our samplers, which sees the history and nothing else."""

    def __init__(self, name: str, space: Space, seed: int, trials: int) -> None:
        self._sampler = build(space, OPTIONS[name](seed=seed))
        self._finished: list[Observation] = []
        self._pending: dict[int, Pending] = {}

    def ask(self, number: int) -> Point:
        history = History(tuple(self._finished), tuple(self._pending.values()))
        [made] = self._sampler.suggest(history, [number])
        self._pending[number] = Pending(number, made.params)
        return made.params

    def tell(self, number: int, score: float) -> None:
        self._finished.append(Observation(number, self._pending.pop(number).params, score))


OPTIONS: dict[str, Callable[..., Any]] = {
    "random": RandomSampler,
    "sobol": partial(SobolSampler, name="sobol"),
    "gp": partial(GPSampler, name="gp"),
    "tpe": partial(TPESampler, name="tpe"),
    "cmaes": partial(CMAESSampler, name="cmaes"),
    "gp_skopt": partial(SkoptSampler, name="gp_skopt"),
}
CONTESTANTS = {name: partial(Ours, name) for name in OPTIONS} | PEERS


@cache
def edition(name: str) -> str:
    """What decides how a contestant searches: a peer's version, the text of our modules."""
    if name in SAMPLERS:
        return digest(_texts(SAMPLERS[name], set()))
    return version(PACKAGES.get(name, "optuna"))


def digest(texts: Sequence[str]) -> str:
    """A short mark of these sources, whatever their comments and line breaks."""
    return hashlib.sha256("".join(ast.dump(ast.parse(text)) for text in texts).encode()).hexdigest()[:12]


def _texts(module: str, seen: set[str]) -> list[str]:
    """The text of a module of ours and of those of `service.search` that it imports."""
    spec = None
    with contextlib.suppress(ModuleNotFoundError):
        spec = find_spec(module)
    if module in seen or spec is None or spec.origin is None or module == "service.search":
        return []
    seen.add(module)
    text = Path(spec.origin).read_text()
    listed = [f"service.search.{name}" for line in re.findall(r"from service\.search import (.+)", text)
              for name in re.findall(r"\w+", line)]  # fmt: skip
    imported = [*re.findall(r"from (service\.search\.\w+) import", text), *listed]
    return [text, *(part for one in sorted(imported) for part in _texts(one, seen))]


def installed(name: str) -> bool:
    """Whether this contestant's package is here."""
    module = {"hyperopt": "hyperopt", "scikit-optimize": "skopt", "SMAC": "smac", "Ax": "ax"}.get(name, "optuna")
    return find_spec(module) is not None
