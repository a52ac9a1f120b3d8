"""The first examples of a data set, to look at: of an uploaded file read from where it lies, of a built-in set made
in a child process, since that needs what workers train with."""

import asyncio
import base64
import logging
import math
from typing import Any

import numpy as np

from models.catalog import DATASETS
from service import excerpts
from service.children import CallFailed
from service.contents import PARQUET
from service.context import Context
from service.datasets import NO_SET, builtin
from service.excerpts import Excerpt
from service.storage import DATASETS as SETS
from service.store import datasets as store
from trialbook.errors import NotFound
from trialbook.values import MAX_INTEGER, spell
from trialbook.wire import Dataset, Example, Examples

MOST = 100
SECONDS = 60.0  # that a child process may take
REST = 100  # a set that took a second to read is told again for so many
FETCHED = 64 << 20  # bytes of a Parquet file that lies in an object store, whose end names its parts
COLUMNS, LETTERS, STEPS, FEATURES, SIDE = 50, 200, 60, 8, 64  # of an example that are shown
WORKER = "These rows can be shown once the server has what its workers train with: pip install 'trialbook[worker]'."
FAR = "The first rows of a large Parquet file can be shown only where the server keeps its files in a folder."
log = logging.getLogger("trialbook.server")


async def first(context: Context, name: str, limit: int) -> Examples:
    """The first examples of a set. Raises NotFound."""
    if name in DATASETS:
        data = next(one for one in builtin() if one.name == name)
    elif (found := await store.find_dataset(context.db, name)) is None:
        raise NotFound(NO_SET)
    else:
        data = found
    excerpt = await context.shared.get(
        ("examples", name, data.sha256, data.target), lambda: _read(context, data), rest=REST
    )
    return await asyncio.to_thread(show, data, excerpt, limit)


async def _read(context: Context, data: Dataset) -> Excerpt:
    try:
        return await (_made(context, data) if data.builtin else _stored(context, data))
    except CallFailed as failure:
        log.warning("the rows of %s could not be read: %s", data.name, failure)
        return excerpts.nothing(_why(data, str(failure)))
    except FileNotFoundError:
        raise NotFound(NO_SET) from None


async def _made(context: Context, data: Dataset) -> Excerpt:
    made = await context.readers.call("models.datasets.excerpt:excerpt", data.name, MOST, timeout=SECONDS)
    return Excerpt(made["x"], made["y"], tuple(made["columns"]), made["lengths"])


async def _stored(context: Context, data: Dataset) -> Excerpt:
    name, kind, target = f"{SETS}/{data.sha256}", data.media_type or "", data.target
    if kind != PARQUET:
        return await context.files.run(excerpts.read, context.files.storage, name, kind, target, MOST)
    source: Any = context.files.storage.local(name)  # Any: a path, or bytes
    if source is None:
        if (data.size or 0) > FETCHED:
            return excerpts.nothing(FAR)
        with await context.files.open(name) as file:
            source = await context.files.run(file.read)
    made: Excerpt = await context.readers.call("service.excerpts:of_parquet", source, target, MOST, timeout=SECONDS)
    return made


def _why(data: Dataset, failure: str) -> str:
    if not data.builtin:
        return excerpts.UNREADABLE
    package = DATASETS[data.name].package
    if package and failure.startswith("ValueError"):
        return f"These rows can be shown once the package {package} is where the server runs, as where workers run."
    return (
        WORKER
        if failure.startswith("ModuleNotFoundError")
        else "These rows could not be made: the server's log says why."
    )


# Plain data for a page or a script; pure.


def show(data: Dataset, excerpt: Excerpt, limit: int) -> Examples:
    """At most so many examples, each cut to what somebody looks at, and what was left out in words."""
    shown = min(limit, len(excerpt.x))
    x, columns, note = _shown(data.form, excerpt, shown)
    y = [_target(one) for one in excerpt.y[:shown]]
    return Examples(
        name=data.name,
        form=data.form,
        task=data.task,
        target=data.target,
        columns=columns,
        rows=data.rows,
        shape=data.shape,
        items=[Example(x=one, y=of) for one, of in zip(x, y, strict=True)],
        note=excerpt.note or note,
    )


def _shown(form: str, excerpt: Excerpt, shown: int) -> tuple[list[Any], list[str] | None, str]:
    """The examples, the names of a table's columns, and what is left out."""
    if not shown:
        return [], list(excerpt.columns) if form == "table" else None, ""
    x = excerpt.x[:shown]
    if form == "table":
        left = len(excerpt.columns) - COLUMNS
        cells = [[_plain(cell) for cell in row[:COLUMNS]] for row in (x.tolist() if _is_array(x) else x)]
        return cells, list(excerpt.columns[:COLUMNS]), f"{left:,} more columns are not shown." if left > 0 else ""
    if form == "image":
        return _pictures(x)
    if form == "sequence":
        return _sequences(x, excerpt.lengths)
    return [_plain(text) for text in x], None, ""


def _pictures(x: Any) -> tuple[list[Any], None, str]:  # Any: (N, C, H, W) numbers
    """Bytes from the least of all their finite numbers, as 0, to the largest, as 255."""
    _, channels, height, width = x.shape
    stride = math.ceil(max(height, width) / SIDE)
    taken = 3 if channels == 3 else 1
    pixels = x[:, :taken, ::stride, ::stride].astype(np.float64)
    finite = pixels[np.isfinite(pixels)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
    scaled = np.nan_to_num((pixels - low) * (255.0 / (high - low or 1.0)), nan=0.0, posinf=255.0, neginf=0.0)
    whole = scaled.round().astype(np.uint8).transpose(0, 2, 3, 1)  # (N, H, W, C)
    size = {"width": whole.shape[2], "height": whole.shape[1], "channels": taken}
    said = [f"Of each picture every {stride}th row and column is shown."] if stride > 1 else []
    said += [f"The first of {channels} channels is shown."] if channels not in (1, 3) else []
    return [{**size, "pixels": base64.b64encode(one.tobytes()).decode()} for one in whole], None, " ".join(said)


def _sequences(x: Any, lengths: list[int] | None) -> tuple[list[Any], None, str]:  # Any: (N, T, F) numbers
    _, steps, features = x.shape
    ends = lengths or [steps] * len(x)
    cut = [one[: min(length, STEPS), :FEATURES].tolist() for one, length in zip(x, ends, strict=False)]
    said = [f"the first {STEPS} of {steps:,} steps"] if steps > STEPS else []
    said += [f"the first {FEATURES} of {features:,} features"] if features > FEATURES else []
    note = f"Of each sequence {' and '.join(said)} are shown." if said else ""
    return [[[_plain(number) for number in step] for step in one] for one in cut], None, note


def _target(y: Any) -> Any:  # Any: by task
    return [_plain(one) for one in y[:STEPS]] if isinstance(y, list) else y if isinstance(y, dict) else _plain(y)


def _plain(value: Any) -> Any:  # Any: whatever a file's cell held
    """As JSON can hold it: a number to six digits, a text of at most LETTERS."""
    if value is None or (isinstance(value, bool | int) and abs(value) <= MAX_INTEGER):
        return value
    if isinstance(value, float):
        return spell(float(f"{value:.6g}"))
    text = str(value)
    return text if len(text) <= LETTERS else f"{text[: LETTERS - 1]}…"


def _is_array(x: Any) -> bool:  # Any: an array or a list
    return isinstance(x, np.ndarray)
