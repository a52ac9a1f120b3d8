"""The command `trialbook`: submit studies, watch them, get their results. Each command is a few calls of the client."""

from collections.abc import Callable

import typer

from trialbook.cli import changing, demo, models, plotting, reading, submitting, tokens, uploads, watching

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Trialbook: submit hyperparameter studies over HTTP, watch them live, get the best trial.\n\n"
    "The server's address and your token come from TRIALBOOK_URL and TRIALBOOK_TOKEN (or TRIALBOOK_TOKEN_FILE).",
)

COMMANDS: dict[str, Callable[..., None]] = {
    "submit": submitting.submit,
    "watch": watching.watch,
    "list": reading.list_studies,
    "show": reading.show,
    "best": reading.best,
    "predict": models.predict,
    "pause": changing.pause,
    "resume": changing.resume,
    "extend": changing.extend,
    "cancel": changing.cancel,
    "delete": changing.delete,
    "export": reading.export,
    "plot": plotting.plot,
    "demo": demo.demo,
}

for name, command in COMMANDS.items():
    app.command(name)(command)
app.add_typer(uploads.app, name="data")
app.add_typer(tokens.app, name="token")
