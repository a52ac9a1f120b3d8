"""How much is under way in this process, and how much may be: whoever is beyond that is told to come again."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from trialbook.errors import Unavailable

MOST = {"requests": 2000, "polls": 1000, "streams": 500}
RETRY_SECONDS = 2.0


@dataclass
class Load:
    """What is under way: `requests` of any kind, and among them long `polls` and `streams` of events."""

    most: dict[str, int] = field(default_factory=lambda: dict(MOST))
    now: dict[str, int] = field(default_factory=lambda: dict.fromkeys(MOST, 0))
    refused: dict[str, int] = field(default_factory=lambda: dict.fromkeys(MOST, 0))
    requests: set[object] = field(default_factory=set)  # a token for each

    def check(self, kind: str) -> None:
        """Raises Unavailable where there are too many."""
        if self.now[kind] >= self.most[kind]:
            self.refused[kind] += 1
            raise Unavailable(f"The server has too many {kind} under way.", retry_after=RETRY_SECONDS)

    @contextmanager
    def one(self, kind: str) -> Iterator[None]:
        """One more as long as this is held. Raises Unavailable where there are too many."""
        self.check(kind)
        self.now[kind] += 1
        try:
            yield
        finally:
            self.now[kind] -= 1

    @contextmanager
    def request(self) -> Iterator[None]:
        """One more request, which can be told from those that come later."""
        token = object()
        with self.one("requests"):
            self.requests.add(token)
            try:
                yield
            finally:
                self.requests.discard(token)
