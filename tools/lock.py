"""Writes requirements.lock: each package that the extras need, pinned, as pip resolves them in an empty environment.

Names and versions only: no hashes, since torch's file differs by platform, and no addresses, since pip's own
configuration says where packages come from.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

HEADER = "# Every package of a development environment, pinned. Written by `make lock` from pyproject.toml.\n"
ROOT = Path(__file__).parent.parent


def resolve(requirement: str) -> dict[str, str]:
    """Package names (normalised) and versions, ours left out. Nothing is installed."""
    options = ["--dry-run", "--ignore-installed", "--no-build-isolation", "--quiet", "--report", "-"]
    command = [sys.executable, "-m", "pip", "install", *options, requirement]
    report = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)
    found = (package["metadata"] for package in report["install"])
    pinned = {normalise(package["name"]): package["version"].partition("+")[0] for package in found}
    return {name: pinned[name] for name in sorted(pinned) if name != "trialbook"}


def normalise(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    lines = [f"{name}=={version}\n" for name, version in resolve(".[server,worker,data,s3,dev,bench]").items()]
    (ROOT / "requirements.lock").write_text(HEADER + "".join(lines))
