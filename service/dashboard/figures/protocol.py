"""What a figure is: plain data made of a study's trials, ready for JSON; and what several of them ask of a trial."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from trialbook.errors import FieldError, Invalid
from trialbook.spec import StudySpec
from trialbook.values import Scalar


class Tried(Protocol):
    """What figures ask of a trial. `value` may be anything that a float can be, or None."""

    @property
    def number(self) -> int: ...
    @property
    def state(self) -> str: ...
    @property
    def value(self) -> float | None: ...
    @property
    def params(self) -> Mapping[str, Scalar]: ...


# From the study's spec, its trials by number, and what the figure may be asked for by keyword. Answers JSON-ready
# values, among them kind, metric, direction, and `items`, a list.
Figure = Callable[..., dict[str, Any]]  # Any: JSON


def heading(kind: str, spec: StudySpec) -> dict[str, Any]:
    """What every figure says first: its kind, what is measured and what is better."""
    return {"kind": kind, "metric": spec.objective.metric, "direction": spec.direction}


def complete_value(one: Tried) -> float | None:
    """The value of a complete trial, None where it has none that is finite."""
    is_value = one.state == "complete" and one.value is not None and math.isfinite(one.value)
    return one.value if is_value else None


def axes(spec: StudySpec) -> list[dict[str, Any]]:
    """Each parameter by name with its type, bounds and scale, or choices; in the order written."""
    return [{"name": name, **p.model_dump(mode="json", exclude_none=True)} for name, p in spec.space.root.items()]


def valued(trials: Sequence[Tried]) -> list[tuple[Tried, float]]:
    """The trials that have a finite value, with it."""
    return [(one, one.value) for one in trials if one.value is not None and math.isfinite(one.value)]


def item(one: Tried) -> dict[str, Any]:
    """A trial as the items of figures tell of it."""
    return {"number": one.number, "state": one.state, "value": one.value, "params": one.params}


def pair(spec: StudySpec, x: str | None, y: str | None) -> tuple[str, str] | None:
    """The two parameters of a figure; those not named are the first others. None where the space has only one.
    Raises Invalid."""
    wrong = "must be one of the study's parameters"
    errors = [
        FieldError(f"/{axis}", wrong) for axis, name in (("x", x), ("y", y)) if name and name not in spec.space.root
    ]
    if x and x == y:
        errors = [FieldError("/y", "must be another parameter than x")]
    if errors:
        raise Invalid(errors=errors)
    others = [name for name in spec.space.names if name not in (x, y)]
    found = [name or (others.pop(0) if others else None) for name in (x, y)]
    return (found[0], found[1]) if found[0] and found[1] else None
