"""How much may be kept: of one file, of a trial, of an owner. Asked before an upload, and again where it is stored.

Settings say how much; 0 stands for any amount.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from service.settings import Settings
from service.store import usage
from service.store.database import Database, Transaction
from service.store.usage import Usage
from trialbook.errors import OverQuota, TooLarge

ANY = 2**63 - 1  # bytes


@dataclass(frozen=True)
class Room:
    """How many bytes a file may have, and what is said of one that has more."""

    size: int
    refusal: TooLarge

    def require(self, size: int) -> None:
        """Raises TooLarge, or OverQuota, where that many bytes are too many."""
        if size > self.size:
            raise self.refusal


async def for_artifact(db: Database | Transaction, settings: Settings, trial: int, name: str) -> Room:
    """The room for a trial's file of that name. Raises OverQuota where there is none for any more files."""
    rooms = [_for_file(settings)]
    if settings.trial_files or settings.trial_bytes:
        used = await usage.of_trial(db, trial, name)
        rooms += _left(used, settings.trial_files, settings.trial_bytes, "A trial's files")
    if settings.owner_bytes:
        rooms += _left(
            await usage.of_owner(db, trial, name), 0, settings.owner_bytes, "The files of one owner's studies"
        )
    return min(rooms, key=lambda room: room.size)


async def for_dataset(db: Database | Transaction, settings: Settings, owner: str, name: str) -> Room:
    """The room for an owner's data set of that name. Raises as `for_artifact` does."""
    used = await usage.of_datasets(db, owner, name)
    rooms = [_for_file(settings), *_left(used, settings.datasets, settings.dataset_bytes, "One owner's data sets")]
    return min(rooms, key=lambda room: room.size)


async def alone(transaction: Transaction, settings: Settings, trial: int) -> None:
    """Let nobody add files that count together with this trial's until the transaction's end."""
    if settings.owner_bytes:
        await usage.alone_with_owner(transaction, trial)
    elif settings.trial_files or settings.trial_bytes:
        await usage.alone_with_trial(transaction, trial)


def _for_file(settings: Settings) -> Room:
    most = settings.file_bytes or ANY
    return Room(most, TooLarge(f"A file may have at most {most:,} bytes here."))


def _left(used: Usage, files: int, size: int, whose: str) -> Iterator[Room]:
    if files and used.files >= files:
        raise OverQuota(f"{whose} may be {files:,} at most here.")
    if size:
        yield Room(max(0, size - used.size), OverQuota(f"{whose} may have {size:,} bytes in all at most here."))
