"""A figure of a study as one self-contained page: the dashboard's drawing with its data, for files and notebooks."""

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from html import escape
from pathlib import Path
from posixpath import dirname, join, normpath
from typing import Any, Literal, Protocol, get_args

from trialbook import wire
from trialbook.errors import FieldError, Invalid

Kind = Literal[
    "history",
    "curves",
    "parallel",
    "importance",
    "slice",
    "contour",
    "rank",
    "distribution",
    "early_stopping",
    "timeline",
]
Theme = Literal["auto", "light", "dark"]
KINDS: tuple[str, ...] = get_args(Kind)

MOST = 2000  # trials of a history
CURVES = 8  # of the best trials
METRICS = 20  # that are read for them, so that a train one beside the objective's is among them
ENTRY = "js/still.js"
STYLES = ("app.css", "study.css", "parameters.css")
IMPORTS = re.compile(r"""((?:from|import)\s*)"(\.[^"]+)";""")  # as the dashboard's modules write it

PAGE = """<!doctype html>
<html lang="en"{theme}>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{styles}
body {{ padding: 16px; }} figure {{ margin: 0 auto; max-width: 1200px; }} .chart {{ height: 460px; }}</style>
{choice}
<script type="importmap">{imports}</script>
</head>
<body>
<figure class="card"></figure>
<script type="application/json" id="still">{data}</script>
<script>{charts}</script>
<script type="module">import "{entry}";</script>
</body>
</html>
"""


class Reading(Protocol):
    """The calls that a picture needs; Client has them."""

    url: str

    def get_study(self, study: str) -> wire.Study: ...
    def get_analysis(self, study: str, kind: str, **options: Any) -> dict[str, Any]: ...  # Any: JSON
    def get_curves(self, study: str, metric: Any = None, **options: Any) -> dict[str, Any]: ...  # Any: as above
    def get_static(self, path: str) -> str: ...


@dataclass(frozen=True)
class Picture:
    """A figure as a page of HTML, which needs neither server nor network. A notebook shows it by itself."""

    html: str

    def save(self, file: Path | str) -> None:
        """Write the page."""
        Path(file).write_text(self.html, encoding="utf-8")

    def _repr_html_(self) -> str:
        frame = 'width="100%" height="620" frameborder="0" sandbox="allow-scripts allow-popups"'
        return f'<iframe {frame} srcdoc="{escape(self.html)}"></iframe>'


def picture(
    client: Reading,
    study: str,
    kind: str = "history",
    *,
    theme: Theme = "auto",
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    **options: Any,
) -> Picture:
    """The figure of this kind, one of KINDS, in the theme of whoever looks or in the one named. `options` are those of
    getAnalysis: `x` and `y` of contour and rank, `method` of importance. Raises Invalid, and what `client` raises.
    """
    if kind not in KINDS:
        raise Invalid(errors=[FieldError("/kind", f"must be one of {', '.join(KINDS)}")])
    when = f"{now():%Y-%m-%d %H:%M} UTC"
    figure = _figure(client, study, kind, options)
    still = {"kind": kind, "study": study, "url": client.url, "made": when, "figure": figure}
    modules = _modules(client.get_static)
    return Picture(
        PAGE.format(
            theme="" if theme == "auto" else f' data-theme="{theme}"',
            title=escape(f"{study}: {kind}"),
            styles="\n".join(client.get_static(name) for name in STYLES).replace("</", "<\\/"),
            choice=f"<script>{_inline(client.get_static('js/theme.js'))}</script>" if theme == "auto" else "",
            imports=json.dumps({"imports": {_name(path): _data_url(text) for path, text in modules.items()}}),
            data=json.dumps(still).replace("<", "\\u003c"),
            charts=_inline(client.get_static("vendor/echarts.min.js")),
            entry=_name(ENTRY),
        )
    )


def _figure(client: Reading, study: str, kind: str, options: dict[str, Any]) -> dict[str, Any]:
    if kind == "curves":
        return _curves(client, client.get_study(study))
    if kind == "history":
        options = {"most": MOST, **options}
    return client.get_analysis(study, kind, **options)


def _curves(client: Reading, study: wire.Study) -> dict[str, Any]:
    """The best trials' curves of the objective's metric, or of the first there is, and of those beside it."""
    objective = study.spec["objective"]
    known = client.get_curves(study.name, best=1)["metrics"]
    metric = objective["metric"] or (known[0] if known else None)
    found = client.get_curves(study.name, known[:METRICS], best=CURVES)
    best = study.best.number if study.best else None
    return {**found, "metric": metric, "direction": objective["direction"], "best": best}


def _modules(read: Callable[[str], str]) -> dict[str, str]:
    """The entry and every module that it imports, by path, each one's imports by the names of the import map."""
    found: dict[str, str] = {}
    waiting = [ENTRY]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        text = read(path)
        beside = dirname(path)
        found[path] = IMPORTS.sub(partial(_renamed, beside), text)
        waiting += [_resolved(beside, relative) for _, relative in IMPORTS.findall(text)]
    return found


def _renamed(beside: str, found: re.Match[str]) -> str:
    return f'{found[1]}"{_name(_resolved(beside, found[2]))}";'


def _resolved(beside: str, relative: str) -> str:
    return normpath(join(beside, relative))


def _name(path: str) -> str:
    """A module's name in the import map: a page from a file has no address that paths could be relative to."""
    return f"trialbook/{path}"


def _data_url(text: str) -> str:
    return f"data:text/javascript;base64,{base64.b64encode(text.encode()).decode()}"


def _inline(script: str) -> str:
    """A script that can stand in a page: nothing in it ends its element."""
    return script.replace("</script", "<\\/script")
