"""A data set's first examples for a terminal: cells as a table, pictures in shades, sequences as lines. Pure."""

import base64
from collections.abc import Callable
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from trialbook import wire
from trialbook.cli.tables import sparkline
from trialbook.words import shown_param

SHADES = " ░▒▓█"
WIDEST = 32  # pixels of a picture's side that are drawn, two characters each
LINES = 3  # features of a sequence that are drawn


def examples(found: wire.Examples) -> RenderableType:
    """What `Client.get_examples` answers."""
    if found.form == "table":
        shown = _cells(found)
    else:
        draw = DRAWN.get(found.form, Text)
        shown = Table.grid(padding=(0, 3, 0, 0))
        for one in found.items:
            shown.add_row(draw(one.x), Text(_target(one.y), "bold"))
    return Group(shown, Text(found.note, "dim")) if found.note else shown


def _cells(found: wire.Examples) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 3, 0, 0))
    for name in found.columns or ():
        table.add_column(Text(name), justify="right")
    table.add_column(Text(found.target or "target"), style="bold")
    for one in found.items:
        table.add_row(*(Text("" if cell is None else shown_param(cell)) for cell in one.x), Text(_target(one.y)))
    return table


def _picture(x: dict[str, Any]) -> Text:  # Any: JSON, as `wire.Example` says
    """Two characters for each pixel, whose height is that of two; channels by their mean."""
    width, height, channels = x["width"], x["height"], x["channels"]
    pixels = base64.b64decode(x["pixels"])
    stride = -(-max(width, height) // WIDEST)
    lines = []
    for row in range(0, height, stride):
        places = (channels * (row * width + column) for column in range(0, width, stride))
        lines.append("".join(2 * _shade(sum(pixels[at : at + channels]) / channels) for at in places))
    return Text("\n".join(lines) + "\n")


def _shade(brightness: float) -> str:
    return SHADES[round(brightness / 255 * (len(SHADES) - 1))]


def _sequence(x: list[list[Any]]) -> Text:  # Any: a number, or how it is spelled
    features = list(zip(*x, strict=True))[:LINES]
    return Text("\n".join(sparkline([float(value) for value in one], len(one)) for one in features))


DRAWN: dict[str, Callable[[Any], Text]] = {"image": _picture, "sequence": _sequence}  # others are texts


def _target(y: Any) -> str:  # Any: by task
    if isinstance(y, dict):
        return ", ".join(f"{head} {_target(one)}" for head, one in y.items())
    if isinstance(y, list):
        return " ".join(_target(one) for one in y)
    return "–" if y is None else shown_param(y)
