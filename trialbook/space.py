"""The search space: parameters, their conditions, and the way between a point and the unit cube.

Pure: no randomness, no clock. A *point* is a dict of the active parameters' values; a *row* is one number in [0, 1]
per parameter, in the space's order, whether active or not.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field, RootModel, model_validator

from trialbook.values import MAX_INTEGER, Finite, Listed, Scalar, Text, Value, located

Point = Mapping[str, Scalar]
Condition = dict[Text, Annotated[Listed[Scalar], Field(min_length=1, max_length=1000)]]
MAX_PARAMETERS = 200


class _Range(Value):
    """What float and int parameters share: bounds and a scale."""

    when: Condition | None = None
    log: bool = False

    def _check_range(self, low: float, high: float, step: float | None) -> None:
        if low > high:
            raise located("high", "must not be below low")
        if self.log and low <= 0:
            raise located("low", "must be above 0 on a log scale")
        if self.log and step is not None and step != 1:
            raise located("step", "cannot be combined with log")
        if step is not None and step <= 0:
            raise located("step", "must be above 0")


class Float(_Range):
    """A real number in [low, high], on a linear, stepped or log scale."""

    type: Literal["float"]
    low: Finite
    high: Finite
    step: Finite | None = None

    @model_validator(mode="after")
    def _consistent(self) -> "Float":
        if self.log and self.step is not None:
            raise located("step", "cannot be combined with log")
        self._check_range(self.low, self.high, self.step)
        if not math.isfinite(self.high - self.low):
            raise located("high", "is too far from low")
        if self.step is not None and (self.high - self.low) / self.step > MAX_INTEGER:
            raise located("step", "is too small for this range")
        return self

    def from_unit(self, u: float) -> float:
        """The value at u in [0, 1]; equal shares of u for each step."""
        if self.log:
            return self._tidy(math.exp(math.log(self.low) + u * (math.log(self.high) - math.log(self.low))))
        if self.step is None:
            return self._tidy(self.low + u * (self.high - self.low))
        return self._at(min(int(u * self._n_steps), self._n_steps - 1))

    def to_unit(self, value: Scalar) -> float:
        """The middle of the share of [0, 1] that gives this value."""
        x = float(value)  # type: ignore[arg-type]  # contains() was asked before
        if self.low == self.high:
            return 0.5
        if self.log:
            width = math.log(self.high) - math.log(self.low)  # 0 where the bounds are neighbours among the numbers
            return (math.log(x) - math.log(self.low)) / width if width else 0.5
        if self.step is None:
            return (x - self.low) / (self.high - self.low)
        # a point given by hand may lie above the last step
        return (min(round((x - self.low) / self.step), self._n_steps - 1) + 0.5) / self._n_steps

    def contains(self, value: Scalar) -> bool:
        """Whether this value could have been suggested (a step's grid is not enforced on enqueued points)."""
        return isinstance(value, int | float) and not isinstance(value, bool) and self.low <= value <= self.high

    def listed(self) -> tuple[float, ...] | None:
        """All values, where there are finitely many."""
        if self.low == self.high:
            return (self.low,)
        return None if self.step is None else tuple(self._at(i) for i in range(self._n_steps))

    @property
    def size(self) -> int | None:
        """How many values there are, or None for a continuum."""
        if self.low == self.high:
            return 1
        return None if self.step is None else self._n_steps

    @property
    def _n_steps(self) -> int:
        assert self.step is not None  # noqa: S101  # callers have asked
        return math.floor((self.high - self.low) / self.step + 1e-9) + 1

    def _at(self, i: int) -> float:
        assert self.step is not None  # noqa: S101
        return self._tidy(self.low + i * self.step)

    def _tidy(self, value: float) -> float:
        # 12 digits: 0.1 * 3 is to read 0.3, as the user would have written it
        return float(min(max(float(f"{value:.12g}"), self.low), self.high))


class Int(_Range):
    """A whole number in [low, high], by step or on a log scale."""

    type: Literal["int"]
    low: Annotated[int, Field(ge=-MAX_INTEGER, le=MAX_INTEGER)]
    high: Annotated[int, Field(ge=-MAX_INTEGER, le=MAX_INTEGER)]
    step: Annotated[int, Field(ge=1, le=MAX_INTEGER)] = 1

    @model_validator(mode="after")
    def _consistent(self) -> "Int":
        self._check_range(self.low, self.high, self.step)
        return self

    def from_unit(self, u: float) -> int:
        """The value at u in [0, 1]; linear scales give each value an equal share."""
        if self.log:
            low, high = math.log(self.low - 0.5), math.log(self.high + 0.5)
            return min(max(round(math.exp(low + u * (high - low))), self.low), self.high)
        assert self.size is not None  # noqa: S101  # whole numbers are always finitely many
        return self.low + self.step * min(int(u * self.size), self.size - 1)

    def to_unit(self, value: Scalar) -> float:
        """The middle of the share of [0, 1] that gives this value."""
        x = float(value)  # type: ignore[arg-type]  # contains() was asked before
        if self.log:
            low, high = math.log(self.low - 0.5), math.log(self.high + 0.5)
            return (math.log(x) - low) / (high - low)
        return (min(round((x - self.low) / self.step), self.size - 1) + 0.5) / self.size

    def contains(self, value: Scalar) -> bool:
        """Whether this is a whole number within the bounds."""
        return isinstance(value, int) and not isinstance(value, bool) and self.low <= value <= self.high

    def listed(self) -> Sequence[int]:
        """All values, by step."""
        return range(self.low, self.high + 1, self.step)

    @property
    def size(self) -> int:
        """How many values there are."""
        return (self.high - self.low) // self.step + 1


class Categorical(Value):
    """One of a list of values without order."""

    type: Literal["categorical"]
    choices: Annotated[Listed[Scalar], Field(min_length=1, max_length=1000)]
    when: Condition | None = None

    @model_validator(mode="after")
    def _distinct(self) -> "Categorical":
        if len({identity(choice) for choice in self.choices}) < len(self.choices):
            raise located("choices", "must be distinct")
        return self

    def from_unit(self, u: float) -> Scalar:
        """The choice whose equal share of [0, 1] holds u."""
        return self.choices[min(int(u * len(self.choices)), len(self.choices) - 1)]

    def to_unit(self, value: Scalar) -> float:
        """The middle of the choice's share."""
        return (self._index(value) + 0.5) / len(self.choices)

    def contains(self, value: Scalar) -> bool:
        """Whether this is one of the choices (true and 1 are different ones)."""
        return any(identity(choice) == identity(value) for choice in self.choices)

    def listed(self) -> tuple[Scalar, ...]:
        """The choices."""
        return tuple(self.choices)

    @property
    def size(self) -> int:
        """How many choices there are."""
        return len(self.choices)

    def _index(self, value: Scalar) -> int:
        return [identity(choice) for choice in self.choices].index(identity(value))


Parameter = Annotated[Float | Int | Categorical, Field(discriminator="type")]


class Space(RootModel[dict[Text, Parameter]], frozen=True):
    """The parameters by name, in the order written; a parameter with `when` is active only under its condition."""

    @model_validator(mode="after")
    def _consistent(self) -> "Space":
        if len(self.root) > MAX_PARAMETERS:
            raise located("", f"has more than {MAX_PARAMETERS} parameters")
        for name, parameter in self.root.items():
            for parent, values in (parameter.when or {}).items():
                if parent not in self.root:
                    raise located((name, "when", parent), "names no parameter of this space")
                if not all(self.root[parent].contains(value) for value in values):
                    raise located((name, "when", parent), "holds a value that the parameter never takes")
        unordered = set(self.root) - set(self.ordered)
        if unordered:
            raise located((min(unordered), "when"), "is part of a circle of conditions")
        return self

    def __len__(self) -> int:
        return len(self.root)

    def __getitem__(self, name: str) -> Float | Int | Categorical:
        return self.root[name]

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters' names in the order written; the columns of a row."""
        return tuple(self.root)

    @cached_property
    def ordered(self) -> tuple[str, ...]:
        """The names, parents before those that depend on them; a circle's members are left out."""
        done: dict[str, None] = {}
        waiting = dict(self.root)
        while ready := [name for name, p in waiting.items() if all(parent in done for parent in p.when or {})]:
            for name in ready:
                done[name] = None
                del waiting[name]
        return tuple(done)

    def is_active(self, name: str, point: Point) -> bool:
        """Whether the parameter counts, given its parents' values in this point."""
        return all(
            parent in point and any(identity(point[parent]) == identity(value) for value in values)
            for parent, values in (self.root[name].when or {}).items()
        )

    def from_row(self, row: Sequence[float]) -> dict[str, Scalar]:
        """The point at this row of the unit cube; inactive parameters are left out."""
        columns = dict(zip(self.names, row, strict=True))
        point: dict[str, Scalar] = {}
        for name in self.ordered:
            if self.is_active(name, point):
                point[name] = self.root[name].from_unit(min(max(float(columns[name]), 0.0), 1.0))
        return {name: point[name] for name in self.names if name in point}

    def to_row(self, point: Point, *, inactive: float = 0.5) -> list[float]:
        """The row of this point, with `inactive` where a parameter does not count."""
        return [self.root[name].to_unit(point[name]) if name in point else inactive for name in self.names]

    def problems(self, point: Point) -> Iterator[tuple[str, str]]:
        """What is wrong with a point given by hand: (parameter, message) pairs."""
        for name in point:
            if name not in self.root:
                yield name, "is not a parameter of this study"
        for name in self.ordered:
            active = self.is_active(name, point)
            if active and name not in point:
                yield name, "is missing"
            elif name in point and not active:
                yield name, "does not apply here: its condition does not hold"
            elif name in point and not self.root[name].contains(point[name]):
                yield name, "is outside the search space"


def identity(value: Scalar) -> tuple[type, Scalar]:
    """What two values share if people call them the same: true is not 1, but 1 is 1.0."""
    return (float if isinstance(value, int) and not isinstance(value, bool) else type(value), value)
