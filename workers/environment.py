"""Where a trial ran: Python, machine, the packages that were loaded, the commit of the folder."""

import platform
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any


def describe_environment(commit: str | None) -> dict[str, Any]:  # Any: JSON
    """This process's Python, machine and loaded packages with their versions."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "hostname": platform.node(),
        "commit": commit,
        "packages": {name: _version(name) for name in sorted(_loaded())},
    }


def read_commit(folder: Path) -> str | None:
    """The git commit of a folder, with `+` where files have changed since; None where there is none."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    return commit + ("+" if _git(folder, "status", "--porcelain", "--untracked-files=no") else "")


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Where downloaded data is kept unless somebody says otherwise."""
    return Path(environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "trialbook"


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603  # arguments of our own
            ["git", "-C", str(folder), *arguments],  # noqa: S607  # git is wherever the operator has it
            capture_output=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _loaded() -> set[str]:
    """The distributions of which a module is loaded."""
    modules = {name.partition(".")[0] for name in sys.modules}
    return {distribution for module in modules for distribution in _distributions().get(module, ())}


@cache
def _distributions() -> dict[str, list[str]]:
    return dict(packages_distributions())


_version = cache(version)
