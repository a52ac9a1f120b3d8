"""The command trialbook-server."""

import asyncio
import json
import secrets
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from service import auth, backup
from service.archive import Damaged
from service.backup import Incomplete, Summary, Unfinished
from service.context import Context
from service.files import files_of
from service.fits import Fitters
from service.replaying import Replayed, replay
from service.serving import Refused, database, keep_first_token, serve, suggest
from service.settings import Settings
from service.store import sweeping
from service.store.database import Database
from service.store.migrating import UnknownSchema, migrate
from service.store.postgres_home import PostgresFailed
from service.store.reporting import MetricSets
from service.store.tokens import list_tokens as all_tokens
from service.store.transfer import InUse, NotEmpty, Unfit
from trialbook.cli import tokens as cli_tokens
from trialbook.errors import NotFound
from trialbook.wire import CreatedToken, NewToken, Token

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Trialbook's server.")
tokens = typer.Typer(no_args_is_help=True, help="Create, list and revoke tokens.")
app.add_typer(tokens, name="token")

Data = Annotated[Path | None, typer.Option(help="The folder for database, artifacts and data sets.")]
DatabaseURL = Annotated[str | None, typer.Option("--database-url", help="Your own PostgreSQL; embedded where unset.")]
Output = Annotated[str, typer.Option("-o", "--output", help="text or json.")]
FAULTS = (Refused, UnknownSchema, PostgresFailed, Unfinished, Damaged, Incomplete, NotEmpty, InUse, Unfit, NotFound)
INCOMPLETE = 2  # exit code: done, but not all was as it should be


@contextmanager
def _plainly() -> Iterator[None]:
    """What goes wrong is told in a sentence."""
    try:
        yield
    except (*FAULTS, OSError, ValueError) as error:
        typer.echo(f"trialbook-server: {error}", err=True)
        raise typer.Exit(1) from None


def _settings(**flags: Any) -> Settings:  # Any: each flag's own type
    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:  # its own words would repeat what was set, secrets too
        for one in error.errors(include_input=False, include_url=False, include_context=False):
            name = f"{one['loc'][0]}: " if one["loc"] else ""
            typer.echo(f"trialbook-server: {name}{one['msg'].removeprefix('Value error, ')}", err=True)
        raise typer.Exit(1) from None


@app.command("serve")
def serve_command(
    host: Annotated[str | None, typer.Option(help="The address to listen on (127.0.0.1).")] = None,
    port: Annotated[int | None, typer.Option(help="The port (8000); 0 picks a free one.")] = None,
    data: Data = None,
    database_url: DatabaseURL = None,
    no_auth: Annotated[bool, typer.Option("--no-auth", help="No tokens; on loopback only.")] = False,
) -> None:
    """Serve the API and the dashboard. Example: trialbook-server serve --port 8000 --data ./trialbook-data"""
    settings = _settings(host=host, port=port, data=data, database_url=database_url, no_auth=no_auth or None)
    with _plainly():
        serve(settings)


@app.command("migrate")
def migrate_command(data: Data = None, database_url: DatabaseURL = None) -> None:
    """Bring the database's schema to this version; twice does no harm."""
    with _plainly(), database(_settings(data=data, database_url=database_url)) as url:
        migrate(url)
    typer.echo("the schema is up to date")


@app.command("suggest")
def suggest_command(
    data: Data = None,
    database_url: DatabaseURL = None,
    with_parent: Annotated[bool, typer.Option("--with-parent", help="End when standard input closes.")] = False,
) -> None:
    """Make the suggestions of model-based samplers; `serve` starts one by itself, start more to share the work."""
    with _plainly():
        suggest(_settings(data=data, database_url=database_url), with_parent=with_parent)


