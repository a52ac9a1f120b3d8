"""What can go wrong with a database, told apart: what passes by itself, what another request was quicker at."""

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

FAULTS = (DBAPIError, PoolTimeout, ConnectionError, TimeoutError)
# SQLSTATE classes of a PostgreSQL that is stopping, starting, overloaded, or of a lock or statement that took too long.
PASSING = ("08", "53", "55", "57", "40", "25P")


def is_passing(error: Exception) -> bool:
    """Whether trying again in a moment is likely to help."""
    if isinstance(error, OperationalError | InterfaceError | PoolTimeout | OSError | TimeoutError):
        return True
    code = getattr(getattr(error, "orig", None), "sqlstate", None) or ""
    return code.startswith(PASSING) or getattr(error, "connection_invalidated", False)
