"""A user's own table, CSV or Parquet, as a data set. Reads one local file; fits nothing."""

from pathlib import Path

import polars as pl
import torch
from torch import Tensor

from models.catalog import Task
from models.datasets.dataset import Dataset
from models.datasets.preprocessing import Column

MISSING = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?"]


def load_table(path: Path | str, *, target: str, task: Task) -> Dataset:
    """Rows of a CSV (with a header) or Parquet file; rows without a target are left out.

    Numbers, truth values and dates are numbers; text is a category; missing values stay missing (NaN). Raises
    ValueError that names what is wrong with the table.
    """
    path = Path(path)
    frame = _read(path)
    if target not in frame.columns:
        raise ValueError(f"there is no column {target!r}; there are {', '.join(frame.columns[:20])}")
    frame = frame.filter(frame[target].is_not_null())
    if frame.is_empty():
        raise ValueError(f"column {target!r} holds no value")
    features = [column for column in frame.get_columns() if column.name != target]
    if not features:
        raise ValueError(f"there is no column besides the target {target!r}")
    encoded = [_encode(column) for column in features]
    y, classes = _classes(frame[target]) if task == "classification" else (_numbers(frame[target]), ())
    return Dataset(
        path.stem, task, torch.stack([values for values, _ in encoded], 1), y, tuple(c for _, c in encoded), classes
    )


def _read(path: Path) -> pl.DataFrame:
    """The whole file; Parquet is known by its first bytes. Bytes, not the path, go to polars, which would expand it."""
    content = path.read_bytes()
    try:
        if content.startswith(b"PAR1"):
            return pl.read_parquet(content)
        return pl.read_csv(content, null_values=MISSING, infer_schema_length=None, try_parse_dates=True)
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"the table cannot be read: {str(error).splitlines()[0]}") from error


def _encode(column: pl.Series) -> tuple[Tensor, Column]:
    """(N,) float64 with NaN where a value is missing, and what the numbers mean."""
    if column.null_count() == len(column):
        raise ValueError(f"column {column.name!r} holds no value")
    if column.dtype.is_temporal():
        column = column.to_physical()
    if column.dtype.is_numeric() or column.dtype == pl.Boolean:
        values = _floats(column)
        return values.where(values.isfinite(), torch.nan), Column(column.name)
    text = _text(column)
    levels = text.drop_nulls().unique().sort()
    codes = text.replace_strict(levels, range(len(levels)), default=None, return_dtype=pl.Float64)
    return _floats(codes), Column(column.name, tuple(levels.to_list()))


def _classes(column: pl.Series) -> tuple[Tensor, tuple[str, ...]]:
    """(N,) int64 class indices and the classes' names, in order: numbers by size, text by the alphabet."""
    if column.dtype.is_float() and column.is_nan().any():
        raise ValueError(f"column {column.name!r} holds NaN, which is no class")
    if not column.dtype.is_numeric():
        column = _text(column)
    levels = column.unique().sort()
    if len(levels) < 2:
        raise ValueError(f"column {column.name!r} holds one class only")
    if 2 * len(levels) > len(column):
        raise ValueError(f"column {column.name!r} holds {len(levels)} classes in {len(column)} rows: a regression?")
    codes = column.replace_strict(levels, range(len(levels)), return_dtype=pl.Int64)
    return torch.from_numpy(codes.to_numpy().copy()), tuple(_text(levels).to_list())


def _numbers(column: pl.Series) -> Tensor:
    """(N,) float32 targets of a regression."""
    if not (column.dtype.is_numeric() or column.dtype == pl.Boolean):
        raise ValueError(f"column {column.name!r} holds text, not numbers: a classification?")
    values = _floats(column)
    if not values.isfinite().all():
        raise ValueError(f"column {column.name!r} holds a value that is not finite")
    return values.float()


def _floats(column: pl.Series) -> Tensor:
    return torch.from_numpy(column.cast(pl.Float64).fill_null(float("nan")).to_numpy().copy())


def _text(column: pl.Series) -> pl.Series:
    """Text of anything that has one; a ValueError for lists and other nested values."""
    if column.dtype.is_nested() or column.dtype == pl.Binary:
        raise ValueError(f"column {column.name!r} holds {column.dtype}, neither numbers nor text")
    return column.cast(pl.String)
