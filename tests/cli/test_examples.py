"""The first examples of a data set as a terminal shows them."""

import base64
import io

from rich.console import Console

from trialbook import wire
from trialbook.cli.examples import examples


def printed(form: str, *items: tuple, columns: list[str] | None = None, note: str = "") -> list[str]:
    made = [wire.Example(x=x, y=y) for x, y in items]
    found = wire.Examples(
        name="mine", form=form, task="", target=None, columns=columns, rows=9, shape=None, items=made, note=note
    )
    console = Console(file=io.StringIO(), width=100)
    console.print(examples(found))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def picture(width: int, height: int, channels: int, pixels: list[int]) -> dict:
    coded = base64.b64encode(bytes(pixels)).decode()
    return {"width": width, "height": height, "channels": channels, "pixels": coded}


def test_cells_stand_under_their_columns_and_a_missing_one_is_empty():
    assert printed("table", ([1.5, None], "[b]tall"), columns=["height", "weight"], note="1 more") == [
        "height   weight   target",
        "   1.5            [b]tall",
        "1 more",
    ]


def test_pictures_are_shades_and_channels_their_mean():
    assert printed("image", (picture(2, 2, 1, [0, 255, 128, 64]), 7))[:2] == ["  ██   7", "▒▒░░"]
    assert printed("image", (picture(1, 1, 3, [255, 255, 255]), "red"))[0] == "██   red"


def test_large_pictures_are_drawn_smaller():
    lines = printed("image", (picture(64, 64, 1, [255] * 64 * 64), 0))
    assert [len(line.split()[0]) for line in lines if line] == [64] * 32


def test_sequences_are_lines_and_what_is_not_finite_a_cross():
    assert printed("sequence", ([[0.0, 1.0], [1.0, "nan"]], [1, None])) == ["▁█   1 –", "▁×"]


def test_texts_have_their_targets():
    assert printed("text", ("to be", None), ("cab", {"a": 1, "b": None})) == ["to be   –", "cab     a 1, b –"]
