"""The server's log: one line per event on standard error, its ids as fields; JSON where nobody is watching.

Never holds tokens, bodies, leases' ids or addresses with them: what is told is named field by field.
"""

import logging
import sys
import traceback
from contextvars import ContextVar
from typing import Any, TextIO

from trialbook.journal import line

LONGEST = 300  # characters of an error's own words, which may be about somebody's data
request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
log = logging.getLogger("trialbook")


def install(level: str, stream: TextIO = sys.stderr) -> None:
    """Write all of this process's log to `stream`, from this level on: debug, info, warning or error."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(Lines(human=stream.isatty()))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("asyncio").setLevel(logging.WARNING)


def tell(event: str, *, level: int = logging.INFO, error: BaseException | None = None, **fields: Any) -> None:
    """One line about an event; with an error, its traceback. Any: JSON."""
    if log.isEnabledFor(level):
        log.log(level, event, exc_info=error, extra={"fields": fields})


class Lines(logging.Formatter):
    """Each record as one line; what libraries say is an event too."""

    def __init__(self, *, human: bool) -> None:
        super().__init__()
        self._human = human

    def format(self, record: logging.LogRecord) -> str:
        """The line, with the id of the request that it is about."""
        level = None if self._human and record.levelno == logging.INFO else record.levelname.lower()
        fields = {"level": level, "request": request_id.get(), **record.__dict__.get("fields", {})}
        if record.exc_info and record.exc_info[1] is not None:
            fields |= told(record.exc_info[1])
        return line(record.getMessage(), fields, record.created, human=self._human)


def told(error: BaseException) -> dict[str, str]:
    """What a log may say of an error: its kind, the beginning of its words, and where it happened."""
    words = error.args[0] if error.args else ""  # not str: a database's error would add its DETAIL, which quotes
    where = traceback.format_tb(error.__traceback__)
    cause = error.__cause__ or error.__context__
    while cause is not None:
        where = [*traceback.format_tb(cause.__traceback__), f"  {type(cause).__name__}, and then\n", *where]
        cause = cause.__cause__ or cause.__context__
    return {"error": f"{type(error).__name__}: {words}"[:LONGEST], "traceback": "".join(where)}
