"""The command `trialbook-worker`: reads its options and the environment, and works."""

import os
import platform
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from models.catalog import TRAINERS
from trialbook import Client
from trialbook.errors import TrialbookError
from workers.environment import read_commit
from workers.journal import Journal
from workers.settings import Settings
from workers.trainers import is_own
from workers.worker import Worker

DEADLINE = 10.0  # seconds for which the client repeats a call; what matters is asked for again and again beyond that
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")


@app.command(no_args_is_help=False)
def work(
    url: Annotated[
        str | None, typer.Option(envvar="TRIALBOOK_URL", help="The server's address; else http://127.0.0.1:8000")
    ] = None,
    token: Annotated[
        str | None, typer.Option(envvar="TRIALBOOK_TOKEN", help="A worker's token; or its file: TRIALBOOK_TOKEN_FILE")
    ] = None,
    processes: Annotated[int, typer.Option(min=1, max=1000, help="How many trials to train side by side")] = 1,
    study: Annotated[str | None, typer.Option(help="Train for this study only")] = None,
    trainer: Annotated[
        list[str] | None,
        typer.Option(help="Offer this trainer only: MODULE:FUNCTION of the current folder, or a book trainer's name"),
    ] = None,
    drain: Annotated[bool, typer.Option("--drain", help="End when no running study has use for this worker")] = False,
    name: Annotated[str | None, typer.Option(help="The worker's name; else host and process")] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder for downloaded data; else ~/.cache/trialbook")] = None,
    threads: Annotated[int, typer.Option(min=1, max=1024, help="Threads of each training process")] = 1,
    checkpoint_seconds: Annotated[
        float, typer.Option(min=0, help="A book trainer's time between two checkpoints")
    ] = 15.0,
    grace: Annotated[
        float, typer.Option(min=0, help="Seconds that training has to obey before its process is killed")
    ] = 10.0,
) -> None:
    """Train trials of a Trialbook server: lease one, train it, report its curve, again.

    [bold]trialbook-worker --url http://lab:8000 --processes 4[/bold]
        trains the book's models, four trials side by side

    [bold]trialbook-worker --trainer train:train[/bold]
        trains with your own function [cyan]def train(trial)[/cyan] in [cyan]train.py[/cyan] of the current folder

    [bold]trialbook-worker --study digits-mlp --drain[/bold]
        works for one study and ends with it

    On SIGTERM or Ctrl-C each trial is saved and given back, so that another worker goes on; a second signal ends at
    once. A trial killed with its worker is leased again within the server's lease time, from its last checkpoint.
    """
    host = platform.node()
    settings = Settings(
        name=name or f"{host}-{os.getpid()}",
        trainers=_choose(trainer),
        folder=Path.cwd(),
        cache=cache or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "trialbook",
        study=study,
        drain=drain,
        threads=threads,
        wait_seconds=2.0 if drain else 20.0,
        checkpoint_seconds=checkpoint_seconds,
        grace_seconds=grace,
        commit=read_commit(Path.cwd()),
        host=host,
    )
    try:
        client = Client(url, token, deadline=DEADLINE)
    except TrialbookError as error:
        _fail(str(error))
    errors = Worker(client, settings, Journal(), processes).work()
    for text in errors:
        print(f"trialbook-worker: {text}", file=sys.stderr, flush=True)
    # Threads that still wait for an answer are left behind.
    os._exit(2 if errors else 0)


def _choose(named: list[str] | None) -> tuple[str, ...]:
    """The trainers to offer: those named, or all of the book's."""
    for trainer in named or ():
        if not is_own(trainer) and trainer not in TRAINERS:
            _fail(f"there is no trainer {trainer!r}: give MODULE:FUNCTION, or one of {', '.join(TRAINERS)}")
    return tuple(dict.fromkeys(named or TRAINERS))


def _fail(message: str) -> NoReturn:
    print(f"trialbook-worker: {message}", file=sys.stderr)
    raise typer.Exit(2)


if __name__ == "__main__":
    app(prog_name="trialbook-worker")
