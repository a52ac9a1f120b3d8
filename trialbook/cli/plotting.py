"""trialbook plot: a figure of a study as a file to look at, to send, or to put into a report."""

from pathlib import Path
from typing import Annotated

import typer

from trialbook.cli.session import URL, StudyName, Token, connected, console
from trialbook.plotting import Kind, Theme


def plot(
    study: StudyName,
    kind: Annotated[Kind, typer.Argument(help="What to draw")] = "history",
    to: Annotated[Path | None, typer.Option("--output", "-o", help="The file to write; else STUDY-KIND.html")] = None,
    x: Annotated[str | None, typer.Option("--x", help="contour, rank: the parameter across")] = None,
    y: Annotated[str | None, typer.Option("--y", help="contour, rank: the parameter up")] = None,
    method: Annotated[str | None, typer.Option(help="importance: fanova or ped-anova")] = None,
    theme: Annotated[Theme, typer.Option(help="auto: as whoever looks has it")] = "auto",
    url: URL = None,
    token: Token = None,
) -> None:
    """Draw a figure of a study into one file that any browser shows, without a server or the internet.

    [bold]trialbook plot digits-mlp -o history.html[/bold]

    [bold]trialbook plot digits-mlp importance -o importance.html --theme light[/bold]

    [bold]trialbook plot digits-mlp contour --x learning_rate --y dropout -o map.html[/bold]
    """
    to = to or Path(f"{study}-{kind}.html")
    asked = {name: value for name, value in {"x": x, "y": y, "method": method}.items() if value is not None}
    with connected(url, token) as client:
        client.plot(study, kind, theme=theme, **asked).save(to)
        console.print(f"{to} is written", markup=False)
