"""New examples in whatever shape people have them, as the raw tensors that a trained model's preprocessing takes."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from models.datasets import END, Schema
from models.datasets.preprocessing import Category, Number, TableEncoding
from models.datasets.tables import MISSING

Rows = Any  # Any: a path, a list of dicts or texts, an array, a list of arrays of different lengths
Raw = tuple[Tensor, Tensor | None]  # x (N, …) before preprocessing, and (N,) steps where examples differ in them


def read_rows(rows: Rows, schema: Schema) -> Raw:
    """Rows by the schema's form. Raises ValueError that names what does not fit."""
    x, lengths = READERS[schema.form](rows, schema)
    if not len(x):
        raise ValueError("there are no rows")
    return x, lengths


def _table(rows: Rows, schema: Schema) -> Raw:
    """(N, columns) float64: numbers, and codes of categories; NaN for what is missing or was never seen."""
    encoding = schema.preprocessing
    if not isinstance(encoding, TableEncoding):
        raise ValueError(f"the model's description holds no columns for {schema.form}s")
    columns: list[Number | Category] = [*encoding.numbers, *encoding.categories]
    columns.sort(key=lambda column: column.position)
    frame = _frame(rows, columns)
    if missing := [column.name for column in columns if column.name not in frame.columns]:
        raise ValueError(f"the data lacks {_listed(missing)}; it has {_listed(frame.columns)}")
    return torch.stack([_encode(frame[column.name], column) for column in columns], 1), None


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return f"{'column' if len(names) == 1 else 'columns'} {', '.join(map(repr, names[:10]))}{more}"


def _frame(rows: Rows, columns: Sequence[Number | Category]) -> pl.DataFrame:
    """Columns by their names; those of an array stand in the order of the training data."""
    if isinstance(rows, str | Path) and Path(rows).suffix.lower() != ".npz":
        return _read(Path(rows).read_bytes(), [column.name for column in columns if isinstance(column, Category)])
    if isinstance(rows, Sequence) and rows and isinstance(rows[0], Mapping):
        names = list(dict.fromkeys(name for row in rows for name in row))
        lines: Any = [[row.get(name) for name in names] for row in rows]
    else:
        names, lines = [column.name for column in columns], _array(rows, object)
        if lines.ndim != 2 or lines.shape[1] != len(names):
            raise ValueError(f"an array of rows is (N, {len(names)}): {_listed(names)}; this one is {lines.shape}")
    # By way of CSV, so that each cell is understood as it would be in a file: dates, truth values, what is missing.
    written = io.StringIO()
    csv.writer(written).writerows([names, *([_cell(cell) for cell in line] for line in lines)])
    return _read(written.getvalue().encode(), [column.name for column in columns if isinstance(column, Category)])


def _cell(cell: Any) -> str:  # Any: a scalar
    if cell is None:
        return "NA"
    return str(cell).lower() if isinstance(cell, bool | np.bool_) else str(cell)


def _read(content: bytes, texts: Sequence[str], *, as_text: bool = False) -> pl.DataFrame:
    """A CSV or Parquet file; the columns `texts`, or all, as text, whatever they look like."""
    try:
        if content.startswith(b"PAR1"):
            return pl.read_parquet(content)
        known = dict.fromkeys(texts, pl.String)
        if as_text:
            return pl.read_csv(content, infer_schema=False)
        return pl.read_csv(
            content, null_values=MISSING, infer_schema_length=None, try_parse_dates=True, schema_overrides=known
        )
    except pl.exceptions.NoDataError:
        return pl.DataFrame()
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"the rows cannot be read: {str(error).splitlines()[0]}") from error


def _encode(values: pl.Series, column: Number | Category) -> Tensor:
    """(N,) float64."""
    if isinstance(column, Category):
        codes = range(len(column.levels))
        values = values.cast(pl.String).replace_strict(column.levels, codes, default=None, return_dtype=pl.Float64)
    elif values.dtype.is_temporal():
        values = values.to_physical()
    elif not (values.dtype.is_numeric() or values.dtype == pl.Boolean) and values.null_count() < len(values):
        raise ValueError(f"column {column.name!r} holds {values.drop_nulls()[0]!r}, where the model learned numbers")
    return torch.from_numpy(values.cast(pl.Float64).fill_null(float("nan")).to_numpy().copy())


def _image(rows: Rows, schema: Schema) -> Raw:
    """(N, C, H, W) float32, of such arrays, of (N, H, W) where there is one channel, or of flat rows."""
    x, _ = _arrays(rows)
    return _shaped(x, schema), None


