"""The sets made by definition: what stands in them, and that they repeat."""

import torch

from models.catalog import DATASETS
from models.datasets import IGNORED, load
from models.datasets.sequences import make_adding, make_copy_memory


def test_adding_marks_one_number_in_each_half_and_asks_for_their_sum() -> None:
    data = make_adding("adding", rows=500, steps=21)
    numbers, marks = data.x.unbind(2)
    assert marks[:, :10].sum(1).eq(1).all() and marks[:, 10:].sum(1).eq(1).all()
    torch.testing.assert_close(data.y, (numbers * marks).sum(1))
    assert numbers.min() >= 0 and numbers.max() < 1
    assert marks.sum(0).min() > 0  # each step is marked sometimes


def test_copy_memory_asks_for_the_symbols_at_the_end_alone() -> None:
    data = make_copy_memory("copy", rows=50, delay=7, symbols=4, count=3)
    said = data.x.argmax(2)  # (50, 13)
    assert data.x.sum(2).eq(1).all()
    assert said[:, :3].lt(4).all() and said[:, 3:10].eq(4).all() and said[:, 10:].eq(5).all()
    assert data.y[:, :10].eq(IGNORED).all() and torch.equal(data.y[:, 10:], said[:, :3])


def test_sets_repeat_and_another_seed_is_another_set() -> None:
    first, again = (make_adding("adding", 20, 10) for _ in range(2))
    assert torch.equal(first.x, again.x) and torch.equal(first.y, again.y)
    assert not torch.equal(first.x, make_adding("adding", 20, 10, seed=1).x)


def test_sequences_are_as_the_catalogue_says() -> None:
    for name in ("adding_50", "copy_memory"):
        about, data = DATASETS[name], load(name)
        assert (data.name, data.form, data.task, tuple(data.x.shape), len(data.classes)) == (
            name, about.form, about.task, (about.rows, *about.shape), about.classes,
        )  # fmt: skip
