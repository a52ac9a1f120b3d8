"""What clients of a server saw: each call, what it asked, when, and what came of it; written and read as JSON lines.

A call has one of three outcomes. `ok`: an answer of 2xx came back whole. `refused`: an answer of another status came
back whole, so the server says that nothing changed. `unknown`: no whole answer came, so the write may have happened,
may still happen, or may never have reached the server.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

Outcome = Literal["ok", "refused", "unknown"]


@dataclass(frozen=True)
class Call:
    """One call. Times are seconds on the monotonic clock of the one machine that all clients run on."""

    client: str
    operation: str  # the contract's operationId: acquireLeases, report, finishTrial, putArtifact, …
    path: str
    asked: Any  # the JSON body; None where there is none
    begun: float
    ended: float
    outcome: Outcome
    status: int | None = None
    answer: Any = None  # the JSON answer, where one came


@dataclass(frozen=True)
class Final:
    """What the server holds at the end: studies as getStudy tells of them, trials as getTrial does, with files."""

    studies: list[dict[str, Any]]
    trials: dict[str, list[dict[str, Any]]]  # by study's name, in the order of their numbers
    artifacts: dict[str, dict[int, list[dict[str, Any]]]]  # by study's name and trial's number


def write(path: Path, calls: Iterable[Call]) -> None:
    """Append calls to a file."""
    with path.open("a") as file:
        file.writelines(json.dumps(asdict(call)) + "\n" for call in calls)


def read(path: Path) -> Iterator[Call]:
    """The calls of a file; a last line that was cut by a kill is left out."""
    for line in path.read_text().splitlines():
        try:
            yield Call(**json.loads(line))
        except json.JSONDecodeError:
            return
