"""What the catalogue says of a trainer, of its parameters and metrics, and of a data set: frozen values, no torch."""

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

# of an example: columns; channels x height x width; steps x features; a row of tokens; a stretch of running text
Form = Literal["table", "image", "sequence", "tokens", "text"]
# what is to be learned: a class; a number; a class for each of several heads; a class for each step of a sequence;
# a sequence of tokens; the next word
Task = Literal["classification", "regression", "multitask", "labelling", "seq2seq", "language"]
Direction = Literal["minimize", "maximize"]
Kind = Literal["float", "int", "categorical", "bool", "matrix"]
Matrix = tuple[tuple[float, ...], ...]
Value = float | int | str | bool | Matrix
LARGEST_MATRIX = 1000  # rows
LARGEST = 1e300  # neither nan, an infinity nor an integer that no float can hold is below it


@dataclass(frozen=True)
class Parameter:
    """A hyperparameter; the range from `low` to `high` includes both ends, `choices` are those of a categorical.

    A matrix is a list of rows, as long as there are rows, or empty for none; `low` and `high` are of its entries. It is
    given among the fixed parameters, not searched for.
    """

    type: Kind
    default: Value
    help: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()

    def check(self, name: str, value: object) -> Value:
        """The value as the learner takes it. Raises ValueError, naming the parameter, if ill-typed or out of range."""
        if self.type == "categorical":
            if not isinstance(value, str) or value not in self.choices:
                raise ValueError(f"{name} must be one of {', '.join(self.choices)}, not {value!r}")
            return value
        if self.type == "bool":
            if not isinstance(value, bool):
                raise ValueError(f"{name} must be true or false, not {value!r}")
            return value
        return self._check_matrix(name, value) if self.type == "matrix" else self._check_number(name, value)

    def _check_number(self, name: str, value: object) -> float | int:
        numeric = (int, float) if self.type == "float" else int
        if isinstance(value, bool) or not isinstance(value, numeric) or not abs(value) < LARGEST:
            raise ValueError(f"{name} must be {'a number' if self.type == 'float' else 'an integer'}, not {value!r}")
        if self.low is not None and value < self.low:
            raise ValueError(f"{name} must be at least {self.low:g}, not {value!r}")
        if self.high is not None and value > self.high:
            raise ValueError(f"{name} must be at most {self.high:g}, not {value!r}")
        return float(value) if self.type == "float" else value

    def _check_matrix(self, name: str, value: object) -> Matrix:
        rows: list[Any] = list(value) if isinstance(value, list | tuple) else [None]  # Any: checked below
        if not all(isinstance(row, list | tuple) and len(row) == len(rows) <= LARGEST_MATRIX for row in rows):
            raise ValueError(f"{name} must be a square list of lists of numbers, or [] for none, not {value!r:.200}")
        entry = replace(self, type="float", default=0.0)
        return tuple(
            tuple(float(entry._check_number(f"{name}[{i}][{j}]", number)) for j, number in enumerate(row))
            for i, row in enumerate(rows)
        )


@dataclass(frozen=True)
class Metric:
    """A metric that a trainer reports at each epoch, for those tasks."""

    name: str
    direction: Direction
    tasks: tuple[Task, ...]


@dataclass(frozen=True)
class Trainer:
    """A trainer; its `default_spec` (objective, space, early_stopping) needs a name and a budget to be a study."""

    name: str
    title: str
    chapter: str
    forms: tuple[Form, ...]
    tasks: tuple[Task, ...]
    parameters: Mapping[str, Parameter]
    metrics: tuple[Metric, ...]
    default_spec: Mapping[str, Any]  # JSON: the shape is the study spec's

    def learns(self, form: Form, task: Task) -> bool:
        """Whether it takes examples of that form and learns that task."""
        return form in self.forms and task in self.tasks

    def complete(self, params: Mapping[str, object]) -> dict[str, Value]:
        """The given parameters, checked, and the defaults for the rest. Raises ValueError that names the wrong one."""
        for name in params:
            if name not in self.parameters:
                near = difflib.get_close_matches(name, self.parameters, n=1)
                raise ValueError(
                    f"{self.name} has no parameter {name!r}" + (f"; did you mean {near[0]!r}?" if near else "")
                )
        given = {name: self.parameters[name].check(name, value) for name, value in params.items()}
        return {name: given.get(name, parameter.default) for name, parameter in self.parameters.items()}


@dataclass(frozen=True)
class BuiltinDataset:
    """A data set that comes with the package; `classes` is 0 where there are none.

    `shape` is one example's: columns, (channels, height, width), (steps, features), or (steps,) of tokens.
    `package` is the distribution whose files it needs, of an extra (`data`, or its own) or Debian's; "" for none.
    """

    name: str
    title: str
    task: Task
    rows: int
    shape: tuple[int, ...]
    classes: int = 0
    form: Form = "table"
    package: str = ""

    @property
    def features(self) -> int:
        """How many numbers one example has."""
        return math.prod(self.shape)
