"""Pages from templates: escaped, one value handed to each."""

from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

FOLDER = Path(__file__).parent
ENVIRONMENT = Environment(
    loader=FileSystemLoader(FOLDER / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(request: Request, template: str, page: Any) -> HTMLResponse:  # Any: each template's own dataclass
    """A page, never stored by a browser: it is about now."""
    body = ENVIRONMENT.get_template(template).render(page=page, path=request.url.path)
    return HTMLResponse(body, headers={"cache-control": "no-store"})
