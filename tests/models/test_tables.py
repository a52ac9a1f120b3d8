"""A user's own table: kinds of columns, missing values, categories, and errors that name what is wrong."""

from pathlib import Path

import polars as pl
import pytest
import torch

from models.datasets import Column, Dataset, load_table, split
from models.datasets.preprocessing import ONE_HOT_LEVELS, fit_table
from models.families import build

CSV = """size,town,sold,since,price,kind
10,Ulm,true,2020-01-01,100.5,a
,Bonn,false,2021-01-01,200,b
NA,,true,,300,a
40,Ulm,,2023-01-01,,b
inf,Köln,false,2023-01-02,500,
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    (tmp_path / "houses.csv").write_text(CSV)
    return tmp_path / "houses.csv"


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def same(found: torch.Tensor, expected: list[float]) -> bool:
    return torch.equal(found.nan_to_num(nan=-1.0), torch.tensor(expected, dtype=found.dtype))


def test_numbers_truths_dates_and_text_become_numbers_and_codes(table: Path) -> None:
    data = load_table(table, target="price", task="regression")
    assert data.name == "houses"
    assert [column.name for column in data.columns] == ["size", "town", "sold", "since", "kind"]
    assert [column.levels for column in data.columns] == [(), ("Bonn", "Köln", "Ulm"), (), (), ("a", "b")]
    assert same(data.x[:, 0], [10.0, -1.0, -1.0, -1.0])  # an infinite number is missing
    assert same(data.x[:, 1], [2.0, 0.0, -1.0, 1.0])
    assert same(data.x[:, 2], [1.0, 0.0, 1.0, 0.0])
    assert same(data.x[1:, 3] - data.x[0, 3], [366.0, -1.0, 1097.0])


def test_rows_without_a_target_are_left_out(table: Path) -> None:
    assert load_table(table, target="price", task="regression").y.tolist() == [100.5, 200.0, 300.0, 500.0]
    kinds = load_table(table, target="kind", task="classification")
    assert (kinds.y.tolist(), kinds.classes) == ([0, 1, 0, 1], ("a", "b"))


def test_parquet_gives_the_same_as_csv_whatever_the_file_is_called(table: Path, tmp_path: Path) -> None:
    frame = pl.read_csv(table, try_parse_dates=True, null_values=["", "NA"])
    frame.write_parquet(tmp_path / "0a1b2c")
    one = load_table(table, target="price", task="regression")
    other = load_table(tmp_path / "0a1b2c", target="price", task="regression")
    assert torch.equal(one.x.nan_to_num(nan=-1.0), other.x.nan_to_num(nan=-1.0))
    assert one.columns == other.columns


def test_classes_may_be_numbers_truths_or_parquets_categories(tmp_path: Path) -> None:
    frame = pl.DataFrame({"x": [1.0, 2.0, 3.0, 4.0], "n": [10, 9, 10, 9], "b": [True, False, True, True]})
    frame = frame.with_columns(c=pl.Series(["v", "u", "v", "u"], dtype=pl.Categorical))
    frame.write_parquet(tmp_path / "t.parquet")
    for target, y, classes in (
        ("n", [1, 0, 1, 0], ("9", "10")),
        ("b", [1, 0, 1, 1], ("false", "true")),
        ("c", [1, 0, 1, 0], ("u", "v")),
    ):
        data = load_table(tmp_path / "t.parquet", target=target, task="classification")
        assert (data.y.tolist(), data.classes) == (y, classes)


@pytest.mark.parametrize(
    ("text", "target", "task", "message"),
    [
        (CSV, "prize", "regression", "there is no column 'prize'; there are size, town"),
        (CSV, "town", "regression", "column 'town' holds text"),
        ("a,y\n1,x\n2,x\n", "y", "classification", "column 'y' holds one class only"),
        ("a,y\n1,.1\n2,.2\n3,.3\n", "y", "classification", "column 'y' holds 3 classes in 3 rows: a regression"),
        ("a,b,y\n1,,1\n2,,2\n", "y", "regression", "column 'b' holds no value"),
        ("a,y\n1,\n2,NA\n", "y", "regression", "column 'y' holds no value"),
        ("y\n1\n2\n", "y", "regression", "no column besides the target 'y'"),
        ("a,y\n1,2\n1,2,3\n", "y", "regression", "the table cannot be read"),
        ("", "y", "regression", "the table cannot be read"),
        ("PAR1 and no more", "y", "regression", "the table cannot be read"),
    ],
)
def test_what_is_wrong_with_a_table_is_named(tmp_path: Path, text: str, target: str, task: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_table(write(tmp_path / "t.csv", text), target=target, task=task)  # type: ignore[arg-type]


def test_missing_numbers_become_the_training_rows_median() -> None:
    x = torch.tensor([[1.0], [2.0], [torch.nan], [9.0]])
    fitted = fit_table((Column("size"),), x)
    mean, deviation = 4.0, torch.tensor([1.0, 2.0, 9.0]).std(correction=0)
    expected = torch.tensor([[1.0 - mean], [2.0 - mean], [2.0 - mean], [9.0 - mean]]) / deviation
    torch.testing.assert_close(fitted.apply(x), expected)


def test_few_categories_become_one_column_each_and_unseen_ones_none() -> None:
    town = Column("town", ("Bonn", "Köln", "Ulm"))
    fitted = fit_table((town,), torch.tensor([[2.0], [0.0], [2.0]]))
    assert fitted.features == ("town=Ulm", "town=Bonn")
    encoded = fitted.apply(torch.tensor([[0.0], [1.0], [2.0], [torch.nan]]))
    assert encoded.tolist() == [[0.0, 1.0], [0.0, 0.0], [1.0, 0.0], [0.0, 0.0]]


def test_many_categories_become_one_standardized_column_ordered_by_frequency() -> None:
    codes = torch.tensor([code for code in range(ONE_HOT_LEVELS + 8) for _ in range(code + 1)], dtype=torch.float32)
    column = Column("street", tuple(f"street {code}" for code in range(ONE_HOT_LEVELS + 9)))
    fitted = fit_table((column,), codes[:, None])
    encoded = fitted.apply(torch.arange(ONE_HOT_LEVELS + 9.0)[:, None])[:, 0]
    assert fitted.features == ("street",)
    assert (encoded[:-1].diff() < 0).all()  # a rarer street is further up
    assert encoded[-1] == 0.0  # never seen
    assert encoded[:-1].std(correction=0).item() == pytest.approx(1.0, rel=1e-5)


def test_a_constant_column_becomes_zero() -> None:
    fitted = fit_table((Column("a"),), torch.full((5, 1), 7.0))
    assert torch.equal(fitted.apply(torch.full((5, 1), 7.0)), torch.zeros(5, 1))


def test_large_raw_numbers_keep_their_differences(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "a,y\n" + "".join(f"{1_700_000_000_000 + i},{i}\n" for i in range(50)))
    data: Dataset = load_table(path, target="y", task="regression")
    parts = split(data)
    assert torch.unique(parts.train.x).numel() == len(parts.train.y)


def test_a_table_with_gaps_and_categories_is_learned(tmp_path: Path) -> None:
    prices = {"Ulm": 0.0, "Bonn": 50.0, "Köln": 100.0}
    lines = [f"{i % 7 or ''},{town},{3 * (i % 7) + prices[town]}" for i, town in enumerate(list(prices) * 40)]
    path = write(tmp_path / "t.csv", "size,town,price\n" + "\n".join(lines) + "\n")
    learner = build("linear", {"epochs": 40, "learning_rate": 0.03})
    curve = list(learner.fit(split(load_table(path, target="price", task="regression"), folds=3)))
    assert curve[-1].metrics["val_r2"] > 0.97
