"""Which trials are meant, and in which order, as clients spell it: `value<=0.1`, `params.activation=relu`. Pure."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

from service.store.listing import COLUMNS, Condition, Order, Quantity, Selection
from trialbook.errors import FieldError, Invalid, invalid
from trialbook.spec import StudySpec

RELATIONS = ("<=", ">=", "=", "<", ">")  # longer ones first, as they are looked for
PARAM = "params."
MOST = 200_000  # trials of a study, up to which they may be searched one by one
MOST_NUMBERS = 2000


@dataclass(frozen=True)
class Filters:
    """What is asked of trials, as it was spelled: in one of these states, one of these numbers, and all conditions."""

    states: Sequence[str] = ()
    numbers: str | None = None
    where: Sequence[str] = ()


NO_FILTERS = Filters()


def select(spec: StudySpec, made: int, filters: Filters) -> Selection:
    """What a query selects. Raises Invalid with the place of each part that can't be understood."""
    conditions, errors = [], []
    for i, told in enumerate(filters.where):
        found = _condition(spec, told)
        if isinstance(found, str):
            errors.append(FieldError(f"/where/{i}", found))
        else:
            conditions.append(found)
    if conditions and made > MOST:
        errors.append(FieldError("/where", f"searches studies of at most {MOST} trials"))
    chosen = None if filters.numbers is None else _numbers(filters.numbers)
    if filters.numbers is not None and chosen is None:
        errors.append(FieldError("/numbers", f"must be at most {MOST_NUMBERS} trial numbers with commas between"))
    if errors:
        raise invalid(errors)
    return Selection(tuple(filters.states), chosen, tuple(conditions))


def order_of(spec: StudySpec, made: int, told: str) -> Order:
    """The order of this name; a minus turns it round. Raises Invalid."""
    of = _quantity(spec, told.removeprefix("-"))
    if of is None:
        raise Invalid(errors=[FieldError("/order", f"must be one of {', '.join(_known(spec))}, or one with a minus")])
    if not of.is_indexed and made > MOST:
        raise Invalid(errors=[FieldError("/order", f"must be number or value in a study of more than {MOST} trials")])
    return Order(of, told.startswith("-"))


def _known(spec: StudySpec) -> list[str]:
    return [*COLUMNS, *(f"{PARAM}{name}" for name in spec.space.names)]


def _quantity(spec: StudySpec, told: str) -> Quantity | None:
    if told in COLUMNS:
        return Quantity(told)
    name = told.removeprefix(PARAM)
    if name == told or name not in spec.space.root:
        return None
    parameter = spec.space.root[name]
    choices = tuple(json.dumps(one) for one in parameter.choices) if parameter.type == "categorical" else None
    return Quantity(name, True, choices)


def _condition(spec: StudySpec, told: str) -> Condition | str:
    """A condition, or what is wrong with it. A parameter's name may hold anything, so known names are looked for."""
    names = [name for name in _known(spec) if told.startswith(name) and told[len(name) :].startswith(RELATIONS)]
    if not names:
        return f"must be one of {', '.join(_known(spec))}, then one of {' '.join(RELATIONS)}, then what to compare with"
    name = max(names, key=len)
    relation = next(one for one in RELATIONS if told[len(name) :].startswith(one))
    operand = told[len(name) + len(relation) :]
    of = _quantity(spec, name)
    assert of is not None  # noqa: S101  # it is a known one
    return _chosen(of, relation, operand) if of.choices is not None else _compared(of, relation, operand)


def _compared(of: Quantity, relation: str, operand: str) -> Condition | str:
    try:
        number = float(operand)
    except ValueError:
        number = math.nan
    return Condition(of, relation, number) if math.isfinite(number) else "must compare with a finite number"


def _chosen(of: Quantity, relation: str, operand: str) -> Condition | str:
    """Choices are spelled as JSON, one or a list of them; text may also stand without its quotes."""
    choices = of.choices or ()
    if relation != "=":
        return "must be =, since it has choices"
    try:
        parsed = json.loads(operand)
    except (ValueError, RecursionError):
        parsed = operand
    asked = [json.dumps(one) for one in parsed] if isinstance(parsed, list) else [json.dumps(parsed)]
    if not isinstance(parsed, list) and asked[0] not in choices:
        asked = [json.dumps(operand)]  # text that reads as something else
    if not set(asked) <= set(choices):
        return f"must be one of {', '.join(choices)}, or a JSON list of them"
    return Condition(of, relation, tuple(asked))


def _numbers(told: str) -> tuple[int, ...] | None:
    parts = told.split(",") if told else []
    is_right = all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts)
    return tuple(int(part) for part in parts) if is_right and len(parts) <= MOST_NUMBERS else None
