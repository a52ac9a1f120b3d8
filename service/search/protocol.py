"""What a sampler sees and answers: frozen values, no database, no clock. Smaller scores are better everywhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from trialbook.space import Point
from trialbook.values import Scalar


@dataclass(frozen=True)
class Observation:
    """A finished trial. `score` is oriented (always minimise) and +inf where the value is not finite."""

    number: int
    params: Point
    score: float
    state: Literal["complete", "pruned"] = "complete"


@dataclass(frozen=True)
class Pending:
    """A trial whose result is still to come: waiting or running."""

    number: int
    params: Point


@dataclass(frozen=True)
class History:
    """What is known of a study: finished trials in the order they finished, pending ones by number."""

    finished: tuple[Observation, ...] = ()
    pending: tuple[Pending, ...] = ()


@dataclass(frozen=True)
class Suggestion:
    """A point to try, and what the sampler thought: `explanation` is JSON, its predictions are scores."""

    params: dict[str, Scalar]
    explanation: dict[str, Any]  # Any: each sampler explains itself in its own words


class Sampler(Protocol):
    """Suggests one point per trial number. Deterministic: randomness comes from (seed, number) alone."""

    def suggest(self, history: History, numbers: Sequence[int]) -> list[Suggestion]:
        """Points for these trial numbers, each inside the space, in the order of `numbers`."""
        ...
