"""Prints what pyproject.toml says the package and the named extras need: `requirements.py server worker`."""

import sys
import tomllib
from pathlib import Path

PROJECT = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]

if __name__ == "__main__":
    for group in (PROJECT["dependencies"], *(PROJECT["optional-dependencies"][name] for name in sys.argv[1:])):
        print("\n".join(group))
