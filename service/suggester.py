"""The suggester: makes the suggestions of model-based samplers ahead of demand, so that a lease costs milliseconds.

It holds no state but what it may forget: histories that it has read. Which study to work on is claimed in the database,
with an expiry.
"""

import asyncio
import logging
import secrets
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from service import search
from service.fits import FitFailed
from service.logs import LONGEST, tell
from service.search import History, Suggestion
from service.store import suggesting
from service.store.database import Database
from service.store.histories import Histories, Known
from service.store.suggesting import Wish
from trialbook.spec import StudySpec

LOOK_AGAIN = 0.1  # seconds between looks at the demand
FIT_SECONDS = 60.0  # a fit that takes longer is killed, and random stands in for it
MAX_AHEAD = 64  # suggestions of one study
EVERYTHING = 2**63 - 1  # a result's place that no result comes after


class Fits(Protocol):
    """Runs samplers somewhere they can be killed."""

    async def suggest(
        self,
        spec: StudySpec,
        history: History,
        numbers: Sequence[int],
        timeout: float,  # noqa: ASYNC109  # the process that fits is killed, not only the wait ended
    ) -> list[Suggestion]:
        """The suggestions for these numbers. Raises FitFailed."""
        ...


def target(wish: Wish) -> int:
    """How many suggestions should wait: one per worker; a lone worker's are made only when it asks for one."""
    workers = wish.at_work + wish.polling
    wanted = wish.polling if workers < 2 else workers
    return min(wanted, MAX_AHEAD)


def plan(wish: Wish, renewable: Sequence[int]) -> list[int]:
    """The numbers to suggest for: those to be made anew, and as many new ones as are missing and fit the budget."""
    missing = max(0, target(wish) - wish.waiting)
    if wish.room is not None:
        missing = min(missing, wish.room)
    return [*renewable, *range(wish.made, wish.made + missing)]


def is_wanted(wish: Wish) -> bool:
    """Whether there is something to do for a study now."""
    if target(wish) == 0:
        return False
    short = target(wish) > wish.waiting and wish.room != 0
    return short or wish.stale > 0


@dataclass(frozen=True)
class Suggested:
    """A round of suggestions for one study: by which sampler, how many, in how many seconds, by a fit or at random."""

    sampler: str
    count: int
    seconds: float
    replaced: bool


Tell = Callable[[Suggested], None]


async def suggest_for_ever(db: Database, fits: Fits, tell_of: Tell | None = None) -> None:
    """Look for demand and meet it, study by study, until cancelled."""
    name, histories = secrets.token_hex(8), Histories()
    while True:
        try:
            busy = await suggest_once(db, fits, name, tell_of, histories)
        except Exception as error:  # the database may be away for a while: go on when it is back
            tell("suggesting-failed", level=logging.WARNING, error=error)
            busy = False
        if not busy:
            await asyncio.sleep(LOOK_AGAIN)


async def suggest_once(
    db: Database, fits: Fits, name: str, tell_of: Tell | None = None, histories: Histories | None = None
) -> bool:
    """Meet the demand of each study once; whether there was any. `histories` keeps what was read for the next time."""
    histories = histories or Histories()
    wanted = [wish for wish in await suggesting.wishes(db, name) if is_wanted(wish)]
    for wish in wanted:
        if await suggesting.claim(db, wish.study_id, name, FIT_SECONDS + 30):
            try:
                done = await _serve(db, fits, wish, histories)
                if done is not None and tell_of is not None:
                    tell_of(done)
            finally:
                await suggesting.unclaim(db, wish.study_id, name)
    return bool(wanted)


async def _serve(db: Database, fits: Fits, wish: Wish, histories: Histories) -> Suggested | None:
    known = await histories.known(db, wish.study_id)
    if known is None:
        return None
    numbers = plan(wish, known.renewable)
    spec = StudySpec.model_validate(known.spec)
    begun = time.monotonic()
    suggested, replaced = await _suggest(fits, spec, known, numbers)
    seconds = time.monotonic() - begun
    noted = [_noted(one, spec, known, wish, numbers[:i]) for i, one in enumerate(suggested)]
    seen = EVERYTHING if replaced else known.seen  # a random point misses nothing, whatever comes meanwhile
    await suggesting.write_suggestions(db, wish.study_id, wish.made, seen, list(zip(numbers, noted, strict=True)))
    return Suggested(spec.sampler.name, len(numbers), seconds, replaced)


async def _suggest(fits: Fits, spec: StudySpec, known: Known, numbers: Sequence[int]) -> tuple[list[Suggestion], bool]:
    """The suggestions, and whether random stands in for a fit that failed."""
    try:
        return await fits.suggest(spec, known.history, numbers, FIT_SECONDS), False
    except FitFailed as error:
        tell(
            "fit-failed",
            level=logging.WARNING,
            study=spec.name,
            sampler=spec.sampler.name,
            numbers=list(numbers),
            reason=str(error)[:LONGEST],
            traceback=error.where,
        )
        return [search.fallback(spec.space, spec.sampler, number, str(error)) for number in numbers], True


def _noted(one: Suggestion, spec: StudySpec, known: Known, wish: Wish, before: Sequence[int]) -> Suggestion:
    """A suggestion with predictions in the user's direction, and with what a replay needs: what its sampler knew, and
    the numbers `before` it in its batch."""
    explanation = dict(one.explanation)
    if isinstance(explanation.get("predicted"), float):
        explanation["predicted"] *= spec.sign
    pending = [trial.number for trial in known.history.pending]
    replayed = {"made": wish.made, "batch": list(before), "pending": pending, "seen_finish": known.seen}
    return Suggestion(one.params, {**explanation, **replayed})


async def until_parent_ends() -> None:
    """Return when standard input closes: the process that started this one is gone, by whatever signal."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()
