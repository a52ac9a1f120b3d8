"""What can go wrong with a database, told apart: what passes by itself, what another request was quicker at."""

import asyncpg


class DatabaseAway(ConnectionError):
    """No connection to the database is to be had."""


FAULTS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, ConnectionError, TimeoutError)
# SQLSTATEs, by their beginnings, of a PostgreSQL that is stopping, starting, overloaded, away, replaced by another one
# (25006: a standby that only reads; 28 and 3D: not yet as we know it), of a lock or statement that took too long, and
# of statements that are to be prepared anew, for a migration ran or a proxy gave us another session (0A000, 26).
PASSING = ("08", "53", "55", "57", "58", "40", "25006", "25P", "28", "3D", "0A000", "26")
DISK_FULL = "53100"


def is_passing(error: Exception) -> bool:
    """Whether trying again in a moment is likely to help."""
    if isinstance(error, OSError | asyncpg.InternalClientError):
        return True
    if isinstance(error, asyncpg.InterfaceError):
        return not isinstance(error, ValueError)  # a value that the driver can't send is a mistake of ours
    return _sqlstate(error).startswith(PASSING)


def is_full(error: Exception) -> bool:
    """Whether the database's disk is full."""
    return _sqlstate(error) == DISK_FULL


def _sqlstate(error: Exception) -> str:
    return str(getattr(error, "sqlstate", None) or "")
