"""Sequences made by definition, to see what a net remembers: the adding problem and copy memory. Seeded."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Generator

from models.datasets.dataset import IGNORED, Dataset


def make_adding(name: str, rows: int, steps: int, seed: int = 0) -> Dataset:
    """The adding problem (Hochreiter and Schmidhuber 1997): x (N, T, 2) holds numbers in [0, 1) and marks, 0 or 1.

    One step of each half is marked, and y (N,) is the sum of their two numbers. To say 1 always has a mean squared
    error of 1/6.
    """
    generator = Generator().manual_seed(seed)
    numbers = torch.rand(rows, steps, generator=generator)
    half = steps // 2
    first = torch.randint(half, (rows,), generator=generator)
    second = torch.randint(half, steps, (rows,), generator=generator)
    marked = torch.stack([first, second], dim=1)  # (N, 2)
    marks = torch.zeros(rows, steps).scatter_(1, marked, 1.0)
    y = numbers.gather(1, marked).sum(dim=1)
    return Dataset(name, "regression", torch.stack([numbers, marks], dim=2), y, form="sequence", standardized=False)


def make_copy_memory(name: str, rows: int, delay: int, symbols: int = 8, count: int = 10, seed: int = 0) -> Dataset:
    """Copy memory (Arjovsky 2016): `count` symbols, `delay` blanks, then `count` cues to say the symbols in order.

    x (N, T, symbols + 2) is one-hot: the symbols, blank and cue; T = delay + 2 count. Nothing is asked before the cues.
    Guessing is wrong in 1 - 1/symbols of the steps, at a loss of log(symbols).
    """
    generator = Generator().manual_seed(seed)
    said = torch.randint(symbols, (rows, count), generator=generator)
    blanks, cues = torch.full((rows, delay), symbols), torch.full((rows, count), symbols + 1)
    x = torch.nn.functional.one_hot(torch.cat([said, blanks, cues], dim=1), symbols + 2).float()
    nothing = torch.full((rows, count + delay), IGNORED)
    classes = tuple(str(symbol) for symbol in range(symbols))
    y = torch.cat([nothing, said], dim=1)
    return Dataset(name, "labelling", x, y, classes=classes, form="sequence", standardized=False)


SEQUENCES: dict[str, Callable[[str], Dataset]] = {
    "adding": partial(make_adding, rows=10_000, steps=200),
    "adding_50": partial(make_adding, rows=4000, steps=50),
    "copy_memory": partial(make_copy_memory, rows=4000, delay=50),
}
