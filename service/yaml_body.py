"""YAML as people write studies: YAML 1.2's plain scalars, no tags, no key twice; knows the line of each value."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import yaml

from service.json_body import check_value, escape
from trialbook.errors import BadRequest, FieldError, Invalid

NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
INTEGER = re.compile(r"[-+]?[0-9]+")
WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}
NON_FINITE = re.compile(r"[-+]?\.(inf|nan)", re.IGNORECASE)


class Located:
    """A parsed document and the line (from 1) of each JSON pointer in it."""

    def __init__(self, text: str) -> None:
        self.lines: dict[str, int] = {}
        try:
            node = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            raise _at("", f"is not valid YAML: {error.problem}", mark.line + 1 if mark else None) from None
        except (yaml.YAMLError, RecursionError):
            raise BadRequest("The body is not valid YAML.") from None
        self.value = self._build(node, "", set())
        try:
            check_value(self.value, "", 1)
        except Invalid as error:
            raise with_lines(error, self.line_of) from None

    def line_of(self, pointer: str) -> int | None:
        """The line of a value, or of the nearest one around it."""
        while pointer not in self.lines and pointer:
            pointer = pointer.rpartition("/")[0]
        return self.lines.get(pointer)

    def _build(self, node: yaml.Node | None, pointer: str, above: set[int]) -> Any:  # Any: JSON
        if node is None:
            return None
        line = node.start_mark.line + 1
        self.lines.setdefault(pointer, line)
        if id(node) in above or len(above) > 40:
            raise _at(pointer, "is nested too deep", line)
        above = above | {id(node)}
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, pointer, above)
        if isinstance(node, yaml.SequenceNode):
            return [self._build(item, f"{pointer}/{i}", above) for i, item in enumerate(node.value)]
        return _scalar(node, pointer, line)

    def _mapping(self, node: yaml.MappingNode, pointer: str, above: set[int]) -> dict[str, Any]:
        value: dict[str, Any] = {}
        for key_node, item in node.value:
            key, line = str(key_node.value), key_node.start_mark.line + 1
            below = f"{pointer}/{escape(key)}"
            if key in value:
                raise _at(below, "stands here twice", line)
            self.lines[below] = line
            value[key] = self._build(item, below, above)
        return value


def with_lines(error: Invalid, line_of: Callable[[str], int | None]) -> Invalid:
    """The same mistakes, each with its line."""
    return type(error)(
        error.detail, errors=[replace(one, line=one.line or line_of(one.pointer)) for one in error.errors]
    )


def _scalar(node: Any, pointer: str, line: int) -> Any:  # Any: JSON
    text = str(node.value)
    if node.tag not in PLAIN_TAGS:
        raise _at(pointer, "has a tag; plain values only", line)
    if node.style is not None:  # quoted or a block: text as it stands
        return text
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    if INTEGER.fullmatch(text):
        return int(text) if len(text) < 25 else 2**63
    if NUMBER.fullmatch(text):
        return float(text)
    return float(text.lower().replace(".", "")) if NON_FINITE.fullmatch(text) else text


PLAIN_TAGS = {
    f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "timestamp", "value", "merge")
}


def _at(pointer: str, message: str, line: int | None) -> Invalid:
    return Invalid(errors=[FieldError(pointer, message, line=line)])
