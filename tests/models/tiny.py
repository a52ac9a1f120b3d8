"""Small data sets for the battery, by name: few examples of each form and task, whose training takes milliseconds."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache

import torch

from models.datasets import Dataset, Split, load, split
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


def talk(sentences: int = 420) -> Dataset:
    """Sentences such as "the wild horse eats .", in each only words of one topic."""
    drawn = torch.randint(6**3, (sentences,), generator=torch.Generator().manual_seed(0)).tolist()
    return from_text(
        "talk", " ".join(f"the {a[i % 3]} {n[i // 6 % 3]} {v[i // 36 % 3]} ." for i in drawn for a, n, v in [TOPICS[i % 2]])
    )


TINY: Mapping[str, Callable[[], Dataset]] = {
    "iris": lambda: few("iris", 150),
    "breast_cancer": lambda: few("breast_cancer", 100),
    "diabetes": lambda: few("diabetes", 100),
    "digits": lambda: few("digits", 100),
    "polynomial": lambda: few("polynomial", 100),
    "digits_parity": lambda: read_digits_parity("digits_parity", rows=100, labelled=60, own_test=0),
    "talk": talk,
    "adding": lambda: make_adding("adding", rows=100, steps=10),
    "reversal": lambda: few("reversal", 60),
    "spelled_digits": lambda: few("spelled_digits", 60),
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
