"""Pages of trials: those that meet conditions, in an order, from a cursor on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from service.store import cursors
from service.store.database import Database
from service.store.rows import TRIAL_COLUMNS, trial_of
from trialbook.wire import TRIAL_STATES, Trial

WORST = "coalesce(t.score, 'infinity'::float8)"
COLUMNS = {  # what trials are compared by, besides their parameters
    "number": "t.number::float8",
    "value": "nullif(t.value, 'nan')",
    "duration": "extract(epoch from t.finished_at - t.started_at)::float8",
    "last_step": "t.last_step::float8",
}
INDEXED = ("number", "value")  # orders that cost the same however many trials there are


@dataclass(frozen=True)
class Quantity:
    """What trials are compared by: one of COLUMNS, or a parameter, with its choices as JSON where it has some."""

    name: str
    is_param: bool = False
    choices: tuple[str, ...] | None = None

    @property
    def is_indexed(self) -> bool:
        """Whether an order by it is an index's."""
        return not self.is_param and self.name in INDEXED


@dataclass(frozen=True)
class Condition:
    """`of` stands in this relation to a number, or is one of these choices, as JSON."""

    of: Quantity
    relation: str  # <, <=, =, >=, >
    operand: float | tuple[str, ...]


@dataclass(frozen=True)
class Order:
    """The least comes first; `value` puts the best first, whatever the direction. What has none comes last, but of
    values, whose two orders mirror each other."""

    of: Quantity
    descending: bool = False


@dataclass(frozen=True)
class Selection:
    """Which trials are meant: all, unless said otherwise."""

    states: tuple[str, ...] = ()
    numbers: tuple[int, ...] | None = None
    conditions: tuple[Condition, ...] = ()


ALL, BY_NUMBER = Selection(), Order(Quantity("number"))
# Each state's first trials by its own range of an index, and the first of all of them: neither a study's size nor how
# rare a state is makes a page cost more.
OF_STATES = f"""
    select {{key}} as key, {TRIAL_COLUMNS}
    from unnest(cast(:states as text[])) as one (state), lateral (
        select * from trials t where {{which}} and t.state = one.state order by {{ordering}} limit :limit
    ) t join studies s on s.id = t.study_id
    order by {{ordering}} limit :limit
"""  # noqa: S608  # parts of our own; values are bound
OF_ALL = f"""
    select {{key}} as key, {TRIAL_COLUMNS} from trials t join studies s on s.id = t.study_id
    where {{which}} order by {{ordering}} limit :limit
"""  # noqa: S608  # as above
COUNT = "select count(*) as n from trials t where {which}"


async def list_trials(
    db: Database, study_id: int, selection: Selection, order: Order, *, cursor: str | None, limit: int
) -> tuple[list[Trial], str | None]:
    """A page of trials and the cursor of the next one."""
    where = _Where(study_id)
    where.meet(selection)
    key, ordering = where.ordered(order)
    by_number = key == "t.number"
    if cursor:
        where.go_on(order, key, cursors.decode(cursor, (cursors.is_number,) if by_number else KINDS))
    states = list(dict.fromkeys(selection.states))
    if not states and key == WORST:
        states = list(TRIAL_STATES)
    statement = (OF_STATES if states else OF_ALL).replace("{key}", key).replace("{ordering}", ordering)
    asked = {**where.asked, "limit": limit + 1, "states": states}
    rows = await db.run(text(statement.replace("{which}", where.spelled)), asked)
    following = None
    if len(rows) > limit:
        last = rows[limit - 1]
        following = cursors.encode(([] if by_number else [repr(float(last["key"]))]) + [last["number"]])
    return [trial_of(row) for row in rows[:limit]], following


KINDS = (cursors.is_score, cursors.is_number)


async def count_trials(db: Database, study_id: int, selection: Selection) -> int:
    """How many trials there are of a selection."""
    where = _Where(study_id)
    where.meet(selection)
    if selection.states:
        where.add("t.state = any(cast(:states as text[]))", states=list(selection.states))
    return int((await db.run(text(COUNT.replace("{which}", where.spelled)), where.asked))[0]["n"])


class _Where:
    """Conditions as SQL, and the values that are bound in them."""

    def __init__(self, study_id: int) -> None:
        self._parts = ["t.study_id = :study_id"]
        self.asked: dict[str, Any] = {"study_id": study_id}  # Any: what a parameter of a statement can be

    @property
    def spelled(self) -> str:
        return " and ".join(self._parts)

    def add(self, part: str, **values: Any) -> None:  # Any: as above
        self._parts.append(part)
        self.asked |= values

    def meet(self, selection: Selection) -> None:
        if selection.numbers is not None:
            self.add("t.number = any(cast(:numbers as int[]))", numbers=list(selection.numbers))
        for one in selection.conditions:
            self._compare(one)

    def _compare(self, one: Condition) -> None:
        bound = f"operand{len(self.asked)}"
        if isinstance(one.operand, tuple):
            self.add(f"{self._json(one.of)}::jsonb = any(cast(:{bound} as jsonb[]))", **{bound: list(one.operand)})
        else:
            self.add(f"{self._number(one.of)} {one.relation} cast(:{bound} as float8)", **{bound: one.operand})

    def ordered(self, order: Order) -> tuple[str, str]:
        """What rows are sorted by before their number, and the whole order."""
        way = " desc" if order.descending else ""
        if order.of == BY_NUMBER.of:
            return "t.number", f"t.number{way}"
        last = "-infinity" if order.descending else "infinity"
        is_value = not order.of.is_param and order.of.name == "value"
        key = WORST if is_value else f"coalesce({self._number(order.of)}, '{last}'::float8)"
        return key, f"{key}{way}, t.number{way}"

    def go_on(self, order: Order, key: str, after: Sequence[int | float | str]) -> None:
        """Only what comes after this key."""
        sign = "<" if order.descending else ">"
        if len(after) == 1:
            self.add(f"t.number {sign} :number", number=after[0])
        else:
            part = f"({key}, t.number) {sign} (cast(cast(:key as text) as float8), :number)"
            self.add(part, key=after[0], number=after[1])

    def _number(self, of: Quantity) -> str:
        """As a number: of a choice its place among the choices."""
        if not of.is_param:
            return COLUMNS[of.name]
        found = self._json(of)
        if of.choices is None:  # PostgreSQL may look at other studies' rows too, where it may be no number
            return f"case when t.study_id = :study_id then cast(({found})::text as float8) end"
        bound = f"choices{len(self.asked)}"
        self.asked[bound] = list(of.choices)
        return f"array_position(cast(:{bound} as jsonb[]), {found}::jsonb)::float8"

    def _json(self, of: Quantity) -> str:
        bound = f"name{len(self.asked)}"
        self.asked[bound] = of.name
        return f"(t.params -> cast(:{bound} as text))"
