"""A trained model in hand: from new examples to what it says of them, in the words of the training data."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.datasets import END, Schema
from models.datasets.text import encode, tokenize
from models.metrics import Costs, decide
from models.rows import Rows, read_rows, read_texts
from models.saved import Description, read, restore
from models.training import Learner


def load(folder: Path | str) -> "Trained":
    """A model from the folder of its two files. Raises ValueError where they are missing, damaged or do not fit."""
    description, parameters = read(folder)
    return Trained(description, restore(description, parameters))


class Trained:
    """Predicts; of several folds or seeds, their mean. Rows are a path (CSV, Parquet, NPZ), dicts, an array or texts.

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
        """For each row the class that the trainer decides for, or one by head; the number; a class for each step; the
        text; the likeliest next word."""
        outputs, lengths = self._outputs(rows)
        if self.schema.task == "classification":
            costs: Any = self.description.params.get("cost_matrix", ())  # Any: a Value, which is more than a matrix
            return list(_named(outputs, self.schema.classes, costs))
        return SAYERS[self.schema.task](outputs, lengths, self.schema)

    def probabilities(self, rows: Rows) -> list[dict[str, float]]:
        """For each row the probability of each class, `head=class` or next word. ValueError where the task has none."""
        schema = self.schema
        if schema.task not in ("classification", "multitask", "language"):
            raise ValueError(f"there are no probabilities of a {schema.task}")
        names = {"classification": schema.classes, "language": schema.source}.get(schema.task) or tuple(
            f"{head.name}={name}" for head in schema.heads for name in head.classes
        )
        outputs, _ = self._outputs(rows)
        return [dict(zip(names, row, strict=True)) for row in outputs.tolist()]

    def _outputs(self, rows: Rows) -> tuple[Tensor, Tensor | None]:
        """What the learner predicts of the rows, and their lengths where they differ."""
        if self.schema.form == "text":
            return self._next_words(read_texts(rows)), None
        x, lengths = read_rows(rows, self.schema)
        each = [schema.preprocessing.apply(x) for schema in self.description.schemas]
        if lengths is not None and x.is_floating_point():
            beyond = torch.arange(x.shape[1]) >= lengths[:, None]
            each = [features.masked_fill(beyond[..., None], 0.0) for features in each]
        return self._learner.predict_folds(each, lengths), lengths

    def _next_words(self, texts: Sequence[str]) -> Tensor:
        """(N, V) probabilities of the word after each text; one by one, since they differ in length."""
        sources = [schema.source for schema in self.description.schemas]
        if len(set(sources)) > 1:
            raise ValueError("each fold's model has a vocabulary of its own, so that their predictions have no mean")
        split = [tokenize(text) for text in texts]
        if not all(split):
            raise ValueError("there are no rows" if not split else f"row {split.index([])} holds no word")
        return torch.cat(
            [self._learner.predict_folds([encode(words, source)[None] for source in sources]) for words in split]
        )


Lengths = Tensor | None


def _named(probabilities: Tensor, names: Sequence[str], costs: Costs = ()) -> list[str | None]:
    """Of each row (N, C) the likeliest, or that of the least cost; None where a model that came to nothing says nan."""
    return [names[position] if position >= 0 else None for position in decide(probabilities, costs).tolist()]


def _numbers(outputs: Tensor, lengths: Lengths, schema: Schema) -> list[Any]:
    return list(outputs.tolist())


def _heads(outputs: Tensor, lengths: Lengths, schema: Schema) -> list[Any]:
    """A dict for each row, from head to class."""
    parts = torch.split(outputs, [len(head.classes) for head in schema.heads], dim=1)
    columns = [_named(part, head.classes) for part, head in zip(parts, schema.heads, strict=True)]
    return [dict(zip([head.name for head in schema.heads], row, strict=True)) for row in zip(*columns, strict=True)]


def _steps(outputs: Tensor, lengths: Lengths, schema: Schema) -> list[Any]:
    """The class of each step that there is."""
    ends: Sequence[int] = [outputs.shape[1]] * len(outputs) if lengths is None else lengths.tolist()
    return [_named(row[:end], schema.classes) for row, end in zip(outputs, ends, strict=True)]


def _texts(outputs: Tensor, lengths: Lengths, schema: Schema) -> list[Any]:
    """The tokens up to the end as one text, with blanks between words and none between characters."""
    between = " " if any(len(token) > 1 for token in schema.target[END + 1 :]) else ""
    rows = [row[: row.index(END)] if END in row else row for row in outputs.tolist()]
    return [between.join(schema.target[token] for token in row) for row in rows]


def _next(outputs: Tensor, lengths: Lengths, schema: Schema) -> list[Any]:
    """The likeliest word that is known: the first place is of all others."""
    return _named(outputs[:, 1:], schema.source[1:])


SAYERS: dict[str, Callable[[Tensor, Lengths, Schema], list[Any]]] = {
    "regression": _numbers,
    "multitask": _heads,
    "labelling": _steps,
    "seq2seq": _texts,
    "language": _next,
}
