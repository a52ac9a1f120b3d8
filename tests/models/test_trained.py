"""Each trainer's kept model predicts from rows as people have them what its learner says of the same examples."""

from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from models.datasets import Dataset, split
from models.datasets.pairs import pair
from models.families import build
from models.saved import describe, save
from models.trained import SAYERS, load
from tests.models.test_battery import Row, each_row
from tests.models.tiny import TINY, tiny

FEW = 20


def rows_of(data: Dataset) -> Any:
    """Some raw examples: arrays as they are, sequences that differ cut to their length, tokens and words as texts."""
    x, lengths = data.x[:FEW], data.lengths
    if data.form == "text":
        return [" ".join(data.source[word] for word in row) for row in x.tolist()]
    if lengths is None:
        return x.numpy()
    if data.form == "tokens":
        return [
            "".join(data.source[token] for token in row[:end]) for row, end in zip(x.tolist(), lengths, strict=False)
        ]
    return [row[:end].numpy() for row, end in zip(x, lengths[:FEW].tolist(), strict=True)]


def expected_of(learner: Any, data: Dataset) -> list[Any]:
    schema = tiny(data.name).schema if data.name in TINY else split(data).schema
    lengths = None if data.lengths is None else data.lengths[:FEW]
    outputs: Tensor = learner.predict(schema.preprocessing.apply(data.x[:FEW]), lengths)
    if schema.task == "classification":
        return [schema.classes[position] for position in outputs.argmax(dim=1).tolist()]
    return SAYERS[schema.task](outputs, lengths, schema)


@each_row
def test_files_and_raw_rows_are_enough_to_predict(row: Row, tmp_path: Path) -> None:
    data, parts, learner = TINY[row.data](), tiny(row.data), row.build(epochs=1)
    list(learner.fit(parts))
    params = {**({"epochs": 1} if not row.is_fitted_at_once else {}), **row.params}
    about = describe(row.trainer, params, seed=0, seeds=1, schemas=(parts.schema,), split_seed=0, version="0")
    save(tmp_path, about, learner.best_parameters())
    said, expected = load(tmp_path).predict(rows_of(data)), expected_of(learner, data)
    if parts.schema.task == "regression":
        assert said == pytest.approx(expected, rel=1e-4)
    else:
        assert said == expected


def test_a_cost_matrix_decides_as_in_training(tmp_path: Path) -> None:
    costs = [[0, 0.001, 0.001], [9, 0, 9], [9, 9, 0]]  # rather anything than the first class
    data, params = TINY["iris"](), {"epochs": 5, "cost_matrix": costs}
    learner = build("logistic", params)
    list(learner.fit(split(data)))
    about = describe("logistic", params, seed=0, seeds=1, schemas=(split(data).schema,), split_seed=0, version="0")
    save(tmp_path, about, learner.best_parameters())
    assert "setosa" not in load(tmp_path).predict(data.x)
    assert max(row["setosa"] for row in load(tmp_path).probabilities(data.x)) > 0.5


def test_tokens_are_words_or_characters_and_unknown_ones_are_named(tmp_path: Path) -> None:
    words = [f"{a} {b}".split() for a in ("one", "two", "three") for b in ("cat", "dog", "owl", "ant")]
    data = pair("words", words, [list(reversed(row)) for row in words])
    learner = build("seq2seq", {"epochs": 1, "hidden_size": 4})
    parts = split(data)
    list(learner.fit(parts))
    params = {"epochs": 1, "hidden_size": 4}
    about = describe("seq2seq", params, seed=0, seeds=1, schemas=(parts.schema,), split_seed=0, version="0")
    save(tmp_path, about, learner.best_parameters())
    model = load(tmp_path)
    (tmp_path / "new.txt").write_text("one cat\n\ntwo owl\n")
    (tmp_path / "new.csv").write_text("said\none cat\ntwo owl\n")
    said = model.predict(["one cat", "two owl"])
    assert said == model.predict(tmp_path / "new.txt") == model.predict(str(tmp_path / "new.csv"))
    assert all(set(text.split()) <= set(data.target) for text in said)
    with pytest.raises(ValueError, match="never saw the tokens 'bear', 'four'"):
        model.predict(["four bear"])
    with pytest.raises(ValueError, match="row 1 holds no token"):
        model.predict(["one cat", ""])
    with pytest.raises(ValueError, match="no probabilities of a seq2seq"):
        model.probabilities(["one cat"])
