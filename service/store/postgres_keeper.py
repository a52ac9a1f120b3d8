"""The embedded PostgreSQL while somebody holds it: one that ends meanwhile, by whatever fault, is started again."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.store.postgres import EmbeddedPostgres
from service.store.postgres_home import PostgresFailed

LOOK_AGAIN = 0.25  # seconds
GRACE = 1.0  # seconds that it may be gone: `pg_ctl restart` starts another one itself
LONGEST_PAUSE = 10.0  # seconds between tries while it does not come up
log = logging.getLogger("trialbook.server")


@contextmanager
def kept(data_dir: Path) -> Iterator[str]:
    """The URL of a server that runs as long as this is held. Raises PostgresFailed where it can't be started."""
    embedded = EmbeddedPostgres(data_dir)
    url = embedded.start()
    left = threading.Event()
    keeper = threading.Thread(target=_keep, args=(embedded, left), name="postgres-keeper", daemon=True)
    keeper.start()
    try:
        yield url
    finally:
        left.set()
        keeper.join()
        embedded.stop()


def _keep(embedded: EmbeddedPostgres, left: threading.Event) -> None:
    pause = GRACE
    while not left.wait(LOOK_AGAIN):
        if embedded.runs:
            pause = GRACE
            continue
        if left.wait(pause):
            return
        try:
            embedded.revive()
        except (PostgresFailed, OSError):
            log.exception("the embedded PostgreSQL has ended and can't be started again")
        pause = min(2 * pause, LONGEST_PAUSE)
