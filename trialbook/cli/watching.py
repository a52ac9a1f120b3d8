"""trialbook watch: progress bars and running curves on a terminal, a line a trial in a log, or events as JSON lines."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from trialbook import Client, wire
from trialbook.cli import tables
from trialbook.cli.session import URL, As, Output, StudyName, Token, connected, console
from trialbook.errors import Unavailable, Unreachable
from trialbook.events import Event
from trialbook.words import OVER, finished, shown

SHOWN = 8  # running trials with a bar of their own
LOOK_AGAIN = 0.7  # seconds between two looks
ENDED = ("completed", "cancelled")


@dataclass(frozen=True)
class Look:
    """A study at one moment, with some of its running trials."""

    study: wire.Study
    running: tuple[wire.TrialDetail, ...]


def watch(study: StudyName, url: URL = None, token: Token = None, output: As = Output.text) -> None:
    """Watch a study until it ends: progress bars, running curves, the best trial so far.

    Ctrl-C stops only the watching.

    [bold]trialbook watch digits-mlp[/bold]

    [bold]trialbook watch digits-mlp -o json[/bold]
        each event as one line of JSON, the study as it ended as the last one
    """
    with connected(url, token, output) as client:
        try:
            ended = follow(client, study, output)
        except KeyboardInterrupt:
            raise typer.Exit(130) from None
    if ended.state == "cancelled":
        raise typer.Exit(1)


def follow(client: Client, study: str, output: Output = Output.text, on: Console = console) -> wire.Study:
    """Show a study until it ends; the study as it ended."""
    if output is Output.json:
        return _print_events(client, study)
    if on.is_terminal:
        return _draw(client, study, on)
    return _print_lines(client, study, on)


def _draw(client: Client, name: str, on: Console, pause: Callable[[float], None] = time.sleep) -> wire.Study:
    """Bars that move, redrawn in place. The server may be away for a while: what was last seen stays."""
    latest = look(client, name)
    with Live(picture(latest, datetime.now(UTC)), console=on, auto_refresh=False, vertical_overflow="crop") as live:
        while latest.study.state not in ENDED:
            pause(LOOK_AGAIN)
            note = ""
            try:
                latest = look(client, name)
            except (Unreachable, Unavailable) as error:
                note = f"{error.detail} Trying again; this is how it was."
            live.update(picture(latest, datetime.now(UTC), note), refresh=True)
    return latest.study


def look(client: Client, name: str) -> Look:
    """The study and its first running trials, with their curves."""
    study = client.get_study(name)
    running = islice(client.list_trials(name, state="running", limit=SHOWN), SHOWN) if study.counts["running"] else ()
    return Look(study, tuple(client.get_trial(name, trial.number) for trial in running))


def picture(latest: Look, now: datetime, note: str = "") -> RenderableType:
    """What is on the screen: the study, its running trials, and what is wrong."""
    study = latest.study
    parts: list[RenderableType] = [tables.study(study, now)]
    if latest.running and study.state not in ENDED:
        parts.append(_bars(study, latest.running))
    if hidden := study.counts["running"] - len(latest.running):
        parts.append(Text(f"and {hidden} more running", "dim"))
    if study.state == "running" and study.workers == 0:
        parts.append(Text("Waiting for a worker: start one with trialbook-worker.", "yellow"))
    if note:
        parts.append(Text(note, "yellow"))
    return Group(*parts)


def _bars(study: wire.Study, running: tuple[wire.TrialDetail, ...]) -> Table:
    """A bar for each running trial: its epochs where their number is known, its curve, its last value."""
    grid = Table.grid(padding=(0, 2))
    name = study.spec["objective"]["metric"]
    for trial in running:
        steps, values = 0 if trial.last_step is None else trial.last_step + 1, tables.curve(trial, name)
        total = {**study.spec["objective"]["fixed"], **trial.params}.get("epochs")
        grid.add_row(
            Text(f"trial {trial.number}", "blue"),
            tables.bar(steps, total, width=20) if isinstance(total, int) else "",
            f"step {steps}" + (f" of {total}" if isinstance(total, int) else ""),
            Text(tables.sparkline(values), "blue"),
            f"{name} {shown(values[-1])}" if values else "",
        )
    return grid


def _print_lines(client: Client, name: str, on: Console) -> wire.Study:
    """A line for each trial that ends: what a log wants."""
    for event in _until_end(client, name):
        trial = event.data.get("trial") if event.kind == "trial" and event.data["state"] in OVER else None
        if trial:
            on.print(ended(client.get_study(name), wire.Trial.model_validate(trial)), markup=False, soft_wrap=True)
    study = client.get_study(name)
    on.print(tables.study(study, datetime.now(UTC)))
    return study


def ended(study: wire.Study, trial: wire.Trial) -> str:
    """A trial's end in one line, beside how the study stands."""
    goal = f" of {study.n_trials}" if study.n_trials else ""
    value = f" {shown(trial.value)}" if trial.value is not None else ""
    best = f", best {shown(study.best.value)} by trial {study.best.number}" if study.best else ""
    why = f" ({trial.reason})" if trial.reason and trial.state != "complete" else ""
    return f"trial {trial.number} {trial.state}{value}{why}; {finished(study)}{goal} over{best}"


def _print_events(client: Client, name: str) -> wire.Study:
    for event in _until_end(client, name):
        print(json.dumps({"event": event.kind, **event.data}), flush=True)
    study = client.get_study(name)
    print(json.dumps({"event": "ended", "study": study.model_dump(mode="json")}), flush=True)
    return study


def _until_end(client: Client, name: str) -> Iterator[Event]:
    """A study's events from now on until it has ended, also if it has ended before."""
    for event in client.stream_events(name):
        if event.kind not in ("hello", "reset"):
            yield event
            if event.kind != "study" or event.data.get("state") not in ENDED:
                continue
        # The stream is open: what ends from here on is seen, and what ended before is seen here.
        if client.get_study(name).state in ENDED:
            return
