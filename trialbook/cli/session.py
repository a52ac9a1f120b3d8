"""What every command shares: the server to call, how to print for people or for programs, how to fail."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated, Any, NoReturn

import typer
from pydantic import BaseModel
from rich.console import Console

from trialbook import Client
from trialbook.errors import TrialbookError, Unauthorized
from trialbook.words import count


class Output(StrEnum):
    """For people or for programs."""

    text = "text"
    json = "json"


StudyName = Annotated[str, typer.Argument(metavar="STUDY", help="The study's name")]
URL = Annotated[str | None, typer.Option("--url", help="The server's address; else TRIALBOOK_URL, or this machine's")]
Token = Annotated[str | None, typer.Option("--token", help="Your token; else TRIALBOOK_TOKEN or its _FILE")]
As = Annotated[Output, typer.Option("--output", "-o", help="text for people, json for programs")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask")]

console = Console(highlight=False, soft_wrap=True)
SIGN_IN = (
    "Set TRIALBOOK_TOKEN to the token that `trialbook-server serve` printed, or to one of\n"
    "`trialbook-server token create --role submitter`."
)


@contextmanager
def connected(url: str | None, token: str | None, output: Output = Output.text) -> Iterator[Client]:
    """A client; what goes wrong is said on standard error in the wanted form, and the command ends with 1."""
    try:
        with Client(url, token) as client:
            yield client
    except TrialbookError as error:
        fail(error, output)


def fail(error: TrialbookError, output: Output, *, file: str | None = None, text: str = "") -> NoReturn:
    """Say an error, with the lines of the `file` whose `text` it is about, and end with 1."""
    if output is Output.json:
        mistakes = [{k: v for k, v in vars(one).items() if v is not None} for one in error.errors]
        print(json.dumps({"code": error.code, "detail": error.detail, "errors": mistakes}), file=sys.stderr)
    else:
        print(f"trialbook: {explain(error, file, text)}", file=sys.stderr)
    raise typer.Exit(1)


def explain(error: TrialbookError, file: str | None = None, text: str = "") -> str:
    """An error in words, each mistake with its line where one is known."""
    if isinstance(error, Unauthorized):
        return f"{error.detail}\n{SIGN_IN}"
    if not error.errors:
        return error.detail
    lines = text.splitlines()
    said = [f"{file} has {count(len(error.errors), 'mistake')}:" if file else error.detail]
    for one in error.errors:
        place = f"{file}:{one.line}: " if file and one.line else ""
        said.append(f"  {place}{one.pointer or '/'} {one.message}")
        if one.line and one.line <= len(lines):
            said.append(f"  {one.line:>5} │ {lines[one.line - 1]}")
    return "\n".join(said)


def ask(yes: bool, question: str) -> None:
    """Ask once where somebody can answer; a script has decided by calling."""
    if not yes and sys.stdin.isatty():
        typer.confirm(question, abort=True)


def say_json(value: Any) -> None:  # Any: values of the contract, or JSON
    """One JSON document on standard output."""
    print(json.dumps(_plain(value), indent=2, ensure_ascii=False))


def _plain(value: Any) -> Any:  # Any: as above
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value
