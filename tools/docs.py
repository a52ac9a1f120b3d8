"""Writes what the docs take from the code: floor plan, trainers' reference, table of built-in data, roles of calls.

The rest of the pages is written by hand.
"""

import ast
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args

from models.catalog import DATASETS, TRAINERS, BuiltinDataset, Parameter, Trainer
from models.catalog.descent import DESCENT
from service.app import create_app
from service.routes import doors
from service.settings import Settings
from trialbook.wire import Role
from trialbook.yaml_text import dump

ROOT = Path(__file__).parent.parent
PACKAGES = ("trialbook", "service", "workers", "models", "migrations")
SEEN = {"table": "a table", "image": "images", "sequence": "sequences", "tokens": "tokens", "text": "running text"}


def floor_plan() -> str:
    """Each module with the first line of its docstring, folder by folder."""
    folders = sorted(
        {file.parent for package in PACKAGES for file in (ROOT / package).rglob("*.py")},
        key=lambda folder: (PACKAGES.index(folder.relative_to(ROOT).parts[0]), folder),
    )
    return "\n".join("\n".join(_folder(folder)) + "\n" for folder in folders)


def _folder(folder: Path) -> Iterator[str]:
    name = folder.relative_to(ROOT).as_posix()
    purpose = _first_line(folder / "__init__.py")
    yield f"**`{name}/`**" + (f" {purpose}" if purpose else "") + "\n"
    for file in sorted(folder.glob("*.py")):
        if file.name != "__init__.py":
            yield f"- `{file.name}` {_first_line(file)}"


def _first_line(file: Path) -> str:
    docstring = (ast.get_docstring(ast.parse(file.read_text())) or "") if file.exists() else ""
    return docstring.partition("\n\n")[0].replace("\n", " ")


def trainers() -> str:
    """What each trainer learns, reports, and can be told; what all nets share stands once, at the end."""
    shared = "\n".join(["## What all nets share", "", *_table(DESCENT)])
    return "\n".join([*("\n".join(_trainer(one)) + "\n" for one in TRAINERS.values()), shared, ""])


def _trainer(one: Trainer) -> Iterator[str]:
    yield f"## `{one.name}`: {one.title}\n"
    yield f"Chapter {one.chapter}. Takes {_listed(SEEN[form] for form in one.forms)}; learns {_listed(one.tasks)}.\n"
    yield f"Reports {', '.join(f'`{metric.name}`' for metric in one.metrics)}.\n"
    own = {name: p for name, p in one.parameters.items() if p != DESCENT.get(name)}
    yield from _table(own)
    if DESCENT.keys() & one.parameters.keys():
        yield "\nBesides, what all nets share (below).\n"
    yield "\nIts default study:\n"
    yield "```yaml"
    yield dump(one.default_spec).rstrip()
    yield "```"


def _table(parameters: dict[str, Parameter]) -> Iterator[str]:
    yield "| parameter | default | range | meaning |"
    yield "|---|---|---|---|"
    for name, one in parameters.items():
        yield f"| `{name}` | `{_shown(one.default)}` | {_range(one)} | {one.help} |"


def _range(one: Parameter) -> str:
    if one.choices:
        return ", ".join(f"`{choice}`" for choice in one.choices)
    if one.type == "bool":
        return "`true`, `false`"
    ends = [f"{end:,g}" if end is not None else "" for end in (one.low, one.high)]
    return " to ".join(ends) if all(ends) else f"from {ends[0]}" if ends[0] else one.type


def _shown(value: object) -> str:
    return json.dumps(value) if isinstance(value, bool | tuple) else str(value)


def _listed(words: Iterator[str] | tuple[str, ...]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def data_sets() -> str:
    """The built-in sets."""
    lines = ["| data | what | task | examples | of | needs |", "|---|---|---|---|---|---|"]
    return "\n".join([*lines, *(_data_set(one) for one in DATASETS.values()), ""])


def _data_set(one: BuiltinDataset) -> str:
    task = f"{one.task}, {one.classes} classes" if one.classes else one.task
    size = " × ".join(str(n) for n in one.shape)
    needs = f"`{one.package}`" if one.package else ""
    return f"| `{one.name}` | {one.title} | {task} | {one.rows:,} | {one.form} {size} | {needs} |"


def roles() -> str:
    """Each call with the roles that it lets in; an admin may use every one."""
    kinds = [one for one in get_args(Role) if one != "admin"]
    lines = [f"| call | no token | {' | '.join(kinds)} | admin |", f"|---|{'---|' * (len(kinds) + 2)}"]
    app = create_app(Settings(), "postgresql+asyncpg://nobody@/nothing")  # which is never connected to
    for door in doors(app):
        is_open = door.roles is None
        may = [is_open, *(is_open or one in (door.roles or ()) for one in kinds), True]
        lines.append(f"| `{door.method} {door.path}` | {' | '.join('yes' if one else '' for one in may)} |")
    return "\n".join([*lines, ""])


PARTS: dict[str, tuple[str, Callable[[], str]]] = {  # the part's name: the page that has it, and what it says
    "floor plan": ("architecture.md", floor_plan),
    "trainers": ("trainers.md", trainers),
    "built-in data": ("data.md", data_sets),
    "roles": ("security.md", roles),
}


def page_with(page: str, name: str, text: str) -> str:
    """The page with this text as its part of that name. Raises ValueError where the page has no place for it."""
    begin, end = f"<!-- {name}: make docs -->\n", f"<!-- end of the {name} -->\n"
    before, begun, rest = page.partition(begin)
    _, ended, after = rest.partition(end)
    if not begun or not ended:
        raise ValueError(f"the page lacks the lines {begin!r} and {end!r}")
    return f"{before}{begin}\n{text}\n{end}{after}"


def main() -> None:
    """Write the pages."""
    for name, (file, text) in PARTS.items():
        path = ROOT / "docs" / file
        path.write_text(page_with(path.read_text(), name, text()))


if __name__ == "__main__":
    main()
