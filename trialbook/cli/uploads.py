"""trialbook data: list, show, upload and delete data sets."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from trialbook import wire
from trialbook.cli.examples import examples
from trialbook.cli.session import URL, As, Output, Token, Yes, ask, connected, console, say_json

ROWS = {"table": "rows", "image": "images", "sequence": "sequences", "text": "words"}
app = typer.Typer(no_args_is_help=True, rich_markup_mode="rich", help="List, show, upload and delete data sets.")


@app.command("list")
def list_data(url: URL = None, token: Token = None, output: As = Output.text) -> None:
    """List the data sets that studies can name."""
    with connected(url, token, output) as client:
        found = client.list_datasets()
        if output is Output.json:
            return say_json(found)
        return console.print(_table(found))


@app.command("show")
def show(
    name: str,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many examples")] = 5,
    url: URL = None,
    token: Token = None,
    output: As = Output.text,
) -> None:
    """Show the first examples of a data set.

    [bold]trialbook data show digits --limit 3[/bold]
    """
    with connected(url, token, output) as client:
        found = client.get_examples(name, limit)
        if output is Output.json:
            return say_json(found)
        return console.print(examples(found))


@app.command("put")
def put(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A .csv, .parquet, .npz or .txt file")],
    target: Annotated[str | None, typer.Option(help="The column of a table that is to be predicted")] = None,
    name: Annotated[str | None, typer.Option(help="The data set's name; else the file's")] = None,
    task: Annotated[
        str | None,
        typer.Option(
            help="classification, regression, labelling or language; else as the data says: fractions, or many "
            "different whole numbers, are for regression"
        ),
    ] = None,
    url: URL = None,
    token: Token = None,
    output: As = Output.text,
) -> None:
    """Upload your own data.

    [bold]trialbook data put wine.csv --target quality --task regression[/bold]
        then in a study: objective: {trainer: mlp, data: wine, …}

    [bold]trialbook data put scans.npz[/bold]
        images x (N, C, H, W) or sequences x (N, T, F), with y and, where sequences differ in it, lengths

    [bold]trialbook data put book.txt[/bold]
        running text for word2vec and language_model
    """
    with connected(url, token, output) as client:
        stored = client.put_dataset(name or file.stem.lower(), file, target=target, task=task)
        if output is Output.json:
            return say_json(stored)
        return console.print(
            f"{stored.name} is stored: {stored.task}, {stored.rows} {ROWS.get(stored.form, 'examples')}{_of(stored)}",
            markup=False,
        )


@app.command("delete")
def delete(name: str, yes: Yes = False, url: URL = None, token: Token = None) -> None:
    """Delete a data set of yours."""
    with connected(url, token) as client:
        ask(yes, f"Delete the data set {name}? Studies that were submitted on it keep it; new ones can't name it.")
        client.delete_dataset(name)
        console.print(f"{name} is deleted", markup=False)


def _table(found: list[wire.Dataset]) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 3, 0, 0))
    for title in ("data", "task", "rows", "of", "target", "from"):
        table.add_column(title, justify="right" if title == "rows" else "left")
    for one in found:
        sizes = ("–" if one.rows is None else str(one.rows), _example(one))
        origin = "built in" if one.builtin else one.owner or ""
        table.add_row(Text(one.name, "bold"), one.task, *sizes, Text(one.target or ""), Text(origin))
    return table


def _of(one: wire.Dataset) -> str:
    return f" of {_example(one)}" if one.shape else ""


def _example(one: wire.Dataset) -> str:
    """What one row is: `10 columns`, `image 1 × 28 × 28`."""
    if one.form == "table":
        return "–" if one.columns is None else f"{one.columns} columns"
    return " ".join([one.form, " × ".join(str(n) for n in one.shape or ())]).strip()
