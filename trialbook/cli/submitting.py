"""trialbook submit: a study from a file, its mistakes shown at their lines, or one made from the catalogue."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from trialbook import Client, wire
from trialbook.cli.session import URL, As, Output, Token, connected, console, fail, say_json
from trialbook.cli.watching import follow
from trialbook.errors import Invalid, InvalidText, NotFound
from trialbook.starting import names_like, starting_spec
from trialbook.words import count
from trialbook.yaml_text import text_of

T = TypeVar("T")


def submit(
    file: Annotated[
        Path | None, typer.Argument(help="The study in YAML or JSON; - reads it from standard input", allow_dash=True)
    ] = None,
    trainer: Annotated[
        str | None, typer.Option(help="Without a file: a trainer of the catalogue, with its own search space")
    ] = None,
    data: Annotated[str | None, typer.Option(help="With --trainer: the data set, else the trainer's own")] = None,
    trials: Annotated[int | None, typer.Option(min=1, help="With --trainer: how many trials")] = None,
    name: Annotated[str | None, typer.Option(help="With --trainer: the study's name, else made of the two")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check the study and store nothing")] = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Then watch it until it ends")] = False,
    url: URL = None,
    token: Token = None,
    output: As = Output.text,
) -> None:
    """Submit a study.

    [bold]trialbook submit study.yaml --dry-run[/bold]
        checks it: each mistake is shown at its line

    [bold]trialbook submit study.yaml --watch[/bold]
        submits it and shows progress bars until it ends

    [bold]trialbook submit --trainer cnn --data digits[/bold]
        searches the trainer's usual space on that data; --dry-run -o json shows the study that this makes
    """
    if (file is None) == (trainer is None):
        raise typer.BadParameter("Give a FILE, or --trainer.", param_hint="FILE")
    if file is not None and (data, trials, name) != (None, None, None):
        raise typer.BadParameter("--data, --trials and --name go with --trainer; a file says them itself.")
    with connected(url, token, output) as client:
        if file is None:
            shown, kind = "the study", "application/yaml"
            text = made_text(client, str(trainer), data, trials, name)
        else:
            shown = "standard input" if str(file) == "-" else str(file)
            text, kind = _read(file), "application/json" if file.suffix.lower() == ".json" else "application/yaml"
        try:
            if dry_run:
                _say_checked(client.validate_study(text, kind=kind), output)
                return
            study = client.submit_text(text, kind=kind)
        except Invalid as error:
            fail(error, output, file=shown, text=text)
        _say_submitted(client, study, output)
        if watch:
            follow(client, study.name, output)


def made_text(client: Client, trainer: str, data: str | None, trials: int | None, name: str | None) -> str:
    """The YAML of a study from the catalogue, under a name that is free. Raises NotFound for what it does not hold."""
    found = _named(trainer, {one["name"]: one for one in client.list_trainers()}, "trainer")
    chosen = None if data is None else _named(data, {one.name: one for one in client.list_datasets()}, "data set")
    changes: dict[str, Any] = {} if trials is None else {"budget": {"n_trials": trials}}
    spec = starting_spec(found, chosen, **changes)
    return text_of(spec.model_copy(update={"name": name or free_name(client, spec.name)}))


def free_name(client: Client, name: str) -> str:
    """The name, or one like it that no study has."""
    return next((one for one in names_like(name) if not _exists(client, one)), name)


def _named(name: str, known: Mapping[str, T], kind: str) -> T:
    if name not in known:
        raise NotFound(f"There is no {kind} {name!r}; there are {', '.join(known)}.")
    return known[name]


def _exists(client: Client, study: str) -> bool:
    try:
        client.get_study(study)
    except NotFound:
        return False
    return True


def _read(file: Path) -> str:
    try:
        return (sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()).decode("utf-8")
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error.strerror}.", param_hint="FILE") from None
    except UnicodeDecodeError as error:
        raise InvalidText(f"{file} is not UTF-8 text: byte {error.start} cannot be read.") from None


def _say_checked(found: dict[str, Any], output: Output) -> None:
    if output is Output.json:
        say_json(found)
    elif found["valid"]:
        console.print(summary(found["spec"], found["n_cells"]), markup=False)
    if found["name_taken"]:
        print(f"trialbook: the name {found['spec']['name']} is taken; choose another one", file=sys.stderr)
        raise typer.Exit(1)


def summary(spec: dict[str, Any], n_cells: int | None) -> str:
    """What a valid spec asks for, in one line."""
    objective, n_trials = spec["objective"], spec["budget"]["n_trials"] or n_cells
    what = " ".join(filter(None, [objective["trainer"], objective["data"] and f"on {objective['data']}"]))
    ends = f"{count(n_trials, 'trial')} over " if n_trials else "trials without end over "
    cells = f" with {count(n_cells, 'cell')}" if n_cells is not None else ""
    return (
        f"{spec['name']} is valid: {what}, {objective['direction'] or 'minimize'} "
        f"{objective['metric'] or 'the value'}; "
        f"{ends}{count(len(spec['space']), 'parameter')}, sampler {spec['sampler']['name']}{cells}, "
        f"pruner {spec['pruner']['name']}"
    )


def _say_submitted(client: Client, study: wire.Study, output: Output) -> None:
    if output is Output.json:
        return say_json(study)
    console.print(f"[bold]{study.name}[/bold] is submitted: {client.url}/studies/{study.name}")
    if study.workers == 0 and study.spec["objective"]["trainer"] != "external":
        console.print(f"No worker is on it yet; start one: [bold]trialbook-worker --url {client.url}[/bold]")
    return None
