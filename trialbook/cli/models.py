"""trialbook predict, and `--download` of best and show: trained models brought home and put to use."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from trialbook import Client
from trialbook.cli.session import As, Output

Download = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Bring the trained model into this folder, which is new, empty or holds a model"),
]
NEEDED = ("torch", "polars", "safetensors")  # of what the extra worker brings
# -P, lest a `models` of the current folder come first.
PROGRAM = (sys.executable, "-P", "-m", "models.predict")


def predict(
    model: Annotated[Path, typer.Argument(metavar="DIR", exists=True, file_okay=False, help="A downloaded model")],
    data: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="Rows: a .csv, .parquet or .npz file; a table's by name")
    ],
    to: Annotated[Path | None, typer.Option("--to", help="The file to write; else standard output")] = None,
    probabilities: Annotated[bool, typer.Option("--probabilities", help="Each class's probability")] = False,
    output: As = Output.text,
) -> None:
    """Predict with a trained model, here and without a server: CSV, or JSON with -o json.

    [bold]trialbook best digits-mlp --download digits-model[/bold]

    [bold]trialbook predict digits-model new.csv --to answers.csv[/bold]
    """
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        print(f"trialbook: predict needs {', '.join(missing)}: pip install 'trialbook[worker]'", file=sys.stderr)
        raise typer.Exit(1)
    options = [*(("--to", str(to)) if to else ()), *(("--probabilities",) if probabilities else ())]
    options += ["--json"] if output is Output.json else []
    # A process of its own: this package does not know the models, and loads no torch for anything else.
    raise typer.Exit(subprocess.run([*PROGRAM, *options, "--", str(model), str(data)]).returncode)  # noqa: S603


def bring(client: Client, study: str, number: int, folder: Path | None) -> None:
    """Download a trial's model into the folder, where one is named; a bar on standard error shows how far it is."""
    if folder is None:
        return
    columns = (TextColumn("trial {task.fields[number]}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", number=number)
        try:
            client.download_model(
                study, number, folder, lambda have, total: bar.update(task, completed=have, total=total)
            )
        except OSError as error:
            print(f"trialbook: the model cannot be brought to {folder}: {error.strerror or error}", file=sys.stderr)
            raise typer.Exit(1) from error
    print(f"The model of trial {number} is in {folder}.", file=sys.stderr)
