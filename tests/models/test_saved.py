"""A trained model in two files predicts what the learner would have, from rows in whatever shape people have them."""

import csv
import json
import math

import numpy as np
import polars as pl
import pytest
import torch

from models import load
from models.datasets import load as load_data
from models.datasets import load_table, split
from models.families import build
from models.predict import main
from models.saved import DESCRIPTION, PARAMETERS, describe, save

HOUSES = [
    {"area": 40 + i, "town": ("Ulm", "Aachen", "Kiel")[i % 3], "built": f"19{50 + i % 50}-01-0{1 + i % 9}",
     "sold": i % 2 == 0, "price": 3.0 * i + 10 * (i % 3)} for i in range(60)
]  # fmt: skip
FIXED = {"epochs": 3, "learning_rate": 0.01}


def kept(folder, data, trainer="mlp", *, folds=1, seeds=1, **params):
    """Train and save a model; the learner and its data."""
    parts = split(data, folds=folds)
    learner = build(trainer, {**FIXED, **params}, seed=3, seeds=seeds)
    list(learner.fit(parts))
    schemas = tuple(fold.schema for fold in parts.folds or (parts,))
    about = describe(trainer, {**FIXED, **params}, seed=3, seeds=seeds, schemas=schemas, split_seed=0, version="0.1.0")
    save(folder, about, learner.best_parameters())
    return learner, parts


@pytest.fixture(scope="module")
def houses(tmp_path_factory):
    """A model of a table with numbers, text, dates and truth values, and the table as a file."""
    folder = tmp_path_factory.mktemp("houses")
    path = folder / "houses.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, HOUSES[0])
        writer.writeheader()
        writer.writerows({**row, "sold": str(row["sold"]).lower()} for row in HOUSES)
    data = load_table(path, target="price", task="regression")
    learner, parts = kept(folder / "model", data)
    expected = learner.predict(parts.schema.preprocessing.apply(data.x)).tolist()
    return folder / "model", path, expected


def test_a_table_is_predicted_from_its_file_as_by_the_learner(houses, tmp_path):
    folder, path, expected = houses
    pl.read_csv(path, try_parse_dates=True).write_parquet(tmp_path / "houses.parquet")
    assert load(folder).predict(path) == pytest.approx(expected)
    assert load(folder).predict(tmp_path / "houses.parquet") == pytest.approx(expected)


def test_dicts_are_read_by_name_in_any_order(houses):
    folder, _, expected = houses
    rows = [dict(reversed(row.items())) for row in HOUSES]
    assert load(folder).predict(rows) == pytest.approx(expected)
    assert load(folder).predict(rows[:1]) == pytest.approx(expected[:1])


def test_an_array_has_the_columns_of_the_training_data_in_order(houses):
    folder, _, expected = houses
    rows = [[row[name] for name in ("area", "town", "built", "sold")] for row in HOUSES]
    assert load(folder).predict(np.array(rows, dtype=object)) == pytest.approx(expected)
    with pytest.raises(ValueError, match="an array of rows is"):
        load(folder).predict(np.zeros((2, 3)))


def test_what_was_never_seen_counts_as_missing(houses):
    model = load(houses[0])
    strange, missing = ({**HOUSES[5], "town": town} for town in ("Atlantis", None))
    assert model.predict([strange]) == model.predict([missing])
    assert math.isfinite(model.predict([dict.fromkeys(HOUSES[0])])[0])


def test_missing_columns_and_text_for_numbers_are_named(houses):
    model = load(houses[0])
    with pytest.raises(ValueError, match="lacks columns 'built', 'sold'; it has columns 'area', 'town'"):
        model.predict([{"area": 3, "town": "Ulm"}])
    with pytest.raises(ValueError, match="column 'area' holds 'large', where the model learned numbers"):
        model.predict([{**HOUSES[0], "area": "large"}])
    with pytest.raises(ValueError, match="no probabilities of a regression"):
        model.probabilities(HOUSES)


def test_folds_and_seeds_are_averaged_each_with_its_own_preprocessing(tmp_path):
    data = load_data("wine")
    learner, parts = kept(tmp_path, data, folds=3, seeds=2)
    expected = learner.predict_folds([fold.schema.preprocessing.apply(data.x) for fold in parts.folds])
    found = load(tmp_path).probabilities(data.x)
    assert torch.tensor([list(row.values()) for row in found]).allclose(expected, atol=1e-5)
    assert load(tmp_path).predict(data.x) == [data.classes[i] for i in expected.argmax(dim=1)]


def test_a_table_of_numbers_may_be_an_npz(tmp_path):
    data = load_data("wine")
    kept(tmp_path, data)
    np.savez(tmp_path / "new.npz", x=data.x.numpy())
    assert load(tmp_path).predict(tmp_path / "new.npz") == load(tmp_path).predict(data.x)


def test_images_are_taken_in_their_shape_without_the_channel_flat_and_from_files(tmp_path):
    data = load_data("digits")
    learner, parts = kept(tmp_path, data, "logistic")
    x = data.x[:20]
    expected = [data.classes[i] for i in learner.predict(parts.schema.preprocessing.apply(x)).argmax(dim=1).tolist()]
    np.savez(tmp_path / "new.npz", x=x.numpy())
    pl.DataFrame(x.reshape(20, 64).numpy()).write_csv(tmp_path / "new.csv")
    model = load(tmp_path)
    shapes = (x, x[:, 0].numpy(), x.reshape(20, 64).tolist(), tmp_path / "new.npz", str(tmp_path / "new.csv"))
    assert [model.predict(rows) for rows in shapes] == [expected] * 5
    with pytest.raises(ValueError, match=r"an example is 1 x 8 x 8 = 64 numbers; the rows given are \(2, 63\)"):
        model.predict(np.zeros((2, 63)))


def test_a_folder_without_a_whole_model_is_refused_with_the_reason(houses, tmp_path):
    with pytest.raises(ValueError, match="holds no model: No such file"):
        load(tmp_path)
    for name in (PARAMETERS, DESCRIPTION):
        (tmp_path / name).write_bytes((houses[0] / name).read_bytes())
    (tmp_path / PARAMETERS).write_bytes(b"other")
    with pytest.raises(ValueError, match="its SHA-256 is not the one"):
        load(tmp_path)
    fields = json.loads((tmp_path / DESCRIPTION).read_text())
    (tmp_path / DESCRIPTION).write_text(json.dumps({**fields, "format": 2}))
    with pytest.raises(ValueError, match="of another version"):
        load(tmp_path)


def test_the_program_writes_csv_or_json(houses, tmp_path, capsys):
    folder, path, expected = houses
    main([str(folder), str(path), "--json"])
    assert json.loads(capsys.readouterr().out) == pytest.approx(expected)
    main([str(folder), str(path), "--to", str(tmp_path / "out.csv")])
    header, *values = (tmp_path / "out.csv").read_text().splitlines()
    assert (header, [float(value) for value in values]) == ("prediction", pytest.approx(expected))
    with pytest.raises(SystemExit):
        main([str(folder), str(tmp_path / "no.csv")])
    assert "no.csv" in capsys.readouterr().err
