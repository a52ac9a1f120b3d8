"""What is kept, and for how long: files and rows that nobody needs are deleted beside the service, in batches."""

import asyncio
import logging
import time
from collections.abc import Iterator, Sequence

from service import datasets, ids
from service.context import Context
from service.storage import ARTIFACTS, DATASETS
from service.store import keeping

PAUSE = 1.0  # seconds
REST = 20  # a look at studies' rules takes time by their trials; the next one waits for so many times as long
SWEEP_EVERY = 600.0  # seconds
GRACE = 3600.0  # seconds that a file may be there before a row names it
log = logging.getLogger("trialbook.server")


async def keep_for_ever(context: Context) -> None:
    """Delete what is not to be kept, until cancelled."""
    clock = asyncio.get_running_loop().time
    look_at, sweep_at = clock(), clock() + PAUSE
    while True:
        await asyncio.sleep(PAUSE)
        try:
            await drop_checkpoints(context)
            if (begun := clock()) >= look_at:
                await keep_best(context)
                look_at = clock() + REST * (clock() - begun)
            if clock() >= sweep_at:
                sweep_at = clock() + SWEEP_EVERY
                await keeping.forget_old_rows(context.db)
                await sweep(context, before=time.time() - GRACE)
        except Exception:  # the next look tries again; a database that is away is no reason to stop looking
            log.warning("a look at what is kept failed", exc_info=True)


async def drop_checkpoints(context: Context) -> None:
    """Delete the checkpoints of finished trials."""
    while files := await keeping.drop_checkpoints(context.db):
        await context.files.forget_artifacts(files)


async def keep_best(context: Context) -> None:
    """Apply the studies' own rules: `artifacts.keep_best`."""
    for rule in await keeping.keeping(context.db):
        while files := await keeping.remove_beyond(context.db, rule):
            await context.files.forget_artifacts(files)


async def sweep(context: Context, *, before: float) -> int:
    """Delete files last written before a time in seconds that no row names; how many there were.

    A server that is killed leaves such behind: between a file and its row, or between a row's end and its file's.
    """
    if not await context.files.run(context.files.belongs_to, ids.mark(context.secret, "files")):  # no row names any
        log.warning("another database's files are there, so none is swept: %s", context.files.storage.address)
        return 0
    lost = await context.files.older(ARTIFACTS, before)
    count = 0
    for names in _batches(lost):
        unknown = await keeping.unknown_artifacts(context.db, names)
        await context.files.forget_artifacts(unknown)
        count += len(unknown)
    for names in _batches(await context.files.older(DATASETS, before)):
        for sha256 in await keeping.unknown_datasets(context.db, names):
            await datasets.forget(context, sha256)
            count += 1
    if count:
        log.info("deleted %d files that no row names", count)
    return count


def _batches(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(names), keeping.BATCH):
        yield names[start : start + keeping.BATCH]
