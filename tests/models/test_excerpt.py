"""The first examples of every built-in set, in plain values."""

import json

import pytest

from models.catalog import DATASETS
from models.datasets.excerpt import excerpt
from tests.models.sets import each_set, load_if_there


@each_set
def test_each_set_shows_its_first_examples(name):
    data = load_if_there(name)
    found = excerpt(name, 5)
    assert len(found["x"]) == len(found["y"]) == 5
    assert len(json.loads(json.dumps(found["y"]))) == 5
    if DATASETS[name].form in ("table", "image", "sequence"):
        assert (found["x"] == data.x[:5].numpy()).all()
    assert len(found["columns"]) == len(data.columns)


@pytest.mark.parametrize(("name", "y"), [("iris", ["setosa"] * 2), ("spelled_digits", ["zero", "one"])])
def test_targets_are_words(name, y):
    assert excerpt(name, 2)["y"] == y


def test_heads_are_named_and_null_where_they_are_unknown():
    found = excerpt("digits_parity", 100)["y"]
    assert all(one["parity"] == ("even", "odd")[int(one["digit"]) % 2] for one in found[:80])
    assert {one["parity"] for one in found[80:]} == {None}


def test_dates_are_written_beside_each_other():
    found = excerpt("dates", 100)
    assert all(year[:4] in text for text, year in zip(found["x"], found["y"], strict=True))


def test_labels_are_null_where_nothing_is_asked():
    found = excerpt("copy_memory", 1)["y"][0]
    assert found[:60] == [None] * 60
    assert None not in found[60:]
