"""When each worker tried which trial, in lanes, and how much of that time it had nothing to do."""

import heapq
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from service.dashboard.figures.protocol import heading
from trialbook.spec import StudySpec
from trialbook.values import spell


class Attempted(Protocol):
    """What the figure asks of an attempt at a trial."""

    @property
    def number(self) -> int: ...
    @property
    def attempt(self) -> int: ...
    @property
    def worker(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def started_at(self) -> datetime: ...
    @property
    def ended_at(self) -> datetime | None: ...
    @property
    def value(self) -> float | None: ...


def timeline(spec: StudySpec, attempts: Sequence[Attempted], now: datetime) -> dict[str, Any]:
    """A bar for each attempt, in seconds since `began`, in a lane of its worker: the first that is free, since a worker
    may run several trials at once. `idle` is the share of lanes' times, from the first start to the last end in each,
    that no bar covers; None where there is no time. What runs ends now."""
    found = sorted(attempts, key=lambda one: (one.worker, one.started_at, one.number))
    began = min((one.started_at for one in found), default=now)
    lanes: list[str] = []
    items, busy = [], 0.0
    free: list[tuple[float, int]] = []  # of the worker at hand: since when a lane is free, and which
    firsts: dict[int, float] = {}
    lasts: dict[int, float] = {}
    for one in found:
        start = (one.started_at - began).total_seconds()
        end = max(start, ((one.ended_at or now) - began).total_seconds())
        if not lanes or lanes[-1] != one.worker:
            free = []
        if free and free[0][0] <= start:
            _, lane = heapq.heappop(free)
        else:
            lane = len(lanes)
            lanes.append(one.worker)
        heapq.heappush(free, (end, lane))
        firsts.setdefault(lane, start)
        lasts[lane] = end
        busy += end - start
        bar = {
            "number": one.number,
            "attempt": one.attempt,
            "state": one.state,
            "lane": lane,
            "start": start,
            "end": end,
        }
        items.append({**bar, "value": None if one.value is None else spell(one.value)})
    whole = sum(lasts[lane] - firsts[lane] for lane in firsts)
    idle = max(0.0, 1 - busy / whole) if whole > 0 else None
    return {**heading("timeline", spec), "began": began.isoformat(), "lanes": lanes, "idle": idle, "items": items}
