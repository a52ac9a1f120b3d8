"""Pages from templates: escaped, one value handed to each, and one for the frame around it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from service.auth import ANYONE, session_cookie
from service.dashboard import words
from service.dashboard.markdown import render_markdown
from service.dashboard.modules import modules
from service.store.tokens import Holder

FOLDER = Path(__file__).parent
ENVIRONMENT = Environment(
    loader=FileSystemLoader(FOLDER / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
ENVIRONMENT.globals["words"] = words
ENVIRONMENT.globals["modules"] = modules
ENVIRONMENT.filters["markdown"] = render_markdown

SECTIONS = (("/", "Studies"), ("/workers", "Workers"), ("/datasets", "Data"))


@dataclass(frozen=True)
class Around:
    """What the frame around a page says."""

    section: str  # the address of the part of the dashboard that the page belongs to
    search: str
    holder: Holder | None  # None where nobody knows who looks
    may_sign_out: bool


def around(request: Request) -> Around:
    """The frame of a request's page."""
    path = request.url.path
    first = f"/{path.split('/')[1]}"
    section = "/" if first in ("/", "/studies", "/compare") else first
    search = request.query_params.get("q", "") if path == "/" else ""
    holder = request.scope.get("holder")
    known = None if holder == ANYONE else holder
    return Around(section, search, known, known is not None and session_cookie(request) is not None)


def render(request: Request, template: str, page: Any, status: int = 200) -> HTMLResponse:  # Any: its own dataclass
    """A page, never stored by a browser: it is about now."""
    known = {"page": page, "path": request.url.path, "frame": around(request), "sections": SECTIONS}
    body = ENVIRONMENT.get_template(template).render(known)
    return HTMLResponse(body, status, {"cache-control": "no-store"})