def _sequence(rows: Rows, schema: Schema) -> Raw:
    """(N, T, F) float32, of such arrays, of flat rows, or of a list of sequences (T, F) that differ in T."""
    steps, features = schema.shape
    if isinstance(rows, Sequence) and not isinstance(rows, str) and len({len(row) for row in rows}) > 1:
        each = [_array(row, np.float32).reshape(len(row), -1) for row in rows]
        lengths: Any = np.array([len(one) for one in each])
        if lengths.max() > steps or any(one.shape[1] != features for one in each):
            raise ValueError(f"a sequence has at most {steps} steps of {features} numbers each")
        x: Any = np.stack([np.pad(one, ((0, steps - len(one)), (0, 0))) for one in each])
    else:
        x, lengths = _arrays(rows)
    if x.ndim == 3 and x.shape[1] < steps:
        lengths = np.full(len(x), x.shape[1]) if lengths is None else lengths
        x = np.pad(x, ((0, 0), (0, steps - x.shape[1]), (0, 0)))
    return _shaped(x, schema), None if lengths is None else torch.from_numpy(lengths.astype(np.int64))


def _arrays(rows: Rows) -> tuple[Any, Any]:  # Any: NumPy's arrays
    """`x` and, where a file has it, `lengths`; a table's columns are the numbers of flat examples."""
    if not isinstance(rows, str | Path):
        return _array(rows, np.float32), None
    if Path(rows).suffix.lower() == ".npz":
        with np.load(rows, allow_pickle=False) as archive:
            if "x" not in archive.files:
                raise ValueError(f"there is no array 'x'; there are {', '.join(archive.files)}")
            return archive["x"].astype(np.float32), archive["lengths"] if "lengths" in archive.files else None
    return _array(_read(Path(rows).read_bytes(), ()).to_numpy(), np.float32), None


def _array(rows: Rows, kind: Any) -> Any:  # Any: NumPy's types and arrays
    if isinstance(rows, str | Path):
        return _arrays(rows)[0].astype(kind)
    try:
        return np.asarray(rows.numpy() if isinstance(rows, Tensor) else rows, dtype=kind)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the rows are no array of numbers: {error}") from error


def _shaped(x: Any, schema: Schema) -> Tensor:  # Any: NumPy's array
    """(N, …) of the schema's shape, where the numbers of an example are as many."""
    size = int(np.prod(x.shape[1:]))
    if x.ndim < 2 or (len(x) and size != schema.size):
        shape = " x ".join(map(str, schema.shape))
        raise ValueError(f"an example is {shape} = {schema.size} numbers; the rows given are {x.shape}")
    return torch.from_numpy(np.ascontiguousarray(x.reshape(len(x), *schema.shape)))


def read_texts(rows: Rows) -> list[Any]:  # Any: texts, or lists of tokens
    """Texts from a list, the lines of a text file, or the one column of a table."""
    if not isinstance(rows, str | Path):
        return list(rows)
    if Path(rows).suffix.lower() == ".txt":
        return [line for line in Path(rows).read_text("utf-8-sig").splitlines() if line.strip()]
    frame = _read(Path(rows).read_bytes(), (), as_text=True)
    if frame.width != 1:
        raise ValueError(f"the texts stand in one column; this table has {_listed(frame.columns)}")
    return list(frame.to_series().cast(pl.String).fill_null("").to_list())


def _tokens(rows: Rows, schema: Schema) -> Raw:
    """(N, T) int64 positions in `source`; texts are split at blanks, or where all tokens are characters, into those."""
    positions = {token: position for position, token in enumerate(schema.source)}
    in_words = any(len(token) > 1 for token in schema.source[END + 1 :])
    split = [row.split() if isinstance(row, str) and in_words else list(row) for row in read_texts(rows)]
    if unknown := sorted({token for row in split for token in row if token not in positions}):
        raise ValueError(f"the model never saw the tokens {', '.join(map(repr, unknown[:10]))}")
    lengths = [len(row) for row in split]
    if not all(lengths):
        raise ValueError(f"row {lengths.index(0)} holds no token")
    width = max([*schema.shape, *lengths])
    filled = [[positions[token] for token in row] + [END] * (width - len(row)) for row in split]
    return torch.tensor(filled, dtype=torch.int64).reshape(-1, width), torch.tensor(lengths)


READERS: dict[str, Callable[[Rows, Schema], Raw]] = {
    "table": _table,
    "image": _image,
    "sequence": _sequence,
    "tokens": _tokens,
}
