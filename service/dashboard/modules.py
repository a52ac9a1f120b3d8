"""The modules behind a page, named in its head: else a browser learns of each only from the one that imports it."""

import re
from functools import cache
from pathlib import Path, PurePosixPath

SCRIPTS = Path(__file__).parent / "static" / "js"
IMPORT = re.compile(r"""^(?:import|export)\b[^;]*?\bfrom "(\.[^"]+)";|^import "(\.[^"]+)";""", re.MULTILINE)


@cache
def modules(*entries: str) -> tuple[str, ...]:
    """These modules and all that they import, by their names below static/js, each once."""
    found: dict[str, None] = {}
    left = list(reversed(entries))
    while left:
        name = left.pop()
        if name in found:
            continue
        found[name] = None
        imported = [first or bare for first, bare in IMPORT.findall((SCRIPTS / name).read_text("utf-8"))]
        left += [_beside(name, one) for one in reversed(imported)]
    return tuple(found)


def _beside(name: str, address: str) -> str:
    """The name of a module that another one names by `address`."""
    parts: list[str] = []
    for part in (PurePosixPath(name).parent / address).parts:
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)
