"""The program behind `trialbook predict`: `python -m models.predict FOLDER ROWS` writes predictions as CSV or JSON."""

import argparse
import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from models.trained import Trained, load


def main(arguments: Sequence[str] | None = None) -> None:
    """Predict, or say on standard error why not and end with 1."""
    asked = _parse(arguments)
    try:
        model = load(asked.folder)
        said = model.probabilities(asked.rows) if asked.probabilities else model.predict(asked.rows)
        if asked.to is None:
            _write(sys.stdout, said, model, asked)
        else:
            with asked.to.open("w", newline="", encoding="utf-8") as file:
                _write(file, said, model, asked)
    except (ValueError, OSError) as error:
        print(f"trialbook: {error}", file=sys.stderr)
        sys.exit(1)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="models.predict", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("rows", type=Path)
    parser.add_argument("--to", type=Path)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--probabilities", action="store_true")
    return parser.parse_args(arguments)


def _write(out: TextIO, said: list[Any], model: Trained, asked: argparse.Namespace) -> None:  # Any: by task
    if asked.json:
        json.dump(said, out, indent=2, ensure_ascii=False)
        out.write("\n")
        return
    titled = [one if isinstance(one, dict) else {"prediction": one} for one in said]
    writer = csv.DictWriter(out, titled[0])
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in titled)


def _cell(value: Any) -> Any:  # Any: a name, a number or a list of names
    return " ".join(one or "" for one in value) if isinstance(value, list) else value


if __name__ == "__main__":
    main()
