"""The page of all data sets: what studies can name, and where one's own files come in."""

import json
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from service import contents, datasets, quotas
from service.api.bodies import Ctx
from service.auth import Reader
from service.dashboard import words
from service.dashboard.rendering import render
from service.store.tokens import Holder
from trialbook.wire import Dataset

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
MEDIA_TYPES = {suffix: kind for kind, suffix in datasets.SUFFIXES.items()}
ROWS = {"table": "row", "image": "image", "sequence": "sequence", "text": "word"}
SHOWN = {"image": "pictures", "sequence": "sequences", "text": "lines"}  # the others are rows
UNITS = ("B", "kB", "MB", "GB")


@dataclass(frozen=True)
class Row:
    """A data set as the table shows it."""

    data: Dataset
    size: str
    shape: str
    may_delete: bool

    @property
    def example(self) -> str:
        """What one row is: its form and size."""
        size = " × ".join(str(n) for n in self.data.shape or ())
        if self.data.form == "table":
            return words.count(self.data.columns, "column") if self.data.columns else "–"
        return f"{self.data.form} {size}".strip()

    @property
    def units(self) -> str:
        """What a few of its examples are called."""
        return SHOWN.get(self.data.form, "rows")

    @property
    def lost(self) -> str:
        """What deleting takes away."""
        return (
            f"{self.data.name}, {self.shape}, {self.size}, can then neither be downloaded nor named by a new study. "
            "Studies that name it already keep their copy and go on."
        )


@dataclass(frozen=True)
class DatasetsPage:
    """What the page says before its scripts run."""

    uploaded: tuple[Row, ...]
    builtin: tuple[Row, ...]
    tasks: tuple[str, ...]
    media_types: dict[str, str]
    limit: int
    may_upload: bool

    @property
    def accepted(self) -> str:
        """Media types by the ends of files' names, for the script as JSON."""
        return json.dumps(self.media_types)

    @property
    def most(self) -> str:
        """The size of the largest file that is taken."""
        return f"{self.limit / 1024**3:g} GiB"


@router.get("/datasets")
async def datasets_page(request: Request, context: Ctx, holder: Reader) -> HTMLResponse:
    """The users' data sets and the built-in ones."""
    return render(request, "datasets.html", view(await datasets.list_all(context), holder, context.settings.file_bytes))


def view(found: list[Dataset], holder: Holder, most: int) -> DatasetsPage:
    """All that the template needs; `most` bytes are taken, 0 for any number."""
    rows = [Row(one, shown_size(one.size), _shape(one), _may_delete(holder, one)) for one in found]
    return DatasetsPage(
        uploaded=tuple(row for row in rows if not row.data.builtin),
        builtin=tuple(row for row in rows if row.data.builtin),
        tasks=contents.TASKS,
        media_types=MEDIA_TYPES,
        limit=most or quotas.ANY,
        may_upload=holder.role in ("submitter", "admin"),
    )


def _may_delete(holder: Holder, one: Dataset) -> bool:
    return not one.builtin and (holder.role == "admin" or (holder.role == "submitter" and one.owner == holder.owner))


def _shape(one: Dataset) -> str:
    return "of unknown length" if one.rows is None else words.count(one.rows, ROWS.get(one.form, "example"))


def shown_size(size: int | None) -> str:
    """`12 kB`: three significant digits in the largest unit that fits."""
    if size is None:
        return "–"
    amount, unit = float(size), 0
    while amount >= 999.5 and unit < len(UNITS) - 1:
        amount, unit = amount / 1000, unit + 1
    return f"{amount:.3g} {UNITS[unit]}" if amount < 999.5 else f"{amount:.0f} {UNITS[unit]}"
