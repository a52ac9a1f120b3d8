"""Splits and folds: deterministic, stratified, disjoint; preprocessing fitted on the training part only."""

import dataclasses
import json

import pytest
import torch

from models.datasets import Column, Dataset, Split, load, split
from models.datasets.schemas import from_json, to_json
from tests.models.sets import each_set, load_if_there


def numbered(rows: int = 103, classes: int = 0) -> Dataset:
    """A data set whose target (and only feature) is the row's number, or whose class cycles."""
    index = torch.arange(rows)
    y = index % classes if classes else index.float()
    names = tuple(str(c) for c in range(classes))
    return Dataset(
        "numbered", "classification" if classes else "regression", index.float()[:, None], y, (Column("i"),), names
    )


def rows_of(part: Split) -> list[list[int]]:
    """Row numbers of the training, validation and test part of a numbered set."""
    return [[round(v) for v in p.y.tolist()] for p in (part.train, part.validation, part.test)]


def test_parts_are_disjoint_and_complete() -> None:
    train, validation, test = rows_of(split(numbered(), seed=3))
    assert sorted([*train, *validation, *test]) == list(range(103))
    assert [len(train), len(validation), len(test)] == [61, 21, 21]


def test_the_seed_alone_decides() -> None:
    assert rows_of(split(numbered(), seed=1)) == rows_of(split(numbered(), seed=1))
    assert rows_of(split(numbered(), seed=1)) != rows_of(split(numbered(), seed=2))


@pytest.mark.parametrize("name", ["digits", "iris", "wine", "breast_cancer"])
def test_each_class_keeps_its_share_in_each_part(name: str) -> None:
    data = load(name)
    parts, whole = split(data, seed=5), torch.bincount(data.y)
    for part, share in ((parts.train, 0.6), (parts.validation, 0.2), (parts.test, 0.2)):
        assert (torch.bincount(part.y) - share * whole).abs().max() <= 2


def test_folds_take_turns_in_validation_and_share_the_test_rows() -> None:
    folds = [rows_of(fold) for fold in split(numbered(), seed=3, folds=4).folds]
    test = rows_of(split(numbered(), seed=3))[2]
    assert all(fold[2] == test for fold in folds)
    assert sorted(row for fold in folds for row in fold[1]) == sorted(set(range(103)) - set(test))
    assert all(sorted([*fold[0], *fold[1], *test]) == list(range(103)) for fold in folds)


def test_folds_keep_the_classes_shares() -> None:
    for fold in split(numbered(100, classes=4), folds=5).folds:
        assert torch.bincount(fold.validation.y).tolist() == [4, 4, 4, 4]


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="numbered has too few rows"):
        split(numbered(2))
    with pytest.raises(ValueError, match="numbered has too few rows"):
        split(numbered(10), folds=9)


@pytest.mark.parametrize("name", ["wine", "diabetes"])
def test_training_columns_have_mean_zero_and_deviation_one(name: str) -> None:
    x = split(load(name)).train.x.double()
    torch.testing.assert_close(x.mean(dim=0), torch.zeros_like(x[0]), atol=1e-5, rtol=0)
    torch.testing.assert_close(x.std(dim=0, correction=0), torch.ones_like(x[0]), atol=1e-5, rtol=0)


def test_an_image_is_scaled_as_a_whole() -> None:
    x = split(load("digits")).train.x.double()
    assert x.mean().item() == pytest.approx(0.0, abs=1e-5)
    assert x.std(correction=0).item() == pytest.approx(1.0, abs=1e-5)
    assert len(set(x.std(dim=0).flatten().tolist())) > 50


@pytest.mark.parametrize("folds", [1, 3])
def test_preprocessing_sees_the_training_part_only(folds: int) -> None:
    data = load("diabetes")
    train = rows_of(split(numbered(len(data.y)), folds=folds))[0]
    spoiled = dataclasses.replace(data, x=data.x * 1000.0, y=data.y * 1000.0)
    spoiled.x[train], spoiled.y[train] = data.x[train], data.y[train]
    kept, split_again = split(data, folds=folds), split(spoiled, folds=folds)
    assert split_again.schema == kept.schema
    assert torch.equal(split_again.train.x, kept.train.x)
    assert not torch.equal(split_again.validation.x, kept.validation.x)


@each_set
def test_a_schema_survives_json(name: str) -> None:
    schema = split(load_if_there(name)).schema
    assert from_json(json.loads(json.dumps(to_json(schema)))) == schema
