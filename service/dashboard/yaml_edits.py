"""Changes of single values in YAML that people write: all other lines, and their comments, stay as they are. Pure.

What a change touches is written anew: the entry on whose own line the value stands. Each result is read again and
compared with what it should say; where the lines were more intricate than that, the entry around is written anew.
"""

import re
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from service.json_body import escape
from service.yaml_body import Located
from trialbook.errors import FieldError, Invalid, TrialbookError
from trialbook.spec import StudySpec
from trialbook.yaml_text import dump

JSON = Any  # Any: JSON
Path = Sequence[str]
KEY = re.compile(r"""( *)("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s#"'{}\[\],&*!|>%@`-][^#]*?|-[^\s#][^#]*?)\s*:(?=\s|$)""")
ORDER = tuple(StudySpec.model_fields)


@dataclass(frozen=True)
class Change:
    """What is to be at a path of keys: another value, another key, or nothing any longer."""

    path: Path
    value: JSON = None
    is_removed: bool = False
    key: str | None = None  # the last key's new name


@dataclass(frozen=True)
class Edited:
    """The text, what it says, and the comments that a change took away."""

    text: str
    document: JSON
    lost: tuple[str, ...] = ()


def edited(text: str, changes: Sequence[Change]) -> Edited:
    """The text after all changes. Raises Invalid where it is no YAML."""
    found = Edited(text, Located(text).value)
    for change in changes:
        after = _applied(found.document, change)
        if after == found.document:
            continue
        made = next((made for made in _written(found.text, change, after) if _says(made, after)), None)
        if made is None:
            pointer = "".join(f"/{escape(key)}" for key in change.path)
            raise Invalid(errors=[FieldError(pointer, "cannot be written as YAML")])
        found = Edited(made, after, found.lost + _lost(found.text, made))
    return found


def _says(text: str, wanted: JSON) -> bool:
    try:
        return bool(Located(text).value == wanted)
    except TrialbookError:
        return False


def _applied(document: JSON, change: Change) -> JSON:
    """The document with the change made; what is in its way, being no mapping, goes."""
    adds = not change.is_removed and change.key is None
    root = deepcopy(document) if isinstance(document, dict) or not adds else {}
    inner = root
    for key in change.path[:-1]:
        if adds and not isinstance(inner.get(key), dict):
            inner[key] = {}
        inner = inner.get(key) if isinstance(inner, dict) else None
    last = change.path[-1]
    if not isinstance(inner, dict):
        return root  # what is not there can neither go nor be renamed
    if change.is_removed:
        inner.pop(last, None)
    elif change.key is None:
        inner[last] = change.value
    elif last in inner and change.key not in inner:
        renamed = {change.key if key == last else key: value for key, value in inner.items()}
        inner.clear()
        inner.update(renamed)
    return root


def _written(text: str, change: Change, after: JSON) -> Iterator[str]:
    """The text with the change, from the narrowest rewriting to that of the whole."""
    located = Located(text)
    for depth in range(len(change.path), 0, -1):
        path = change.path[:depth]
        lines = text.splitlines()
        block = _block(lines, located, path)
        value, is_there = _at(after, path)
        if block is not None:
            if depth == len(change.path) and change.key is not None:
                path = (*path[:-1], change.key)
                value, is_there = _at(after, path)
            first, end = block
            yield _joined(lines[:first], _entry(lines[first], path[-1], value) if is_there else [], lines[end:])
        elif is_there and (place := _place(lines, located, path)) is not None:
            at, indent = place
            yield _joined(lines[:at], _rendered(path[-1], value, indent), lines[at:])
    yield _joined(text.splitlines()[: _leading(text)], dump(after).splitlines(), [])
    yield dump(after)


def _leading(text: str) -> int:
    """How many lines stand before the first key."""
    return next((i for i, line in enumerate(text.splitlines()) if line.strip() and not line.startswith("#")), 0)


def _at(document: JSON, path: Path) -> tuple[JSON, bool]:
    for key in path:
        if not isinstance(document, dict) or key not in document:
            return None, False
        document = document[key]
    return document, True


def _block(lines: list[str], located: Located, path: Path) -> tuple[int, int] | None:
    """The lines (from 0, and the one behind) of an entry that begins a line of its own; None where it does not."""
    line = located.lines.get("".join(f"/{escape(key)}" for key in path))
    if line is None or line > len(lines) or (found := KEY.match(lines[line - 1])) is None:
        return None
    if _key(found[2]) != path[-1]:
        return None
    indent, end = len(found[1]), line
    for i in range(line, len(lines)):
        inner = lines[i].strip()
        if inner and not inner.startswith("#"):
            if len(lines[i]) - len(lines[i].lstrip(" ")) <= indent and inner[0] not in "]}":
                break
            end = i + 1
    return line - 1, end


def _key(text: str) -> JSON:
    try:
        return next(iter(Located(f"{text}: 0").value))
    except TrialbookError:
        return None


def _place(lines: list[str], located: Located, path: Path) -> tuple[int, int] | None:
    """Before which line (from 0) a new entry goes, and how far indented; None where its neighbours share lines."""
    above, _ = _at(located.value, path[:-1])
    if not isinstance(above, dict):
        return None
    if not above:
        return (len(lines), 0) if len(path) == 1 else None
    before = [key for key in above if key in ORDER and path[-1] in ORDER and ORDER.index(key) < ORDER.index(path[-1])]
    neighbour = before[-1] if len(path) == 1 and before else list(above)[-1]
    block = _block(lines, located, (*path[:-1], neighbour))
    if block is None:
        return None
    return block[1], len(lines[block[0]]) - len(lines[block[0]].lstrip(" "))


def _entry(line: str, key: str, value: JSON) -> list[str]:
    """An entry written anew in place of one that began with this line, whose comment stays at its end."""
    made = _rendered(key, value, len(line) - len(line.lstrip(" ")))
    comment = _comment(line)
    return [f"{made[0]}  {comment}", *made[1:]] if comment else made


def _rendered(key: str, value: JSON, indent: int) -> list[str]:
    return dump({key: value}, " " * indent).splitlines()


def _joined(before: Sequence[str], made: Sequence[str], after: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in (*before, *made, *after))


def _comment(line: str) -> str:
    """What a line says behind its value; a # in quotes, or without a space before it, begins no comment."""
    quote = ""
    for i, sign in enumerate(line):
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "\"'" and (i == 0 or line[i - 1] in " \t{[,:"):
            quote = sign
        elif sign == "#" and (i == 0 or line[i - 1] in " \t"):
            return line[i:]
    return ""


def _lost(before: str, after: str) -> tuple[str, ...]:
    """The comments of the one text that are not in the other."""
    left = [comment for line in after.splitlines() if (comment := _comment(line))]
    lost = []
    for line in before.splitlines():
        if comment := _comment(line):
            if comment in left:
                left.remove(comment)
            else:
                lost.append(comment)
    return tuple(lost)
