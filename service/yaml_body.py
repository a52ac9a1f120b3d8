"""YAML as people write studies: YAML 1.2's plain scalars, no tags, no key twice; knows the line of each value.

Pure. Values are built from the parser's events, so that depth and number are bounded before anything grows.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import yaml

from service.json_body import MAX_DEPTH, check_value, escape
from trialbook.errors import BadRequest, DuplicateKey, FieldError, Invalid, TooDeep

NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
INTEGER = re.compile(r"[-+]?[0-9]+")
WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}
NON_FINITE = re.compile(r"[-+]?\.(inf|nan)", re.IGNORECASE)
MOST_VALUES = 250_000  # aliases included: a few hundred bytes of them could stand for more than any memory holds
MOST_NOTED = 20_000_000  # characters of pointers whose lines are known; below others the nearest one's is told
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C where the wheel has it: a MiB takes 0.5 s, not 20 s


class Located:
    """A parsed document and the line (from 1) of each JSON pointer in it."""

    def __init__(self, text: str) -> None:
        self.lines: dict[str, int] = {}
        self._anchors: dict[str, tuple[Any, int]] = {}  # the value, and how many values that is
        self._count = self._noted = 0
        try:
            self._events = yaml.parse(text, Loader=LOADER)
            self.value = self._document()
        except yaml.MarkedYAMLError as error:
            raise _at("", f"is not valid YAML: {error.problem}", _line(error.problem_mark)) from None
        except yaml.YAMLError:
            raise BadRequest("The body is not valid YAML.") from None
        try:
            check_value(self.value)
        except Invalid as error:
            raise with_lines(error, self.line_of) from None

    def line_of(self, pointer: str) -> int | None:
        """The line of a value, or of the nearest one around it."""
        while pointer not in self.lines and pointer:
            pointer = pointer.rpartition("/")[0]
        return self.lines.get(pointer)

    def _document(self) -> Any:  # Any: JSON
        next(self._events)  # the stream begins
        if isinstance(next(self._events), yaml.StreamEndEvent):
            return None
        value = self._build(next(self._events), "", 1)
        next(self._events)  # the document ends
        if not isinstance(after := next(self._events), yaml.StreamEndEvent):
            raise _at("", "is more than one document", _line(after.start_mark))
        return value

    def _build(self, event: Any, pointer: str, depth: int) -> Any:  # Any: one of the parser's events, JSON
        line = _line(event.start_mark)
        self._note(pointer, line)
        if isinstance(event, yaml.AliasEvent):
            return self._repeated(event.anchor, pointer, line)
        if event.tag is not None:
            raise _at(pointer, "has a tag; plain values only", line)
        before = self._count
        self._add(1, pointer, line)
        if isinstance(event, yaml.ScalarEvent):
            value = _scalar(event)
        elif depth > MAX_DEPTH:
            raise TooDeep(errors=[FieldError(pointer, "is nested too deep", "too-deep", line)])
        else:
            value = (
                self._mapping(pointer, depth)
                if isinstance(event, yaml.MappingStartEvent)
                else self._list(pointer, depth)
            )
        if event.anchor is not None:
            self._anchors[event.anchor] = value, self._count - before
        return value

    def _repeated(self, anchor: Any, pointer: str, line: int) -> Any:  # Any: JSON
        if anchor not in self._anchors:
            raise _at(pointer, "repeats what was not named before", line)
        value, count = self._anchors[anchor]
        self._add(count, pointer, line)
        return value

    def _add(self, count: int, pointer: str, line: int) -> None:
        self._count += count
        if self._count > MOST_VALUES:
            raise _at(pointer, f"is one value too many: a study has at most {MOST_VALUES}", line)

    def _note(self, pointer: str, line: int) -> None:
        if pointer not in self.lines and self._noted < MOST_NOTED:
            self.lines[pointer] = line
            self._noted += len(pointer)

    def _mapping(self, pointer: str, depth: int) -> dict[str, Any]:
        value: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            line = _line(event.start_mark)
            if not isinstance(event, yaml.ScalarEvent):
                raise _at(pointer, "has a key that is no text", line)
            below = f"{pointer}/{escape(event.value)}"
            if event.value in value:
                raise DuplicateKey(errors=[FieldError(below, "stands here twice", "duplicate-key", line)])
            self._note(below, line)
            value[event.value] = self._build(next(self._events), below, depth + 1)
        return value

    def _list(self, pointer: str, depth: int) -> list[Any]:
        value: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            value.append(self._build(event, f"{pointer}/{len(value)}", depth + 1))
        return value


def with_lines(error: Invalid, line_of: Callable[[str], int | None]) -> Invalid:
    """The same mistakes, each with its line."""
    return type(error)(
        error.detail, errors=[replace(one, line=one.line or line_of(one.pointer)) for one in error.errors]
    )


def _scalar(event: Any) -> Any:  # Any: the parser's event, JSON
    text: str = event.value
    if not event.implicit[0]:  # quoted or a block: text as it stands
        return text
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    if INTEGER.fullmatch(text):
        return int(text) if len(text) < 25 else 2**63
    if NUMBER.fullmatch(text):
        return float(text)
    return float(text.lower().replace(".", "")) if NON_FINITE.fullmatch(text) else text


def _line(mark: Any) -> Any:  # Any: the parser's mark, None where there is none
    return mark.line + 1 if mark else None


def _at(pointer: str, message: str, line: int | None) -> Invalid:
    return Invalid(errors=[FieldError(pointer, message, line=line)])
