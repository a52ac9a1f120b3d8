"""The embedded PostgreSQL while somebody holds it: one that ends meanwhile, by whatever fault, is started again."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.store.postgres import EmbeddedPostgres
from service.store.postgres_home import PostgresFailed

FIRST_PAUSE, LONGEST_PAUSE = 0.25, 10.0  # seconds between looks; longer ones while it does not come up
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
    pause = FIRST_PAUSE
    while not left.wait(pause):
        try:
            pause = min(2 * pause, LONGEST_PAUSE) if embedded.revive() else FIRST_PAUSE
        except (PostgresFailed, OSError):
            log.exception("the embedded PostgreSQL has ended and can't be started again")
            pause = min(2 * pause, LONGEST_PAUSE)
