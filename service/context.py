"""What every use case is handed: database, settings, secret, files, and the bell that wakes long polls."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from service.children import Children
from service.epochs import Epochs
from service.files import Files
from service.load import Load
from service.metrics import Metrics
from service.recent import Recent
from service.settings import Settings
from service.sharing import Shared
from service.store.database import Database
from service.store.reporting import MetricSets
from service.store.tokens import Holder
from trialbook.spec import StudySpec


class Bell:
    """Rung when there may be something new; everyone who waits wakes and looks. May ring another one with it."""

    def __init__(self, other: "Bell | None" = None) -> None:
        self._event, self._other = asyncio.Event(), other

    def ring(self) -> None:
        """Wake all who wait now."""
        self._event.set()
        self._event = asyncio.Event()
        if self._other:
            self._other.ring()

    async def wait(self, seconds: float) -> None:
        """Return at the next ring, or after that many seconds."""
        try:
            await asyncio.wait_for(self._event.wait(), seconds)
        except TimeoutError:
            return


@dataclass
class Context:
    """One per process."""

    db: Database
    settings: Settings
    secret: bytes
    files: Files
    sets: MetricSets
    news: Bell = field(default_factory=Bell)  # for those who follow a study: also what a report brings
    bell: Bell = field(init=False)  # for those who wait for work, which is news too
    specs: Recent[int, StudySpec] = field(default_factory=lambda: Recent(1000))  # by study: ask spec_of
    studies_of: Recent[int, int] = field(default_factory=lambda: Recent(100_000))  # trial → study
    seen_workers: dict[str, float] = field(default_factory=dict)  # when each was last noted
    sparks: Recent[tuple[str, str, int], str] = field(
        default_factory=lambda: Recent(1000)
    )  # lines of the list's studies
    checked: Recent[bytes, tuple[float, Holder]] = field(
        default_factory=lambda: Recent(10_000)
    )  # by a secret's hash: until when its holder is taken for granted
    shut: Recent[str, float] = field(default_factory=lambda: Recent(10_000))  # see service/guesses.py
    epochs: Epochs = field(default_factory=Epochs)
    metrics: Metrics = field(default_factory=Metrics)
    load: Load = field(default_factory=Load)
    shared: Shared = field(default_factory=lambda: Shared(100))
    apart: Children = field(default_factory=lambda: Children("figure"))  # of what takes seconds of computing
    readers: Children = field(default_factory=lambda: Children("reader", warm=False))  # of what may take much memory
    batches: Recent[Any, Any] = field(default_factory=lambda: Recent(32))  # of events, by place
    ticked: float = 0.0  # time.monotonic() of the clockwork's last turn
    stopping: bool = False

    def __post_init__(self) -> None:
        self.bell = Bell(self.news)

    def spec_of(self, study_id: int, stored: dict[str, Any]) -> StudySpec:  # Any: JSON
        """A study's spec, read once; its budget, notes and tags may be older than the stored ones."""
        return self.specs.get(study_id) or self.specs.put(study_id, StudySpec.model_validate(stored))
