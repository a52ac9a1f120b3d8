"""The command trialbook-server."""

import asyncio
import json
import secrets
from pathlib import Path
from typing import Annotated, Any

import typer

from service import auth
from service.context import Context
from service.files import Files
from service.serving import Refused, database, first_token, serve, suggest
from service.settings import Settings
from service.store import sweeping
from service.store.database import Database
from service.store.migrating import UnknownSchema, migrate
from service.store.postgres_home import PostgresFailed
from service.store.reporting import MetricSets
from trialbook.wire import CreatedToken, NewToken

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Trialbook's server.")
tokens = typer.Typer(no_args_is_help=True, help="Make tokens.")
app.add_typer(tokens, name="token")

Data = Annotated[Path | None, typer.Option(help="The folder for database, artifacts and data sets.")]
DatabaseURL = Annotated[str | None, typer.Option("--database-url", help="Your own PostgreSQL; embedded where unset.")]


def _settings(**flags: Any) -> Settings:  # Any: each flag's own type
    return Settings(**{name: value for name, value in flags.items() if value is not None})


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
    try:
        serve(settings)
    except (Refused, UnknownSchema, PostgresFailed, OSError, ValueError) as error:
        typer.echo(f"trialbook-server: {error}", err=True)
        raise typer.Exit(1) from None


@app.command("migrate")
def migrate_command(data: Data = None, database_url: DatabaseURL = None) -> None:
    """Bring the database's schema to this version; twice does no harm."""
    with database(_settings(data=data, database_url=database_url)) as url:
        migrate(url)
    typer.echo("the schema is up to date")


@app.command("suggest")
def suggest_command(
    data: Data = None,
    database_url: DatabaseURL = None,
    with_parent: Annotated[bool, typer.Option("--with-parent", help="End when standard input closes.")] = False,
) -> None:
    """Make the suggestions of model-based samplers; `serve` starts one by itself, start more to share the work."""
    suggest(_settings(data=data, database_url=database_url), with_parent=with_parent)


@app.command("login-link")
def login_link(
    data: Data = None,
    database_url: DatabaseURL = None,
    url: Annotated[str, typer.Option(help="The server's address.")] = "http://127.0.0.1:8000",
) -> None:
    """Print another one-time link to the dashboard."""
    settings = _settings(data=data, database_url=database_url)

    async def make(context: Context) -> str:
        token_id = await auth.keep_first_token(context, first_token(settings))
        return await auth.login_link(context, token_id)

    typer.echo(url.rstrip("/") + _with_context(settings, make))


@tokens.command("create")
def create_token(
    role: Annotated[str, typer.Option(help="viewer, submitter, worker or admin.")],
    owner: Annotated[str, typer.Option(help="Whom it speaks for.")] = "admin",
    name: Annotated[str, typer.Option(help="What it is for.")] = "",
    data: Data = None,
    database_url: DatabaseURL = None,
    output: Annotated[str, typer.Option("-o", "--output", help="text or json.")] = "text",
) -> None:
    """Make a token and print it, once. Example: trialbook-server token create --role worker"""
    body = NewToken.model_validate({"role": role, "owner": owner, "name": name})

    async def make(context: Context) -> CreatedToken:
        return await auth.create_token(context, auth.ANYONE, body)

    made = _with_context(_settings(data=data, database_url=database_url), make)
    typer.echo(json.dumps(made.model_dump(mode="json")) if output == "json" else made.token)


def _with_context(settings: Settings, use: Any) -> Any:  # Any: a coroutine function of Context and its answer
    async def run(url: str) -> Any:
        db = Database(url, pool_size=2)
        try:
            secret = await sweeping.server_secret(db, secrets.token_bytes(32))
            return await use(Context(db, settings, secret, Files(settings.data), MetricSets(db)))
        finally:
            await db.close()

    with database(settings) as url:
        migrate(url)
        return asyncio.run(run(url))


if __name__ == "__main__":
    app()
