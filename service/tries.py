"""How many wrong logins each address made of late. Knows no clock: the time of now is handed in."""

from collections import OrderedDict, deque

ALLOWED = 20
WINDOW = 60.0  # seconds
ADDRESSES = 10_000  # remembered; of more, those unheard of for longest are forgotten


class Tries:
    """The tries of each address within the last minute; one process's own."""

    def __init__(self) -> None:
        self._made: OrderedDict[str, deque[float]] = OrderedDict()

    def begin(self, address: str, now: float) -> float:
        """Count a try before its secret is looked at, so that many at once are no way around; else seconds to wait."""
        made = self._made.setdefault(address, deque())
        self._made.move_to_end(address)
        while made and made[0] <= now - WINDOW:
            made.popleft()
        if len(made) >= ALLOWED:
            return made[0] + WINDOW - now
        made.append(now)
        if len(self._made) > ADDRESSES:
            self._made.popitem(last=False)
        return 0.0

    def succeed(self, address: str) -> None:
        """The try was right, so it counts no longer."""
        if made := self._made.get(address):
            made.pop()
