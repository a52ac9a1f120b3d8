"""`make chaos SECONDS=600 SEED=1`: strikes a real service, and judges what its clients saw; 1 where that is wrong."""

import asyncio
import sys
from typing import Annotated

import typer

from tests.chaos.chaos import run


def main(
    seconds: Annotated[float, typer.Option(min=1, help="How long faults happen.")] = 600.0,
    seed: Annotated[int, typer.Option(help="Of the plan of faults and of the clients' behaviour.")] = 1,
) -> None:
    """Strike a real service, and judge what its clients saw."""
    watched = sys.stderr.isatty()

    def say(line: str) -> None:
        print(f"\r\033[K{line}" if watched else line, end="" if watched else "\n", file=sys.stderr, flush=True)

    report = asyncio.run(run(seconds, seed, say))
    print(f"\nseed {seed}: {report}")
    raise typer.Exit(0 if report.is_clean else 1)


if __name__ == "__main__":
    typer.run(main)
