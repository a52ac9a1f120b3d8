"""Writes the floor plan in docs/architecture.md: each module with the first line of its docstring, folder by folder.

The rest of the page is written by hand. `docs.py --check` changes nothing, and fails where the plan is not the tree's.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "architecture.md"
PACKAGES = ("trialbook", "service", "workers", "models", "migrations")
BEGIN, END = "<!-- floor plan: make docs -->\n", "<!-- end of the floor plan -->\n"


def plan(root: Path) -> str:
    """The plan of all packages below `root`, as Markdown."""
    folders = sorted(
        {file.parent for package in PACKAGES for file in (root / package).rglob("*.py")},
        key=lambda folder: (PACKAGES.index(folder.relative_to(root).parts[0]), folder),
    )
    return "\n".join("\n".join(_folder(root, folder)) + "\n" for folder in folders)


def page_with(page: str, text: str) -> str:
    """The page with this plan in it. Raises ValueError where the page has no place for it."""
    before, begun, rest = page.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not begun or not ended:
        raise ValueError(f"{PAGE} lacks the lines {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}\n{text}\n{END}{after}"


def _folder(root: Path, folder: Path) -> Iterator[str]:
    name = folder.relative_to(root).as_posix()
    purpose = _first_line(folder / "__init__.py")
    yield f"**`{name}/`**" + (f" {purpose}" if purpose else "") + "\n"
    for file in sorted(folder.glob("*.py")):
        if file.name != "__init__.py":
            yield f"- `{file.name}` {_first_line(file)}"


def _first_line(file: Path) -> str:
    docstring = (ast.get_docstring(ast.parse(file.read_text())) or "") if file.exists() else ""
    return docstring.partition("\n\n")[0].replace("\n", " ")


if __name__ == "__main__":
    written = PAGE.read_text()
    current = page_with(written, plan(ROOT))
    if "--check" not in sys.argv:
        PAGE.write_text(current)
    elif current != written:
        sys.exit("the floor plan in docs/architecture.md is not the tree's: make docs")
