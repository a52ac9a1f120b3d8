"""Guesses of secrets: who sent too many wrong ones of late waits, and what they send meanwhile is not looked at.

Counted by client (see service/origin.py) and by door, in the database, so that a guesser finds no other server to go on
at. Nothing is counted over all clients: secrets have 256 bits, so no number of guessers gets anywhere, while a bound on
all of them would let each keep everybody else out.
"""

import asyncio

from service.context import Context
from service.origin import neighbourhood
from service.store import rates
from trialbook.errors import TooManyRequests

ALLOWED = 20
WINDOW = 60.0  # seconds


async def begin(context: Context, door: str, address: str) -> None:
    """Count a guess before its secret is looked at, so that many at once are no way around. Raises TooManyRequests."""
    key = _key(door, address)
    require_open(context, door, address)
    if (wait := await rates.count(context.db, key, most=ALLOWED, window=WINDOW)) > 0:
        context.shut.put(key, asyncio.get_running_loop().time() + wait)
        raise _refusal(wait)


async def was_right(context: Context, door: str, address: str) -> None:
    """The secret was right, so it was no guess."""
    await rates.give_back(context.db, _key(door, address))


def require_open(context: Context, door: str, address: str) -> None:
    """Raises TooManyRequests where this process knows that the client is to wait; the database is not asked."""
    until = context.shut.get(_key(door, address))
    wait = 0.0 if until is None else until - asyncio.get_running_loop().time()
    if wait > 0:
        raise _refusal(wait)


def _refusal(wait: float) -> TooManyRequests:
    return TooManyRequests("Too many wrong secrets from this address: wait a minute.", retry_after=wait)


def _key(door: str, address: str) -> str:
    return f"{door} {neighbourhood(address)}"
