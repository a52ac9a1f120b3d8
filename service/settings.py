"""What an operator may set, by environment or by flags: read once, where a process starts, and passed on as a value.

Each `TRIALBOOK_…` variable is a field below; the secrets may also be files (`TRIALBOOK_TOKEN_FILE`), as containers
mount them. An empty value counts as unset.
"""

import os
import re
from pathlib import Path
from typing import Literal, Self
from urllib.parse import parse_qsl, urlencode, urlsplit

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.origin import parse_hosts, parse_proxies

GIBIBYTE = 1024**3
DRIVER = "postgresql+asyncpg"


def default_data_folder(*, root: bool) -> Path:
    return Path("/var/lib/trialbook") if root else Path.home() / ".local" / "share" / "trialbook"


class Settings(BaseSettings):
    """Flags go in as keyword arguments and win over the environment."""

    model_config = SettingsConfigDict(env_prefix="TRIALBOOK_", env_ignore_empty=True, frozen=True, extra="ignore")

    data: Path = Field(default_factory=lambda: default_data_folder(root=os.geteuid() == 0))
    database_url: SecretStr | None = None  # unset: the embedded PostgreSQL in `data`
    database_url_file: Path | None = None
    artifacts: str | None = None  # s3://bucket/prefix; unset: artifacts and data sets lie in `data`
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)  # 0: a free one
    lease_seconds: float = Field(default=60.0, gt=0, allow_inf_nan=False)
    token: SecretStr | None = None  # the first token, which may do everything
    token_file: Path | None = None
    no_auth: bool = False
    allowed_hosts: str | None = None  # names, separated by commas; see service/origin.py
    trusted_proxies: str | None = None  # addresses and networks, separated by commas
    studies_per_minute: int = Field(default=1000, ge=0)  # of one owner; 0: any number
    file_bytes: int = Field(default=2 * GIBIBYTE, ge=0)  # of one upload; this and what follows: 0 for any amount
    trial_files: int = Field(default=1000, ge=0)
    trial_bytes: int = Field(default=16 * GIBIBYTE, ge=0)
    owner_bytes: int = Field(default=0, ge=0)  # of all files of an owner's studies: to count them takes time
    datasets: int = Field(default=1000, ge=0)  # of an owner
    dataset_bytes: int = Field(default=100 * GIBIBYTE, ge=0)
    body_seconds: float = Field(default=20.0, gt=0, allow_inf_nan=False)  # see service/api/bodies.py
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @model_validator(mode="after")
    def one_source_for_each_secret(self) -> Self:
        for name in ("database_url", "token"):
            if getattr(self, name) is not None and getattr(self, f"{name}_file") is not None:
                raise ValueError(f"set {name} or {name}_file, not both")
        return self

    @model_validator(mode="after")
    def an_object_store(self) -> Self:
        if self.artifacts is not None and not re.fullmatch(r"s3://[^/\s]+(/[^\s]*)?", self.artifacts):
            raise ValueError("artifacts is s3://bucket or s3://bucket/prefix")
        return self

    @model_validator(mode="after")
    def names_and_networks(self) -> Self:
        parse_hosts(self.allowed_hosts)
        parse_proxies(self.trusted_proxies)
        return self

    def read_token(self) -> str | None:
        """The first token. Raises OSError if its file can't be read, ValueError if that is empty."""
        return _read_secret(self.token, self.token_file)

    def read_database_url(self) -> str | None:
        """The operator's own database, None for the embedded one. Raises as `read_token` does."""
        url = _read_secret(self.database_url, self.database_url_file)
        return None if url is None else as_asyncpg(url)


def as_asyncpg(url: str) -> str:
    """A PostgreSQL URL in the forms that operators paste (`postgres://`, `?sslmode=`), as SQLAlchemy takes it."""
    parts = urlsplit(url)
    if parts.scheme not in ("postgres", "postgresql", DRIVER):
        raise ValueError(f"the database's URL begins with postgresql://, not {parts.scheme or 'no scheme'}://")
    query = [("ssl" if key == "sslmode" else key, value) for key, value in parse_qsl(parts.query)]
    rest = url.removeprefix(f"{parts.scheme}:").partition("?")[0]
    return f"{DRIVER}:{rest}" + (f"?{urlencode(query, safe='/')}" if query else "")


def _read_secret(value: SecretStr | None, file: Path | None) -> str | None:
    if file is None:
        return None if value is None else value.get_secret_value()
    if not (text := file.read_text().strip()):
        raise ValueError(f"{file} is empty")
    return text
