"""trialbook list, show, best, export: what is stored, for people or for programs."""

import sys
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from trialbook import Client, wire
from trialbook.cli import tables
from trialbook.cli.models import Download, bring
from trialbook.cli.session import URL, As, Output, StudyName, Token, connected, console, say_json
from trialbook.errors import NotFound
from trialbook.words import shown, tested
from trialbook.yaml_text import dump

LATEST = 15  # trials that `show` lists


def list_studies(
    state: Annotated[
        Literal["running", "paused", "completed", "cancelled"] | None, typer.Option(help="Only studies in this state")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many, newest first")] = 50,
    url: URL = None,
    token: Token = None,
    output: As = Output.text,
) -> None:
    """List the studies, newest first.

    [bold]trialbook list --state running[/bold]
    """
    with connected(url, token, output) as client:
        found = list(islice(client.list_studies(state=state, limit=min(limit, 100)), limit))
        if output is Output.json:
            return say_json(found)
        if not found:
            return console.print("No studies yet. Submit one: [bold]trialbook submit study.yaml[/bold]")
        return console.print(tables.studies(found, datetime.now(UTC)))


def show(
    study: StudyName,
    number: Annotated[int | None, typer.Argument(min=0, help="Show this trial, with its curve")] = None,
    download: Download = None,
    url: URL = None,
    token: Token = None,
    output: As = Output.text,
) -> None:
    """Show a study with its latest trials, or one trial with its curve.

    [bold]trialbook show digits-mlp[/bold]

    [bold]trialbook show digits-mlp 12[/bold]

    [bold]trialbook show digits-mlp 12 --download DIR[/bold]
        brings that trial's model home
    """
    if download is not None and number is None:
        raise typer.BadParameter("which trial's model? name its number, or use trialbook best", param_hint="--download")
    with connected(url, token, output) as client:
        found = client.get_study(study)
        if number is not None:
            trial = client.get_trial(study, number)
            bring(client, study, number, download)
            return say_json(trial) if output is Output.json else console.print(tables.trial(found, trial))
        if output is Output.json:
            return say_json(found)
        console.print(tables.study(found, datetime.now(UTC)))
        if trials := _latest(client, study):
            console.print(tables.trials(trials))
        return console.print(f"{client.url}/studies/{study}", style="dim", markup=False)


def best(
    study: StudyName,
    top: Annotated[int, typer.Option("--top", "-n", min=1, max=1000, help="The best N trials")] = 1,
    download: Download = None,
    url: URL = None,
    token: Token = None,
    output: As = Output.text,
) -> None:
    """Print the best trial: its value, and its parameters as YAML.

    [bold]trialbook best digits-mlp[/bold]

    [bold]trialbook best digits-mlp --top 5 -o json[/bold]

    [bold]trialbook best digits-mlp --download DIR[/bold]
        brings its model home: then trialbook predict DIR data.csv, or in Python models.load(DIR)
    """
    with connected(url, token, output) as client:
        spec = client.get_study(study).spec
        found = list(islice(client.list_trials(study, state="complete", order="value", limit=min(top, 100)), top))
        if not found:
            raise NotFound(f"No trial of {study} is complete yet.")
        bring(client, study, found[0].number, download)
        if output is Output.json:
            return say_json(found[0] if top == 1 else found)
        for trial in found:
            console.print(headline(spec, trial.value, trial.number), style="bold", markup=False)
            if line := tested(trial.attributes, spec["objective"]["metric"]):
                console.print(f"# {line}", markup=False)
            console.print(dump({**spec["objective"]["fixed"], **trial.params}), end="", markup=False)
        return None


def export(
    study: StudyName,
    format: Annotated[
        Literal["json", "csv", "optuna"], typer.Option("--format", "-o", help="json, csv, or optuna's storage")
    ] = "json",
    to: Annotated[Path | None, typer.Option("--to", help="The file to write; else standard output")] = None,
    url: URL = None,
    token: Token = None,
) -> None:
    """Export a whole study: spec, trials and curves.

    [bold]trialbook export digits-mlp --format csv --to digits.csv[/bold]
    """
    with connected(url, token) as client:
        if to is None:
            sys.stdout.buffer.write(client.export_study(study, format))
            sys.stdout.buffer.flush()
            return
        unfinished = to.with_name(f"{to.name}.part")  # a broken export must not look like a whole one
        with unfinished.open("wb") as file:
            client.export_study(study, format, file)
        unfinished.replace(to)
        console.print(f"{to} is written", markup=False)


def headline(spec: dict[str, Any], value: float | None, number: int) -> str:
    """What stands above a trial's parameters, as a comment of YAML."""
    return f"# {spec['objective']['metric'] or 'value'} {shown(value)}, trial {number}"


def _latest(client: Client, study: str) -> list[wire.Trial]:
    """The trials with the highest numbers, in order."""
    newest_first = client.list_trials(study, order="-number", limit=LATEST)
    return list(islice(newest_first, LATEST))[::-1]
