"""trialbook pause, resume, extend, cancel, delete: what changes a study."""

from typing import Annotated

import typer

from trialbook import Client, wire
from trialbook.cli.session import URL, As, Output, StudyName, Token, Yes, ask, connected, console, say_json
from trialbook.words import count, finished, lost_by_cancel

Number = Annotated[int | None, typer.Option("--trial", min=0, help="Only this trial of the study")]


def pause(study: StudyName, url: URL = None, token: Token = None, output: As = Output.text) -> None:
    """Hand out no more trials of a study; those that run stop at their next report and wait.

    [bold]trialbook pause digits-mlp[/bold]
    """
    with connected(url, token, output) as client:
        _say(client.pause_study(study), output)


def resume(study: StudyName, url: URL = None, token: Token = None, output: As = Output.text) -> None:
    """Hand out a paused study's trials again.

    [bold]trialbook resume digits-mlp[/bold]
    """
    with connected(url, token, output) as client:
        _say(client.resume_study(study), output)


def extend(
    study: StudyName,
    n_trials: Annotated[int | None, typer.Option("--n-trials", min=1, help="How many trials in all")] = None,
    timeout: Annotated[float | None, typer.Option(help="Seconds since the study's first trial")] = None,
    max_epochs: Annotated[int | None, typer.Option(min=1, help="How many epochs of all trials together")] = None,
    target_value: Annotated[float | None, typer.Option(help="End when the best value reaches this")] = None,
    patience: Annotated[int | None, typer.Option(min=1, help="End after so many finished trials no better")] = None,
    url: URL = None,
    token: Token = None,
    output: As = Output.text,
) -> None:
    """Change a study's budget; a larger one reopens a completed study.

    What is not named stays as it is.

    [bold]trialbook extend digits-mlp --n-trials 100[/bold]
    """
    wanted = {
        "n_trials": n_trials,
        "timeout": timeout,
        "max_epochs": max_epochs,
        "target_value": target_value,
        "patience": patience,
    }
    changed = {name: value for name, value in wanted.items() if value is not None}
    if not changed:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in wanted)
        raise typer.BadParameter(f"name what is to change: one of {options}")
    with connected(url, token, output) as client:
        budget = client.get_study(study).spec["budget"]
        _say(client.update_study(study, budget={**budget, **changed}), output)


def cancel(
    study: StudyName,
    trial: Number = None,
    yes: Yes = False,
    url: URL = None,
    token: Token = None,
    output: As = Output.text,
) -> None:
    """End a study, or one trial of it, for good. What is finished stays.

    [bold]trialbook cancel digits-mlp[/bold]
        asks once, naming what will be lost

    [bold]trialbook cancel digits-mlp --trial 12[/bold]
        stops that trial only
    """
    with connected(url, token, output) as client:
        if trial is not None:
            return _say_trial(client.cancel_trial(study, trial), output)
        ask(yes, f"Cancel {study}? {lost_by_cancel(client.get_study(study))}")
        return _say(client.cancel_study(study), output)


def delete(study: StudyName, yes: Yes = False, url: URL = None, token: Token = None) -> None:
    """Delete a study with all its trials, curves and artifacts.

    [bold]trialbook delete digits-mlp[/bold]
    """
    with connected(url, token) as client:
        ask(yes, f"Delete {study}? {_lost_by_delete(client, study)}")
        client.delete_study(study)
        console.print(f"{study} is deleted", markup=False)


def _lost_by_delete(client: Client, study: str) -> str:
    found = client.get_study(study)
    running = found.counts["running"]
    stopped = f" and stops {count(running, 'running trial')}" if running else ""
    return f"This takes {count(finished(found), 'finished trial')} with curves and artifacts away{stopped}."


def _say(study: wire.Study, output: Output) -> None:
    if output is Output.json:
        return say_json(study)
    why = f": {study.reason}" if study.reason else ""
    goal = f" of {study.n_trials}" if study.n_trials else ""
    return console.print(f"{study.name} is {study.state}{why}; {finished(study)}{goal} trials are over", markup=False)


def _say_trial(trial: wire.Trial, output: Output) -> None:
    if output is Output.json:
        return say_json(trial)
    return console.print(f"trial {trial.number} of {trial.study} is {trial.state}", markup=False)
