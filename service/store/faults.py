"""What can go wrong with a database, told apart: what passes by itself, what another request was quicker at."""

import asyncpg

FAULTS = (asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError, TimeoutError)
# SQLSTATE classes of a PostgreSQL that is stopping, starting, overloaded, or of a lock or statement that took too long.
PASSING = ("08", "53", "55", "57", "40", "25P")


def is_passing(error: Exception) -> bool:
    """Whether trying again in a moment is likely to help."""
    if isinstance(error, OSError | TimeoutError | asyncpg.InterfaceError):
        return True
    return str(getattr(error, "sqlstate", None) or "").startswith(PASSING)
