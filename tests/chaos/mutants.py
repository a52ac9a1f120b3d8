"""The judge judged: it must find out each server with a fault put in on purpose, and find nothing at the true one.

`python -m tests.chaos.mutants [NAME…]` plays the same load against each and prints what gave it away; `--true N` plays
N rounds against the server as it is.
"""

import asyncio
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import asyncpg
import typer
from sqlalchemy.engine import make_url

from service.store.database import dsn_of
from service.store.postgres import EmbeddedPostgres
from tests.chaos.checker import Violation, violations
from tests.chaos.faults import FAULTS, SPARED, Edit
from tests.chaos.history import Call
from tests.chaos.load import LEASE_SECONDS, play

ROOT = Path(__file__).parents[2]
MOST_ROUNDS = 6
AT_ONCE = 3
STOP_SECONDS = 20


class Unfit(Exception):
    """A text to replace is not there exactly once: the product has changed, and the mutant must follow it."""


def mutate(folder: Path, edits: Sequence[Edit]) -> None:
    """Put a copy of the service into a folder, with these edits. Raises Unfit."""
    shutil.copytree(ROOT / "service", folder / "service", ignore=shutil.ignore_patterns("*.pyc.*"))
    for file, source in edited(edits).items():
        (folder / "service" / file).write_text(source)


def edited(edits: Sequence[Edit]) -> dict[str, str]:
    """The sources of the files that these edits change, by name. Raises Unfit."""
    sources: dict[str, str] = {}
    for edit in edits:
        source = sources.get(edit.file) or (ROOT / "service" / edit.file).read_text()
        if (count := source.count(edit.true)) != 1:
            raise Unfit(f"{edit.file} holds {count} times: {edit.true}")
        sources[edit.file] = source.replace(edit.true, edit.false)
    return sources


@contextmanager
def server(database_url: str, edits: Sequence[Edit] = ()) -> Iterator[tuple[str, str]]:
    """A server process on a migrated database, with a fault or (without edits) as it is: its URL and token."""
    folder = Path(tempfile.mkdtemp(prefix="trialbook-test-"))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TRIALBOOK_")}
    environment |= {
        "TRIALBOOK_DATABASE_URL": database_url,
        "TRIALBOOK_TOKEN": secrets.token_urlsafe(),
        "TRIALBOOK_LEASE_SECONDS": str(LEASE_SECONDS),
    }
    command = [sys.executable, "-m", "service", "serve", "--port", "0", "--data", str(folder / "data")]
    process = None
    try:
        if edits:
            mutate(folder, (*edits, *SPARED))
        place = folder if edits else ROOT
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                command, cwd=place, env=environment, stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert process.stdout is not None
        ready = process.stdout.readline()
        assert ready, (folder / "log").read_text()
        yield json.loads(ready)["url"], environment["TRIALBOOK_TOKEN"]
    finally:
        if process is not None:
            process.kill()
            process.wait(STOP_SECONDS)
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def started(database_url: str, edits: Sequence[Edit]) -> AsyncIterator[tuple[str, str]]:
    """The same, while other servers' clients go on."""
    with ExitStack() as stack:
        yield await asyncio.to_thread(stack.enter_context, server(database_url, edits))


@dataclass(frozen=True)
class Verdict:
    """What the judge said of a server."""

    name: str
    found: list[Violation]
    calls: int  # that were made until the first violation was complete
    rounds: int

    @property
    def rules(self) -> list[str]:
        """The rules that were broken, those first that were broken most often."""
        rules = [violation.rule for violation in self.found]
        return sorted(set(rules), key=lambda rule: -rules.count(rule))


async def judge(name: str, url: str, token: str, *, seed: int, rounds: int) -> Verdict:
    """Play rounds until something is found out."""
    count = 0
    for number in range(1, rounds + 1):
        calls, final = await play(url, token, seed + number, lambda calls: bool(violations(calls, None)))
        if found := violations(calls, final):
            return Verdict(name, found, count + min(_needed(calls, one) for one in found), number)
        count += len(calls)
    return Verdict(name, [], count, rounds)


def _needed(calls: list[Call], violation: Violation) -> int:
    """How many calls had ended when those that prove a violation had; all where the final state proves it alone."""
    last = max((call.ended for call in violation.calls), default=float("inf"))
    return sum(call.ended <= last for call in calls)


async def judge_all(names: Sequence[str], urls: Sequence[str], tell: Callable[[Verdict], None]) -> list[Verdict]:
    """Judge mutants, a few at once, each on an empty database of its own; `tell` is called as each verdict comes."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(name: str, database_url: str) -> Verdict:
        async with turns, started(database_url, FAULTS[name]) as (url, token):
            verdict = await judge(name, url, token, seed=0, rounds=MOST_ROUNDS)
        tell(verdict)
        return verdict

    return await asyncio.gather(*map(one, names, urls))


@contextmanager
def databases(count: int) -> Iterator[list[str]]:
    """The URLs of empty databases on a PostgreSQL that goes with them."""
    folder = Path(tempfile.mkdtemp(prefix="trialbook-test-"))
    postgres = EmbeddedPostgres(folder)

    async def make(url: str, names: Sequence[str]) -> None:
        connection = await asyncpg.connect(dsn_of(url))
        for name in names:
            await connection.execute(f"create database {name}")
        await connection.close()

    try:
        url = postgres.start()
        names = [f"judged_{number}" for number in range(count)]
        asyncio.run(make(url, names))
        yield [make_url(url).set(database=name).render_as_string(hide_password=False) for name in names]
    finally:
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _print(verdict: Verdict) -> None:
    caught = f"after {verdict.calls:>5} calls  {', '.join(verdict.rules)}" if verdict.found else "NOT CAUGHT"
    print(f"{verdict.name:<40}{caught}", flush=True)


def main(
    names: Annotated[list[str] | None, typer.Argument(help="Which faults; all of them where none is named.")] = None,
    true: Annotated[int, typer.Option(help="Instead, so many rounds against the server as it is.")] = 0,
    seed: int = 0,
) -> None:
    """Judge servers. Exit code 1: a mutant was not found out, or the true server breaks a rule."""
    if true:
        with databases(1) as urls, server(urls[0]) as (url, token):
            verdict = asyncio.run(judge("the server as it is", url, token, seed=seed, rounds=true))
        for violation in verdict.found:
            print(violation)
        print(f"the server as it is: {len(verdict.found)} violations, {verdict.rounds} rounds, {verdict.calls} calls")
        raise typer.Exit(bool(verdict.found))
    chosen = names or list(FAULTS)
    with databases(len(chosen)) as urls:
        verdicts = asyncio.run(judge_all(chosen, urls, _print))
    caught = sum(bool(verdict.found) for verdict in verdicts)
    print(f"{caught} of {len(chosen)} caught")
    raise typer.Exit(caught < len(chosen))


if __name__ == "__main__":
    typer.run(main)
