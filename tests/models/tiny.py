"""Small data sets for the battery, by name: few examples of each form and task, whose training takes milliseconds."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache

import torch

from models.datasets import Dataset, Split, load, split
from models.datasets.pairs import read_reversal
from models.datasets.parity import read_digits_parity
from models.datasets.sequences import make_adding, make_copy_memory
from models.datasets.text import from_text


def few(name: str, rows: int) -> Dataset:
    """Some examples of a built-in set, the same each time."""
    data = load(name)
    chosen = torch.randperm(len(data.y) - data.own_test, generator=torch.Generator().manual_seed(0))[:rows]
    lengths = None if data.lengths is None else data.lengths[chosen]
    return replace(data, x=data.x[chosen], y=data.y[chosen], lengths=lengths, own_test=0)


TOPICS = (  # of `talk`: an adjective, a noun and a verb
    (("big", "old", "wild"), ("dog", "cat", "horse"), ("eats", "sleeps", "runs")),
    (("fast", "red", "electric"), ("car", "train", "ship"), ("drives", "arrives", "breaks")),
)


def talk(rows: int = 65) -> Dataset:
    """Sentences such as "the wild horse eats .", in each only words of one topic; up to 65 rows."""
    drawn = torch.randint(2 * 3**3, (420,), generator=torch.Generator().manual_seed(0)).tolist()
    said = [(TOPICS[i % 2], i // 2 % 3, i // 6 % 3, i // 18 % 3) for i in drawn]
    data = from_text("talk", " ".join(f"the {of[0][a]} {of[1][n]} {of[2][v]} ." for of, a, n, v in said))
    return replace(data, x=data.x[:rows], y=data.y[:rows])


def ink() -> Dataset:
    """Images of 3 x 4 random pixels, and how much of them is lit."""
    x = torch.rand(50, 1, 3, 4, generator=torch.Generator().manual_seed(0)).square()
    return Dataset("ink", "regression", x, x.mean(dim=(1, 2, 3)), form="image")


TINY: Mapping[str, Callable[[], Dataset]] = {
    "iris": lambda: few("iris", 150),
    "breast_cancer": lambda: few("breast_cancer", 100),
    "diabetes": lambda: few("diabetes", 100),
    "digits": lambda: few("digits", 100),
    "polynomial": lambda: few("polynomial", 100),
    "digits_parity": lambda: read_digits_parity("digits_parity", rows=100, labelled=60, own_test=0),
    "talk": lambda: talk(rows=40),
    "adding": lambda: make_adding("adding", rows=100, steps=10),
    "reversal": lambda: read_reversal("reversal", rows=60),
    "spelled_digits": lambda: few("spelled_digits", 60),
    "ink": ink,
    "copy_memory": lambda: make_copy_memory("copy_memory", rows=80, delay=3, symbols=3, count=2),
}


@cache
def tiny(name: str) -> Split:
    """A small set, split."""
    return split(TINY[name]())


@cache
def sixteen(name: str) -> Split:
    """Sixteen training examples of a small set."""
    whole = tiny(name)
    return replace(whole, train=whole.train.first(16))
