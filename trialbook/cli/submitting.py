"""trialbook submit: a study from a file, its mistakes shown at their lines."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from trialbook import Client, wire
from trialbook.cli.session import URL, As, Output, Token, connected, console, fail, say_json
from trialbook.cli.watching import follow
from trialbook.errors import Invalid, InvalidText
from trialbook.words import count


def submit(
    file: Annotated[
        Path, typer.Argument(help="The study in YAML or JSON; - reads it from standard input", allow_dash=True)
    ],
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
    """
    shown = "standard input" if str(file) == "-" else str(file)
    with connected(url, token, output) as client:
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
