"""One search by one contestant on one task, simulated: so many workers, random durations. Kept in a file.

A trial lasts a log-normal time around 1 that depends on seed and number alone, so with several workers results come
back out of order, as they do in practice. Thinking is CPU time of one thread: the machine may be busy.
"""

import heapq
import json
import math
import time
import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

import smooth_tasks
import tuning_tasks
import unseen_tasks
from contestants import CONTESTANTS, digest, edition
from tuning_tasks import Task

from service.search.random import point

Key = tuple[str, str, str, int, int]
PROBES = 800  # random points that tell what random search reaches on average


@dataclass(frozen=True)
class Job:
    """What is to be run."""

    who: str
    task: str
    seed: int
    trials: int
    workers: int


@dataclass(frozen=True)
class Run:
    """The scores in the order in which trials finished, and the seconds of thinking before each suggestion."""

    scores: list[float]
    thought: list[float]


@cache
def all_tasks() -> dict[str, Task]:
    """The real ones, the unseen ones and the test functions."""
    return tuning_tasks.tasks() | unseen_tasks.tasks() | smooth_tasks.FUNCTIONS


def run(job: Job) -> Run:
    task = all_tasks()[job.task]
    contestant = CONTESTANTS[job.who](task.space, job.seed, job.trials)
    running: list[tuple[float, int, float]] = []  # when it ends, number, score
    scores, thought, clock = [], [], 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number in range(job.trials):
            begun = time.process_time()
            if len(running) == job.workers:
                clock, ended, score = heapq.heappop(running)
                contestant.tell(ended, score)  # some think here
                scores.append(score)
            params = contestant.ask(number)
            thought.append(round(time.process_time() - begun, 5))
            duration = Random(f"{job.seed}-{number}-duration").lognormvariate(0.0, 0.5)
            heapq.heappush(running, (clock + duration, number, task.score(params)))
    return Run([*scores, *(score for _, _, score in sorted(running))], thought)


@cache
def random_scores(task: str) -> list[float]:
    """The scores of random points that no contestant sees, the best first."""
    told = all_tasks()[task]
    return sorted(told.score(point(told.space, 10**6, i)) for i in range(PROBES))


class Shelf:
    """Runs in a file of JSON lines, by contestant, edition, task, seed and workers: what is there is not run again."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._kept: dict[Key, Run] = {}
        self._probes: dict[tuple[str, str], list[float]] = {}
        if path and path.exists():
            for line in path.read_text().splitlines():
                with suppress(ValueError):  # a line that a stop cut off
                    self._read(json.loads(line))

    def _read(self, line: dict) -> None:
        scores = [math.inf if score is None else score for score in line["scores"]]
        if line["who"] == "probes":
            self._probes[line["task"], line["edition"]] = scores
            return
        key = (line["who"], line["edition"], line["task"], line["seed"], line["workers"])
        if len(scores) >= len(self._kept.get(key, Run([], [])).scores):
            self._kept[key] = Run(scores, line["thought"])

    def find(self, job: Job) -> Run | None:
        """A run of at least as many trials, cut to them. SMAC plans by its budget, so others are no prefix of it."""
        kept = self._kept.get(_key(job))
        if kept is None or len(kept.scores) < job.trials or (job.who == "SMAC" and len(kept.scores) != job.trials):
            return None
        return Run(kept.scores[: job.trials], kept.thought[: job.trials])

    def probes(self, task: str) -> list[float]:
        key = (task, _tasks_edition())
        if key not in self._probes:
            self._probes[key] = random_scores(task)
            self._write({"who": "probes", "edition": key[1], "task": task}, Run(self._probes[key], []))
        return self._probes[key]

    def keep(self, job: Job, found: Run) -> None:
        who, by, task, seed, workers = key = _key(job)
        self._kept[key] = found
        self._write({"who": who, "edition": by, "task": task, "seed": seed, "workers": workers}, found)

    def _write(self, head: dict, found: Run) -> None:
        if self._path:
            scores = [score if math.isfinite(score) else None for score in found.scores]
            with self._path.open("a") as file:
                file.write(json.dumps({**head, "scores": scores, "thought": found.thought}) + "\n")

    def best(self, task: str) -> Iterator[float]:
        """The best score of each run on this task, whoever made it."""
        return (min(kept.scores) for key, kept in self._kept.items() if key[2] == task)


@cache
def _tasks_edition() -> str:
    return digest([Path(module.__file__).read_text() for module in (tuning_tasks, unseen_tasks, smooth_tasks)])


def _key(job: Job) -> Key:
    return (job.who, f"{edition(job.who)}-{_tasks_edition()}", job.task, job.seed, job.workers)
