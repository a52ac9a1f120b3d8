"""Asks an advisory service about each package of requirements.lock: `make audit`. Needs the internet.

Ends with 1 where a known vulnerability is found, with 2 where not every package could be asked about: pip-audit by
itself calls that clean. ARGS go to pip-audit (`-s osv`, `--ignore-vuln ID`).
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
COMMAND = ("-m", "pip_audit", "--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json")
VULNERABLE, UNKNOWN = 1, 2


def verdict(packages: list[dict[str, Any]]) -> tuple[list[str], int]:
    """What to say of pip-audit's report, and the exit code. Any: JSON."""
    skipped = [one for one in packages if "skip_reason" in one]
    found = [(one, flaw) for one in packages for flaw in one.get("vulns", [])]
    said = [
        f"{one['name']} {one['version']}: {flaw['id']}, fixed in {', '.join(flaw['fix_versions']) or 'no version yet'}"
        for one, flaw in found
    ]
    said += [f"{one['name']}: {one['skip_reason']}" for one in skipped]
    said.append(f"{len(packages) - len(skipped)} packages asked about, {len(found)} vulnerabilities known")
    if skipped or not packages:
        said.append(
            f"{len(skipped)} packages are unknown to the service, so nothing is known of them: is it reachable?"
        )
    return said, VULNERABLE if found else UNKNOWN if skipped or not packages else 0


def main() -> int:
    """Ask, and say what came of it."""
    command = [sys.executable, *COMMAND, "--requirement", str(ROOT / "requirements.lock"), *sys.argv[1:]]
    asked = subprocess.run(command, capture_output=True, text=True)
    try:
        packages = json.loads(asked.stdout)["dependencies"]
    except (ValueError, KeyError):
        reason = (asked.stderr.strip().splitlines() or ["no reason given"])[-1]
        print(f"the advisory service cannot be asked, so nothing is known: {reason}", file=sys.stderr)
        return UNKNOWN
    said, code = verdict(packages)
    print("\n".join(said))
    return code


if __name__ == "__main__":
    sys.exit(main())
