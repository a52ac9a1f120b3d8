"""A trained model in hand: from new examples to what it says of them, in the words of the training data."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.datasets import END, Schema
from models.rows import Rows, read_rows
from models.saved import Description, read, restore
from models.training import Learner


def load(folder: Path | str) -> "Trained":
    """A model from the folder of its two files. Raises ValueError where they are missing, damaged or do not fit."""
    description, parameters = read(folder)
    return Trained(description, restore(description, parameters))


class Trained:
    """Predicts; of several folds or seeds, their mean. Rows are a path (CSV, Parquet, NPZ), dicts or an array.

    A table's columns go by their names, in any order; what was never seen in training counts as missing. Images and
    sequences may be flat. Both methods raise ValueError for rows that do not fit.
    """

    def __init__(self, description: Description, learner: Learner) -> None:
        self.description = description
        self._learner = learner

    @property
    def schema(self) -> Schema:
        """What the model knows of the data; the first fold's, where there are several."""
        return self.description.schemas[0]

    def predict(self, rows: Rows) -> list[Any]:  # Any: by task
        """For each row the likeliest class by name, or the number; of sequences the class of each step; a text."""
        outputs, lengths = self._outputs(rows)
        return SAYERS[self.schema.task](outputs, lengths, self.schema)

    def probabilities(self, rows: Rows) -> list[dict[str, float]]:
        """For each row the probability of each class. Raises ValueError where the task has none."""
        if self.schema.task != "classification":
            raise ValueError(f"a {self.schema.task} has no classes with a probability each")
        outputs, _ = self._outputs(rows)
        return [dict(zip(self.schema.classes, row, strict=True)) for row in outputs.tolist()]

    def _outputs(self, rows: Rows) -> tuple[Tensor, Tensor | None]:
        """What the learner predicts of the rows, and their lengths where they differ."""
        x, lengths = read_rows(rows, self.schema)
        each = [schema.preprocessing.apply(x) for schema in self.description.schemas]
        if lengths is not None and x.is_floating_point():
            beyond = torch.arange(x.shape[1]) >= lengths[:, None]
            each = [features.masked_fill(beyond[..., None], 0.0) for features in each]
        return self._learner.predict_folds(each, lengths), lengths


def _classes(outputs: Tensor, lengths: Tensor | None, schema: Schema) -> list[Any]:
    return [schema.classes[position] for position in outputs.argmax(dim=1).tolist()]


def _numbers(outputs: Tensor, lengths: Tensor | None, schema: Schema) -> list[Any]:
    return list(outputs.tolist())


def _steps(outputs: Tensor, lengths: Tensor | None, schema: Schema) -> list[Any]:
    """The class of each step that there is."""
    ends: Sequence[int] = [outputs.shape[1]] * len(outputs) if lengths is None else lengths.tolist()
    chosen = outputs.argmax(dim=2).tolist()
    return [[schema.classes[position] for position in row[:end]] for row, end in zip(chosen, ends, strict=True)]


def _tokens(outputs: Tensor, lengths: Tensor | None, schema: Schema) -> list[Any]:
    """The tokens up to the end as one text, with blanks between words and none between characters."""
    between = " " if any(len(token) > 1 for token in schema.target[END + 1 :]) else ""
    rows = [row[: row.index(END)] if END in row else row for row in outputs.tolist()]
    return [between.join(schema.target[token] for token in row) for row in rows]


SAYERS: dict[str, Callable[[Tensor, Tensor | None, Schema], list[Any]]] = {
    "classification": _classes,
    "regression": _numbers,
    "labelling": _steps,
    "seq2seq": _tokens,
}
