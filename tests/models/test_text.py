"""Running text: words, rows that predict each word once, a vocabulary of the training part, parts of whole blocks."""

from collections import Counter

import pytest
import torch

from models.datasets import Dataset, load, split
from models.datasets.preprocessing import Vocabulary
from models.datasets.splits import BLOCK
from models.datasets.text import STRETCH, encode, from_text, tokenize


def test_words_are_lower_case_and_punctuation_stands_alone() -> None:
    assert tokenize("The cat's\nbuilt-in x2, naïve!") == ["the", "cat's", "built-in", "x2", ",", "naïve", "!"]
    assert tokenize("模型 learns好") == ["模", "型", "learns", "好"]


def test_rows_overlap_by_one_word_so_that_each_is_predicted_once() -> None:
    words = [f"w{i % 700}" for i in range(2_100)]
    data = from_text("counted", " ".join(words))
    predicted = [data.source[i] for i in data.x[:, 1:].flatten().tolist()]
    assert predicted == words[1 : 1 + len(data.x) * STRETCH]
    assert data.x.shape == (2_099 // STRETCH, STRETCH + 1)
    assert torch.equal(data.x[1:, 0], data.x[:-1, -1])
    assert data.source[0] == "<unk>"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("few words", "small has 2 words, punctuation marks included; a text must have from 2,000 to 2,000,000"),
        (" ".join(f"w{i}" for i in range(2_000)), "no word of small comes twice"),
    ],
    ids=["short", "all different"],
)
def test_refuses_a_text_that_nothing_can_be_learned_of(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_text("small", text)


def test_vocabulary_holds_the_words_that_come_twice_in_training() -> None:
    data = load("python_docs")
    cut = split(data)
    fitted = cut.schema.preprocessing
    assert isinstance(fitted, Vocabulary)
    counts = Counter(cut.train.x[:, 1:].flatten().tolist())
    assert [counts[i] for i in range(len(fitted.kept))] == list(fitted.counts)
    assert list(fitted.counts[1:]) == sorted(fitted.counts[1:], reverse=True)
    assert min(fitted.counts[1:]) >= 2
    assert cut.schema.source[1:] == tuple(data.source[i] for i in fitted.kept[1:])
    assert cut.validation.x.max() < len(cut.schema.source)


def test_vocabulary_knows_only_the_words_it_keeps() -> None:
    fitted = Vocabulary(kept=(0, 5, 2), counts=(4, 9, 3))
    assert fitted.apply(torch.tensor([[0, 1, 2, 5, 6, 900]])).tolist() == [[0, 0, 2, 1, 0, 0]]
    assert encode(["b", "c", "a"], ("<unk>", "a", "b")).tolist() == [2, 0, 1]


@pytest.mark.parametrize("folds", [1, 3])
def test_neighbouring_rows_stay_in_one_part(folds: int) -> None:
    rows = 101
    numbered = Dataset(
        "numbered",
        "language",
        torch.ones(rows, STRETCH + 1, dtype=torch.int64),
        torch.empty(rows, 0),
        form="text",
        source=("<unk>", "word"),
        lengths=torch.arange(rows),  # which no model of texts looks at: here the rows' numbers
    )
    whole = split(numbered, seed=1, folds=folds)
    for fold in whole.folds or (whole,):
        parts = [part.lengths.tolist() for part in (fold.train, fold.validation, fold.test) if part.lengths is not None]
        assert sorted(row for part in parts for row in part) == list(range(rows))
        blocks = [{row // BLOCK for row in part} for part in parts]
        assert sum(map(len, blocks)) == len(set.union(*blocks)) == 13
