"""Studies and trials as tables for a terminal. Pure: values in, renderables out; colours as in the pages."""

import math
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from trialbook import wire
from trialbook.words import (
    OVER,
    SHAPES,
    count,
    duration,
    finished,
    limits,
    shown,
    shown_param,
    spared,
    tested,
    time_left,
)

COLOURS = {"running": "blue", "complete": "green", "pruned": "yellow", "failed": "red"}  # others are dim
LIKE = {"running": "running", "paused": "waiting", "completed": "complete", "cancelled": "cancelled"}
BARS = "▁▂▃▄▅▆▇█"
WIDTH = 24  # columns of a sparkline


def state(word: str) -> Text:
    """A state as shape, word and colour."""
    trial_state = LIKE.get(word, word)
    return Text(f"{SHAPES[trial_state]} {word}", COLOURS.get(trial_state, "dim"))


def studies(found: Iterable[wire.Study], now: datetime) -> Table:
    """One line a study."""
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 3, 0, 0))
    for name, justify in (
        ("study", "left"), ("state", "left"), ("trials", "right"), ("best", "right"), ("metric", "left"),
        ("trainer", "left"), ("sampler", "left"), ("age", "right"),
    ):  # fmt: skip
        table.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]  # the literals above
    for study in found:
        spec = study.spec
        goal = f"/{study.n_trials}" if study.n_trials else ""
        table.add_row(
            Text(study.name, "bold"),
            state(study.state),
            f"{finished(study)}{goal}",
            shown(study.best.value) if study.best else "–",
            metric(spec),
            Text(spec["objective"]["trainer"]),
            spec["sampler"]["name"],
            duration((now - study.created_at).total_seconds()),
        )
    return table


def metric(spec: dict[str, Any]) -> Text:
    """The objective's metric and which way is better."""
    objective = spec["objective"]
    return Text(f"{objective['metric'] or 'value'} {'↑' if objective['direction'] == 'maximize' else '↓'}")


def study(found: wire.Study, now: datetime) -> RenderableType:
    """A study: its state and progress, how its trials ended, the best one."""
    workers = count(found.workers, "worker")
    left = time_left(found, now)
    head = Text.assemble((found.name, "bold"), "  ", state(found.state), f"  {workers}", f"  {left}" if left else "")
    lines: list[RenderableType] = [head]
    if found.reason:
        lines.append(Text(found.reason, "dim"))
    lines += [progress(found), endings(found), best(found)]
    if found.best is not None:
        lines += [Text(line) for line in (tested(found.best.test, found.spec["objective"]["metric"]),) if line]
        lines.append(Text(params(found.best.params), "dim"))
    return Group(*lines)


def progress(found: wire.Study) -> RenderableType:
    """How many trials are over, and a bar for each limit of the budget."""
    over, grid = finished(found), Table.grid(padding=(0, 2))
    if found.n_trials:
        grid.add_row(bar(over, found.n_trials, width=32), f"{over} of {count(found.n_trials, 'trial')}")
    for done, total, words in limits(found):
        grid.add_row(bar(done, total, width=32), words)
    return grid if found.n_trials else Group(Text(count(over, "trial")), grid)


def bar(done: int, total: int, *, width: int) -> ProgressBar:
    """A bar in the colours of running and complete."""
    return ProgressBar(total=total, completed=done, width=width, complete_style="blue", finished_style="green")


def endings(found: wire.Study) -> Text:
    """How many trials ended how, and how many are on their way."""
    shown_states = [*OVER, "running", "waiting"]
    counted = [(one, found.counts[one]) for one in shown_states if found.counts[one]]  # type: ignore[index]
    return Text("  ").join(Text(f"{SHAPES[one]} {n} {one}", COLOURS.get(one, "dim")) for one, n in counted)


def best(found: wire.Study) -> Text:
    """The best value and its trial."""
    if found.best is None:
        return Text("no complete trial yet", "dim")
    value = (shown(found.best.value), "bold green")
    return Text.assemble("best  ", metric(found.spec), " ", value, f"   trial {found.best.number}")


def params(given: dict[str, Any]) -> str:
    """Parameters in one line."""
    return " · ".join(f"{name} {shown_param(value)}" for name, value in given.items())


def trials(listed: Sequence[wire.Trial]) -> Table:
    """One line a trial, a column for each parameter."""
    names = list(dict.fromkeys(name for one in listed for name in one.params))
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("trial", justify="right")
    table.add_column("state")
    table.add_column("value", justify="right")
    for name in names:
        table.add_column(Text(name), justify="right")
    for one in listed:
        cells = (Text(shown_param(one.params[name]) if name in one.params else "") for name in names)
        table.add_row(str(one.number), state(one.state), shown(one.value), *cells)
    return table


def trial(found: wire.Study, one: wire.TrialDetail) -> RenderableType:
    """A trial: its parameters, how it stands, its curve as a table of its last steps."""
    head = Text.assemble((f"{one.study}, trial {one.number}", "bold"), "  ", state(one.state))
    lines: list[RenderableType] = [head.append(f"  value {shown(one.value)}" if one.value is not None else "")]
    lines += [Text(text, "dim") for text in (one.reason, spared(one), one.error) if text]
    lines.append(Text(params(one.params)))
    lines.append(Text(f"attempt {one.attempt}" + (f" on {one.worker}" if one.worker else ""), "dim"))
    name = found.spec["objective"]["metric"]
    lines += [Text(line) for line in (tested(one.attributes, name),) if line]
    if values := curve(one, name):
        lines.append(Text(f"{name} {sparkline(values, WIDTH * 3)} {shown(values[-1])}"))
    if one.reports:
        lines.append(_steps(one.reports[-20:]))
    return Group(*lines)


def _steps(reports: Sequence[wire.Measured]) -> Table:
    names = list(dict.fromkeys(name for report in reports for name in report.metrics))
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("step", *names):
        table.add_column(Text(name), justify="right")
    for report in reports:
        table.add_row(str(report.step), *(shown(report.metrics.get(name)) for name in names))
    return table


def curve(one: wire.TrialDetail, name: str | None) -> list[float]:
    """A metric over the steps of a trial."""
    return [report.metrics[name] for report in one.reports if name in report.metrics] if name else []


def sparkline(values: Sequence[float], width: int = WIDTH) -> str:
    """A curve in one line of text, the newest `width` values; what is not finite is a cross."""
    seen = values[-width:]
    finite = [value for value in seen if math.isfinite(value)]
    if not finite:
        return "×" * len(seen)
    low, high = min(finite), max(finite)
    scale = (len(BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(BARS[round((value - low) * scale)] if math.isfinite(value) else "×" for value in seen)
