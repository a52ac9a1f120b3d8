"""trialbook demo: a server and two workers on this machine tune a real model, from nothing to the best trial."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import IO, Annotated, Any, NoReturn

import typer
from rich.console import Console

from trialbook import Client, wire
from trialbook.cli.reading import headline
from trialbook.cli.session import As, Output, say_json
from trialbook.cli.submitting import free_name
from trialbook.cli.watching import follow
from trialbook.errors import TrialbookError
from trialbook.spec import StudySpec
from trialbook.starting import starting_spec
from trialbook.words import duration, tested
from trialbook.yaml_text import dump

STOP_SECONDS = 20.0
EVALUATION_SECONDS = 60.0  # for what takes a moment
NEEDED = ("fastapi", "torch")  # what the extras server and worker bring
TRAINER = "mlp"
SPEC: dict[str, Any] = {  # beside the trainer's own example of what to search over
    "name": "digits-mlp",
    "title": "A multilayer perceptron on handwritten digits",
    "sampler": {"name": "gp", "seed": 0},
    "pruner": {"name": "median", "n_startup_trials": 5, "n_warmup_steps": 3},
    "tags": {"demo": "yes"},
}


def demo(
    leave: Annotated[bool, typer.Option("--exit", help="Return when the study is done, else serve on")] = False,
    workers: Annotated[int, typer.Option(min=1, max=64, help="How many workers to start")] = 2,
    trials: Annotated[int, typer.Option(min=1, help="How many trials")] = 40,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The server's port; 0 picks a free one")] = 0,
    data: Annotated[Path | None, typer.Option(help="Keep the data in this folder; else it goes at the end")] = None,
    output: As = Output.text,
) -> None:
    """Start a server and workers here, tune a multilayer perceptron on handwritten digits, print the best trial.

    [bold]trialbook demo[/bold]
        serves on until Ctrl-C, so that the dashboard can be looked at

    [bold]trialbook demo --exit -o json[/bold]
        returns when the study is done
    """
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        _stop(f"the demo needs {' and '.join(missing)}: pip install 'trialbook[server,worker]'")
    say = Console(highlight=False, stderr=output is Output.json)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with ExitStack() as running:
            _run(running, say, leave=leave, workers=workers, trials=trials, port=port, data=data, output=output)
    except KeyboardInterrupt:
        say.print("Stopped.")
        raise typer.Exit(130) from None
    except TrialbookError as error:
        _stop(error.detail)


def _run(
    running: ExitStack,
    say: Console,
    *,
    leave: bool,
    workers: int,
    trials: int,
    port: int,
    data: Path | None,
    output: Output,
) -> None:
    folder = running.enter_context(_folder(data))
    ready = running.enter_context(_server(folder, port))
    client = running.enter_context(Client(ready["url"], ready["token"]))
    say.print(f"The server listens at {ready['url']}; the dashboard, signed in by this link once:")
    say.print(f"  [bold]{ready['dashboard']}[/bold]\n", soft_wrap=True)
    for number in range(1, workers + 1):
        running.enter_context(_worker(folder, number, ready))
    begun = time.monotonic()
    study = _evaluated(client, follow(client, client.create_study(_spec(client, trials)).name, on=say))
    took = time.monotonic() - begun
    _say_best(say, study, took)
    if output is Output.json:
        say_json({"url": ready["url"], "seconds": round(took, 1), "study": study.model_dump(mode="json")})
    if not leave:
        say.print("\nServing on; Ctrl-C ends the server and the workers.")
        signal.pause()


def _say_best(say: Console, study: wire.Study, took: float) -> None:
    say.print(f"\nDone in {duration(took)}.")
    if study.best is None:
        _stop("no trial is complete: look at the study's page for why")
    say.print(headline(study.spec, study.best.value, study.best.number), style="bold", markup=False)
    if line := tested(study.best.test, study.spec["objective"]["metric"]):
        say.print(f"# {line}", markup=False)
    say.print(dump(study.best.params), end="", markup=False)


def _evaluated(client: Client, study: wire.Study) -> wire.Study:
    """The study once a worker has measured its best trial on the test part, or in any case soon."""
    give_up = time.monotonic() + EVALUATION_SECONDS
    while study.best is not None and study.best.evaluating and time.monotonic() < give_up:
        time.sleep(0.2)
        study = client.get_study(study.name)
    return study


def _spec(client: Client, trials: int) -> StudySpec:
    """A whole study: the trainer's example, how to search it, and for how long."""
    [trainer] = [one for one in client.list_trainers() if one["name"] == TRAINER]
    changes = {**SPEC, "name": free_name(client, SPEC["name"]), "budget": {"n_trials": trials}}
    return starting_spec(trainer, None, **changes)


@contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    if given is not None:
        given.mkdir(parents=True, exist_ok=True)
        yield given.absolute()
        return
    folder = Path(tempfile.mkdtemp(prefix="trialbook-demo-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _server(folder: Path, port: int) -> Iterator[dict[str, str]]:
    """A server on an embedded database: what it says when it is ready."""
    own = {name for name in os.environ if name.startswith("TRIALBOOK_")}  # meant for another server
    environment = {name: value for name, value in os.environ.items() if name not in own}
    command = ("service", "serve", "--port", str(port), "--data", str(folder / "data"))
    with _process(command, environment, folder / "server.log", stdout=subprocess.PIPE) as process:
        assert process.stdout is not None  # noqa: S101  # for the type: it is a pipe
        if not (line := process.stdout.readline()):
            _stop(f"the server did not start:\n{(folder / 'server.log').read_text()[-2000:]}")
        yield json.loads(line)


@contextmanager
def _worker(folder: Path, number: int, ready: Mapping[str, str]) -> Iterator[None]:
    environment = {**os.environ, "TRIALBOOK_URL": ready["url"], "TRIALBOOK_TOKEN": ready["token"]}
    command = ("workers", "--name", f"demo-{number}", "--cache", str(folder / "cache"))
    with _process(command, environment, folder / f"worker-{number}.log"):
        yield


@contextmanager
def _process(
    command: tuple[str, ...], environment: Mapping[str, str], log: Path, stdout: int | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A child of its own session, so that a terminal's Ctrl-C reaches this process only, which then ends it gently."""
    with log.open("a") as errors:
        out: int | IO[str] = errors if stdout is None else stdout
        child = subprocess.Popen(  # noqa: S603  # our own modules
            (sys.executable, "-m", *command),
            stdout=out,
            stderr=errors,
            env=environment,
            start_new_session=True,
            text=True,
        )
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if child.stdout is not None:
            child.stdout.close()


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _stop(message: str) -> NoReturn:
    print(f"trialbook: {message}", file=sys.stderr)
    raise typer.Exit(1)
