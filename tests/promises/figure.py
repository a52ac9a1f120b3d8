"""One measured figure, and how it is printed."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """What was promised, what was done, what came of it, and what had to."""

    promise: str
    done: str
    measured: str
    bar: str
    passed: bool

    def __str__(self) -> str:
        return f"{self.promise}: {self.done}: {self.measured} (bar: {self.bar}) {'pass' if self.passed else 'FAIL'}"
