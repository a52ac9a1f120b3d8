"""The command `trialbook-worker`: reads its options and the environment, and works."""

import importlib.util
import os
import platform
import re
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from models.catalog import TRAINERS
from trialbook import Client
from trialbook.connection import read_environment
from trialbook.errors import TrialbookError
from workers.devices import find_devices, split_devices
from workers.environment import cache_folder, read_commit
from workers.fleet.member import Access
from workers.fleet.supervision import Supervision
from workers.journal import Journal
from workers.settings import FleetSettings, Settings
from workers.trainers import is_own
from workers.worker import DEADLINE, Worker

FLEET = "A fleet on Ray"
OURS = Path(__file__).parent.parent
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
    devices: Annotated[
        str | None,
        typer.Option(help="Graphics processors to share out among the processes, as 0,1; else all that are visible"),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Run a fleet on this Ray cluster: HOST:PORT, ray://HOST:PORT, auto",
            rich_help_panel=FLEET,
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=10_000, help="How many workers", rich_help_panel=FLEET)] = 1,
    cpus_per_worker: Annotated[
        float | None,
        typer.Option(min=0, help="Processors that each needs; else one for each thread", rich_help_panel=FLEET),
    ] = None,
    gpus_per_worker: Annotated[
        float, typer.Option(min=0, help="Graphics processors that each needs; 0.5 shares one", rich_help_panel=FLEET)
    ] = 0.0,
    resource: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=AMOUNT", help="What else of Ray's resources each needs", rich_help_panel=FLEET),
    ] = None,
) -> None:
    """Train trials of a Trialbook server: lease one, train it, report its curve, again.

    [bold]trialbook-worker --url http://lab:8000 --processes 4[/bold]
        trains the book's models, four trials side by side

    [bold]trialbook-worker --trainer train:train[/bold]
        trains with your own function [cyan]def train(trial)[/cyan] in [cyan]train.py[/cyan] of the current folder

    [bold]trialbook-worker --study digits-mlp --drain[/bold]
        works for one study and ends with it

    [bold]trialbook-worker --ray head:6379 --workers 8 --gpus-per-worker 0.5 --trainer train:train[/bold]
        eight workers on a Ray cluster, which get the current folder; this process watches over them

    On SIGTERM or Ctrl-C each trial is saved and given back, so that another worker goes on; a second signal ends at
    once. A trial killed with its worker is leased again within the server's lease time, from its last checkpoint.
    """
    host = platform.node()
    settings = Settings(
        name=name or f"{host}-{os.getpid()}",
        trainers=_choose(trainer),
        folder=Path.cwd(),
        cache=cache or cache_folder(os.environ),
        study=study,
        drain=drain,
        threads=threads,
        wait_seconds=2.0 if drain else 20.0,
        checkpoint_seconds=checkpoint_seconds,
        grace_seconds=grace,
        commit=read_commit(Path.cwd()),
        host=host,
        devices=find_devices(os.environ) if devices is None else split_devices(devices),
    )
    try:
        client = Client(url, token, deadline=DEADLINE)
    except TrialbookError as error:
        _fail(str(error))
    if ray is None:
        _work(client, settings, processes)
    cpus = processes * threads if cpus_per_worker is None else cpus_per_worker
    fleet = FleetSettings(ray, workers, processes, cpus, gpus_per_worker, _read_resources(resource), cache)
    _require_ray(settings)
    access = Access(client.url, token or read_environment()[1])
    raise typer.Exit(Supervision(access, settings, fleet, Journal()).work())


def _work(client: Client, settings: Settings, processes: int) -> NoReturn:
    """A worker in this process, to its end."""
    worker = Worker(client, settings, Journal(), processes)
    worker.heed_signals()
    errors = worker.work()
    for text in errors:
        print(f"trialbook-worker: {text}", file=sys.stderr, flush=True)
    # Threads that still wait for an answer are left behind.
    os._exit(2 if errors else 0)


def _require_ray(settings: Settings) -> None:
    if importlib.util.find_spec("ray") is None:
        _fail("--ray needs Ray: pip install 'trialbook[worker,ray]'")
    if not any(map(is_own, settings.trainers)):
        return
    for package in ("trialbook", "workers"):  # Ray puts the shipped folder first on the actors' path
        found = [path for path in (settings.folder / package, settings.folder / f"{package}.py") if path.exists()]
        if found and found[0] != OURS / package:
            _fail(f"the folder holds a {found[0].name!r} of its own, which on the nodes would take the place of ours")


def _read_resources(texts: list[str] | None) -> tuple[tuple[str, float], ...]:
    """`NAME=AMOUNT` as pairs."""
    pairs = []
    for name, _, amount in (text.partition("=") for text in texts or ()):
        if not name or not re.fullmatch(r"\d+(\.\d*)?", amount):
            _fail(f"give a resource as NAME=AMOUNT, not {name}={amount}")
        pairs.append((name, float(amount)))
    return tuple(pairs)


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
