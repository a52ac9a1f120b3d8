"""trialbook token: create, list and revoke tokens; for admins, from any machine."""

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from trialbook import wire
from trialbook.cli.session import URL, As, Output, Token, Yes, ask, connected, console, say_json
from trialbook.words import duration, token_state

DAY = 86400.0  # seconds
app = typer.Typer(no_args_is_help=True, rich_markup_mode="rich", help="Create, list and revoke tokens (admins).")

RoleOption = Annotated[wire.Role, typer.Option(help="What it may do")]
Days = Annotated[float | None, typer.Option(min=0.0001, max=3660, help="After so many days it opens nothing any more")]
Name = Annotated[str, typer.Option(help="What it is for")]
ID = Annotated[str, typer.Argument(metavar="ID", help="The token's id, as `list` shows it")]


@app.command("create")
def create(
    role: RoleOption,
    owner: Annotated[str | None, typer.Option(help="Whom it speaks for; else you")] = None,
    name: Name = "",
    days: Days = None,
    url: URL = None,
    token: Token = None,
    output: As = Output.text,
) -> None:
    """Make a token and print it, once.

    [bold]trialbook token create --role worker --name lab --days 30[/bold]
    """
    with connected(url, token, output) as client:
        made = client.create_token(role, owner=owner, name=name, expires_in=seconds(days))
        return say_json(made) if output is Output.json else print(made.token)


@app.command("list")
def list_tokens(url: URL = None, token: Token = None, output: As = Output.text) -> None:
    """List all tokens, without their secrets.

    [bold]trialbook token list[/bold]
    """
    with connected(url, token, output) as client:
        found = client.list_tokens()
        return say_json(found) if output is Output.json else console.print(table(found, datetime.now(UTC)))


@app.command("revoke")
def revoke(id: ID, yes: Yes = False, url: URL = None, token: Token = None, output: As = Output.text) -> None:
    """Let a token open nothing any more; its sessions end with it.

    [bold]trialbook token revoke 5e884898da28[/bold]
    """
    with connected(url, token, output) as client:
        ask(yes, f"Revoke the token {id}? Workers and people who use it are refused within seconds.")
        client.revoke_token(id)
        said = f"{id} is revoked"
        return say_json({"revoked": id}) if output is Output.json else console.print(said, markup=False)


def seconds(days: float | None) -> float | None:
    """A number of days in seconds."""
    return None if days is None else days * DAY


def table(found: list[wire.Token], now: datetime) -> Table:
    """One line a token."""
    drawn = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 3, 0, 0))
    for title in ("id", "role", "owner", "name", "state", "last used"):
        drawn.add_column(title, overflow="fold")
    for one in found:
        used = "never" if one.last_used_at is None else f"{duration((now - one.last_used_at).total_seconds())} ago"
        drawn.add_row(Text(one.id, "bold"), one.role, Text(one.owner), Text(one.name), token_state(one, now), used)
    return drawn
