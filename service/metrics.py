"""What Prometheus is told: counters of this process, and what the database holds as of the last few seconds.

Labels are bounded: states, samplers, routes by their template, methods by those that exist. docs/deployment.md tells
each.
"""

import platform
from collections.abc import Callable
from functools import partial

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

from service.load import Load
from service.suggester import Suggested
from trialbook import __version__

disable_created_metrics()  # type: ignore[no-untyped-call]  # it lacks its annotation
PREFIX = "trialbook"
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
WAITS = (0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 300.0)
FITS = (0.0001, 0.001, 0.01, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """All metrics of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        histogram, counter = self._histogram, self._counter
        self.requests = histogram("request_seconds", "Time to answer.", "method", "route", "status")
        self.lease_wait = histogram("lease_wait_seconds", "How long a request for a lease was held.", "granted")
        self.trial_wait = histogram("trial_wait_seconds", "How long a waiting trial waited for a worker.")
        self.fits = histogram("suggestion_seconds", "Time to make suggestions.", "sampler", buckets=FITS)
        self.suggested = counter("suggestions", "Suggestions made.", "sampler")
        self.replaced = counter("suggestions_replaced", "Of them, random for a fit that failed.", "sampler")
        self.suggesters = counter("suggester_restarts", "Suggesters that ended and were started again.")
        self.granted = counter("leases_granted", "Leases given to workers.")
        self.expired = counter("leases_expired", "Leases that expired and whose trial went on or failed.")
        self.released = counter("leases_released", "Leases given back by workers.")
        self.stale = counter("stale_writes_refused", "Writes under a lease that was lost.")
        self.ended = counter("trials_ended", "Trials that came to an end, by how.", "state")
        self.retried = counter("trials_retried", "Failed attempts whose trial waits for another.")
        self.paused = counter(
            "trials_paused", "Trials that gave their worker back, to go on if they come to be among the best."
        )
        self.promoted = counter("trials_promoted", "Paused trials that were to go on.")
        self.logins = counter("logins_refused", "Sign-ins that were refused.")
        self.outages = counter("outages", "Gaps in the service's beat after which leases were prolonged.")
        self.trials = self._gauge("trials", "Trials that wait for a worker or run.", "state")
        self.studies = self._gauge("studies", "Studies by state.", "state")
        self.database_up = self._gauge("database_up", "Whether the database answered the last look (1 or 0).")
        build = self._gauge("build_info", "Always 1.", "version", "python")
        build.labels(__version__, platform.python_version()).set(1)

    def request(self, method: str, route: str, status: str, seconds: float) -> None:
        """Count a request."""
        self.requests.labels(method if method in METHODS else "other", route, status).observe(seconds)

    def suggestion(self, done: Suggested) -> None:
        """Count what a suggester has done."""
        self.fits.labels(done.sampler).observe(done.seconds)
        self.suggested.labels(done.sampler).inc(done.count)
        if done.replaced:
            self.replaced.labels(done.sampler).inc(done.count)

    def watch(self, load: Load) -> None:
        """Tell what is under way, as it is when somebody asks."""
        under_way = self._gauge("under_way", "Requests under way, and among them long polls and streams.", "kind")
        refused = self._gauge("refused_for_load", "Requests refused since the start as too many at once.", "kind")
        for kind in load.most:
            under_way.labels(kind).set_function(partial(load.now.__getitem__, kind))
            refused.labels(kind).set_function(partial(load.refused.__getitem__, kind))

    def read(self, name: str, says: str, look: Callable[[], float]) -> None:
        """Tell a number as it is when somebody asks."""
        self._gauge(name, says).set_function(look)

    def _gauge(self, name: str, says: str, *labels: str) -> Gauge:
        return Gauge(f"{PREFIX}_{name}", says, labels, registry=self.registry)

    def _counter(self, name: str, says: str, *labels: str) -> Counter:
        return Counter(f"{PREFIX}_{name}", says, labels, registry=self.registry)

    def _histogram(self, name: str, says: str, *labels: str, buckets: tuple[float, ...] = WAITS) -> Histogram:
        return Histogram(f"{PREFIX}_{name}", says, labels, registry=self.registry, buckets=buckets)
