"""The command line in this process, against a real server."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from tests.servers import server_process
from tests.service.calls import spec
from trialbook import Client
from trialbook.cli import app

Run = Callable[..., Result]


@pytest.fixture(scope="package")
def ready() -> Iterator[dict[str, str]]:
    """A server process: its URL and its token."""
    with server_process() as said:
        yield said


@pytest.fixture
def client(ready: dict[str, str]) -> Iterator[Client]:
    """A client of the server; all studies go at the end."""
    with Client(ready["url"], ready["token"]) as made:
        yield made
        for study in list(made.list_studies()):
            made.delete_study(study.name)


@pytest.fixture
def run(ready: dict[str, str], client: Client) -> Run:
    """Runs `trialbook …` with the server's address and token in the environment."""

    def call(*words: str, **options: Any) -> Result:
        environment = {"TRIALBOOK_URL": ready["url"], "TRIALBOOK_TOKEN": ready["token"], "TRIALBOOK_TOKEN_FILE": None}
        return CliRunner().invoke(app, list(words), **{"env": environment, **options})

    return call


@pytest.fixture
def tuned(client: Client) -> str:
    """The name of a study with three finished trials, the second one the best."""
    client.create_study(spec("tuned"))
    for trial, loss in zip(client.study("tuned").ask(), (0.5, 0.25, 0.75), strict=True):
        trial.report(0, loss=1.0)
        trial.report(1, loss=loss)
        trial.finish()
    return "tuned"