@app.command("backup")
def backup_command(
    target: Annotated[Path, typer.Argument(help="The file to write, or a folder to write one into.")],
    data: Data = None,
    database_url: DatabaseURL = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    output: Output = "text",
) -> None:
    """Write database, artifacts and data sets as they are now into one file; the server may go on working.

    Exit code 2: written, but some files were missing or damaged already. Example: trialbook-server backup /backups
    """
    settings = _existing(data=data, database_url=database_url)
    path = backup.archive_path(target, datetime.now(UTC))
    with _plainly(), _ended_gently(), database(settings) as url:
        made = asyncio.run(backup.back_up(url, files_of(settings, url), path, force=force, progress=_progress))
    _tell_copy({"file": str(path), "size": path.stat().st_size}, "backed up", made, output)


@app.command("restore")
def restore_command(
    file: Annotated[Path, typer.Argument(help="A file that `backup` has written.")],
    data: Data = None,
    database_url: DatabaseURL = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the studies that are there.")] = False,
    output: Output = "text",
) -> None:
    """Verify a backup and restore it into an empty data folder and database, with no server running.

    Exit code 2: restored, but some files were missing or damaged at the time of the backup already.
    """
    settings = _settings(data=data, database_url=database_url)
    with _plainly(), _ended_gently():
        settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        with database(settings) as url:
            made = backup.restore(url, files_of(settings, url), file, force=force, progress=_progress)
    _tell_copy({"data": str(settings.data)}, "restored and verified", made, output)


@app.command("verify")
def verify_command(data: Data = None, database_url: DatabaseURL = None, output: Output = "text") -> None:
    """Compare the database with the files: each is there and what was uploaded. The server may go on working.

    Exit code 2: some are missing or damaged.
    """
    settings = _existing(data=data, database_url=database_url)
    with _plainly(), _ended_gently(), database(settings) as url:
        found = asyncio.run(backup.verify(url, files_of(settings, url), progress=_progress))
    if output == "json":
        typer.echo(json.dumps(asdict(found)))
    else:
        for how, names in (("missing", found.missing), ("damaged", found.damaged)):
            for name in names:
                typer.echo(f"{how}: {name}")
        wrong = len(found.missing) + len(found.damaged)
        typer.echo(
            f"{found.files} files checked, {wrong} wrong; {found.unnamed} that no row names, which a server sweeps"
        )
    if found.missing or found.damaged:
        raise typer.Exit(INCOMPLETE)


@app.command("replay")
def replay_command(
    study: Annotated[str, typer.Argument(help="The study's name.")],
    data: Data = None,
    database_url: DatabaseURL = None,
    output: Output = "text",
) -> None:
    """Make a study's suggestions and prune decisions again from what is stored, and compare. The server may go on.

    Exit code 2: some come out otherwise, as they may with other versions of the libraries or on another machine.
    """
    settings = _existing(data=data, database_url=database_url)

    async def run(url: str) -> Replayed:
        db = Database(url, pool_size=2)
        try:
            async with Fitters() as fits:
                return await replay(db, fits, study)
        finally:
            await db.close()

    with _plainly(), database(settings) as url:
        found = asyncio.run(run(url))
    if output == "json":
        typer.echo(json.dumps(asdict(found)))
    else:
        typer.echo(
            f"{study}: {found.suggestions} suggestions and {found.prunings} prune decisions made again, "
            f"{len(found.differences)} differ, {found.untold} can't be told"
        )
        for one in found.differences:
            where = f"trial {one.number}" if one.step is None else f"trial {one.number} at step {one.step}"
            typer.echo(f"{where}: stored {one.stored}, again {one.again}")
    if found.differences:
        raise typer.Exit(INCOMPLETE)


@app.command("login-link")
def login_link(
    data: Data = None,
    database_url: DatabaseURL = None,
    url: Annotated[str, typer.Option(help="The server's address.")] = "http://127.0.0.1:8000",
    output: Output = "text",
) -> None:
    """Print another one-time link to the dashboard."""
    settings = _settings(data=data, database_url=database_url)

    async def make(context: Context) -> str:
        _, token_id = await keep_first_token(context, settings)
        return await auth.login_link(context, token_id)

    link = url.rstrip("/") + _with_context(settings, make)
    typer.echo(json.dumps({"dashboard": link}) if output == "json" else link)


