"""The first examples of a built-in set in plain values, for somebody to look at: words and classes by their names."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from models.datasets.builtin import load
from models.datasets.dataset import END, Dataset

Plain = dict[str, Any]  # Any: by form and task
NOTHING = None  # where no target is known or asked


def excerpt(name: str, rows: int) -> Plain:
    """`columns` of a table; `x`, an array of numbers, or texts; `lengths` of sequences that differ in it; `y`, of each
    example a class, a number, a text, a class by head, or a class for each step. Raises ValueError as `load` does."""
    data = load(name)
    shown = min(rows, len(data.x))
    lengths = None if data.lengths is None else data.lengths[:shown].tolist()
    return {
        "columns": [column.name for column in data.columns],
        "x": _examples(data, shown, lengths),
        "lengths": lengths,
        "y": TARGETS[data.task](data, data.y[:shown]),
    }


def _examples(data: Dataset, shown: int, lengths: list[int] | None) -> Any:  # Any: an array, or texts
    if not data.source:
        return data.x[:shown].numpy()
    between = " " if data.form == "text" else ""
    cut = lengths or [data.x.shape[1]] * shown
    return [
        between.join(data.source[token] for token in tokens[:length])
        for tokens, length in zip(data.x[:shown].tolist(), cut, strict=True)
    ]


def _classes(data: Dataset, y: Tensor) -> list[Any]:
    return [data.classes[one] for one in y.tolist()]


def _heads(data: Dataset, y: Tensor) -> list[Any]:
    return [
        {head.name: head.classes[one] if one >= 0 else NOTHING for head, one in zip(data.heads, example, strict=True)}
        for example in y.tolist()
    ]


def _labels(data: Dataset, y: Tensor) -> list[Any]:
    return [[data.classes[one] if one >= 0 else NOTHING for one in example] for example in y.tolist()]


def _written(data: Dataset, y: Tensor) -> list[Any]:
    between = "" if all(len(token) == 1 for token in data.target[END + 1 :]) else " "
    return [between.join(data.target[one] for one in example if one != END) for example in y.tolist()]


TARGETS: dict[str, Callable[[Dataset, Tensor], list[Any]]] = {  # Any: as above
    "classification": _classes,
    "regression": lambda _, y: list(y.tolist()),
    "multitask": _heads,
    "labelling": _labels,
    "seq2seq": _written,
    "language": lambda _, y: [NOTHING] * len(y),
}
