"""Settings: flags over environment, secrets from files, database URLs as operators write them."""

import os
from pathlib import Path

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from service.__main__ import app
from service.settings import Settings, as_asyncpg, default_data_folder


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("TRIALBOOK_")]:
        monkeypatch.delenv(name)


def test_flag_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIALBOOK_PORT", "9000")
    assert Settings().port == 9000
    assert Settings(port=9001).port == 9001


def test_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "TOKEN", "LEASE_SECONDS", "TOKEN_FILE"):
        monkeypatch.setenv(f"TRIALBOOK_{name}", "")
    settings = Settings()
    assert (settings.read_database_url(), settings.read_token(), settings.lease_seconds) == (None, None, 60.0)


def test_secret_is_read_from_its_file_without_the_line_end(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    assert Settings(token_file=tmp_path / "token").read_token() == "s3cret"


def test_two_sources_of_one_secret_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="token or token_file, not both"):
        Settings(token="a", token_file=tmp_path / "token")


def test_secrets_do_not_show_when_settings_are_printed() -> None:
    assert "hush" not in repr(Settings(token="hush", database_url="postgresql://user:hush@host/db"))


@pytest.mark.parametrize("seconds", ["0", "-1", "inf", "nan"])
def test_lease_time_is_positive_and_finite(seconds: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIALBOOK_LEASE_SECONDS", seconds)
    with pytest.raises(ValidationError):
        Settings()


@pytest.mark.parametrize(
    ("pasted", "url"),
    [
        ("postgres://u:p%40@h:5/db", "postgresql+asyncpg://u:p%40@h:5/db"),
        ("postgresql://h/db?sslmode=require", "postgresql+asyncpg://h/db?ssl=require"),
        ("postgresql+asyncpg://u@/db?host=/run/pg", "postgresql+asyncpg://u@/db?host=/run/pg"),
    ],
)
def test_usual_database_urls_name_the_driver(pasted: str, url: str) -> None:
    assert as_asyncpg(pasted) == url


def test_another_databases_url_is_refused() -> None:
    with pytest.raises(ValueError, match="begins with postgresql://, not mysql"):
        as_asyncpg("mysql://h/db")


def test_root_and_others_have_data_folders_of_their_own() -> None:
    assert default_data_folder(root=True) == Path("/var/lib/trialbook")
    assert default_data_folder(root=False) == Path.home() / ".local/share/trialbook"


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"TOKEN_FILE": "/nothing"}, "set token or token_file, not both"),
        ({"TRUSTED_PROXIES": "anybody"}, "'anybody' does not appear to be an IPv4 or IPv6 network"),
        ({"ALLOWED_HOSTS": "https://a"}, "allowed_hosts are names without scheme"),
        ({"PORT": "99999"}, "port: Input should be less than or equal to 65535"),
    ],
)
def test_a_wrong_setting_is_told_in_a_line_that_repeats_no_secret(
    variables: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"TOKEN": "hush-hush", "DATABASE_URL": "postgresql://u:hush@h/d", **variables}.items():
        monkeypatch.setenv(f"TRIALBOOK_{name}", value)
    answer = CliRunner().invoke(app, ["serve"])
    assert answer.exit_code == 1
    assert answer.stderr.startswith("trialbook-server: ") and answer.stderr.count("\n") == 1
    assert said in answer.stderr
    assert "hush" not in answer.output