@tokens.command("create")
def create_token(
    role: cli_tokens.RoleOption,
    owner: Annotated[str, typer.Option(help="Whom it speaks for.")] = "admin",
    name: cli_tokens.Name = "",
    days: cli_tokens.Days = None,
    data: Data = None,
    database_url: DatabaseURL = None,
    output: Output = "text",
) -> None:
    """Make a token and print it, once. Example: trialbook-server token create --role worker --days 30"""
    asked = {"role": role, "owner": owner, "name": name, "expires_in": cli_tokens.seconds(days)}

    async def make(context: Context) -> CreatedToken:
        return await auth.create_token(context, auth.ANYONE, NewToken.model_validate(asked))

    made = _with_context(_settings(data=data, database_url=database_url), make)
    typer.echo(json.dumps(made.model_dump(mode="json")) if output == "json" else made.token)


@tokens.command("list")
def list_tokens(data: Data = None, database_url: DatabaseURL = None, output: Output = "text") -> None:
    """List all tokens, without their secrets."""

    async def read(context: Context) -> list[Token]:
        return list(await all_tokens(context.db))

    found = _with_context(_settings(data=data, database_url=database_url), read)
    if output == "json":
        typer.echo(json.dumps([one.model_dump(mode="json") for one in found]))
    else:
        Console().print(cli_tokens.table(found, datetime.now(UTC)))


@tokens.command("revoke")
def revoke_token(
    id: cli_tokens.ID, data: Data = None, database_url: DatabaseURL = None, output: Output = "text"
) -> None:
    """Let a token open nothing any more, on every server within seconds; its sessions end with it."""

    async def end(context: Context) -> None:
        await auth.revoke(context, id)

    _with_context(_settings(data=data, database_url=database_url), end)
    typer.echo(json.dumps({"revoked": id}) if output == "json" else f"{id} is revoked")


def _with_context(settings: Settings, use: Any) -> Any:  # Any: a coroutine function of Context and its answer
    async def run(url: str) -> Any:
        db = Database(url, pool_size=2)
        try:
            secret = await sweeping.server_secret(db, secrets.token_bytes(32))
            return await use(Context(db, settings, secret, files_of(settings, url), MetricSets(db)))
        finally:
            await db.close()

    with _plainly(), database(settings) as url:
        migrate(url)
        return asyncio.run(run(url))


def _existing(**flags: Any) -> Settings:  # Any: each flag's own type
    """Settings of a service that is there: a mistyped folder is not to become one."""
    settings = _settings(**flags)
    embedded = settings.database_url is None and settings.database_url_file is None
    if not (settings.data / "postgres" if embedded else settings.data).is_dir():
        typer.echo(f"trialbook-server: there is no Trialbook in {settings.data}; name it by --data", err=True)
        raise typer.Exit(1)
    return settings


@contextmanager
def _ended_gently() -> Iterator[None]:
    """SIGTERM and Ctrl-C end the work at once, so that nothing half done is left. (asyncio's own handler of the latter
    waits for the next await, and a long copy has none.)"""

    def end(number: int, _: object) -> None:
        sys.exit(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _progress(stage: str, size: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, nothing elsewhere."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(stage, total=size)
        yield lambda more: bar.advance(task, more)


def _tell_copy(what: dict[str, Any], done: str, made: Summary, output: str) -> None:  # Any: text and numbers
    if output == "json":
        typer.echo(json.dumps({**what, **asdict(made)}))
    else:
        place = ", ".join(str(value) for value in what.values() if not isinstance(value, int))
        rows = made.rows
        counted = f"{rows['studies']} studies, {rows['trials']} trials, {rows['reports']} reports"
        typer.echo(f"{done}: {counted}, {made.files} files of {made.size:,} bytes: {place}")
    for name in made.lacking.values():
        typer.echo(f"trialbook-server: missing or damaged when it was backed up: {name}", err=True)
    if made.lacking:
        raise typer.Exit(INCOMPLETE)


if __name__ == "__main__":
    app()
