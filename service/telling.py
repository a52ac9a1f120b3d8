"""What happens to studies, trials and leases, told twice: counted for Prometheus, and a line in the log."""

import logging
from collections.abc import Sequence
from typing import Any

from service.logs import tell
from service.metrics import Metrics
from service.store.closing import Ended
from service.store.granting import Granted
from service.store.promoting import PausedAlone
from service.store.sweeping import Lost
from trialbook.errors import LeaseLost
from trialbook.wire import Trial


def leases_granted(metrics: Metrics, granted: Sequence[Granted], worker: str) -> None:
    """Trials were given to a worker, some because another worker's lease of them had expired."""
    for one in granted:
        ids: dict[str, Any] = {"study": one.study, "number": one.number}
        if one.expired:
            metrics.expired.inc()
            tell("lease-expired", **ids, attempt=one.attempt - 1)
        if one.waited is not None:
            metrics.trial_wait.observe(max(0.0, one.waited))
        metrics.granted.inc()
        tell("lease-granted", **ids, attempt=one.attempt, worker=worker, resume_step=one.resume_step)


def lease_released(metrics: Metrics, trial: Trial) -> None:
    """A worker gave a trial back."""
    metrics.released.inc()
    tell("lease-released", study=trial.study, number=trial.number, attempt=trial.attempt, worker=trial.worker)


def write_refused(metrics: Metrics, study: str, number: int, attempt: int) -> LeaseLost:
    """The error for a write under a lease that is lost; `attempt` is the writer's."""
    metrics.stale.inc()
    tell("write-refused", study=study, number=number, attempt=attempt)
    return LeaseLost()


def attempt_ended(metrics: Metrics, trial: Trial, state: str) -> None:
    """A worker's attempt came to an end, and its trial with it unless that is to be tried again."""
    ids: dict[str, Any] = {"study": trial.study, "number": trial.number}
    ids |= {"attempt": trial.attempt, "worker": trial.worker}
    if trial.state == "paused":
        metrics.paused.inc()
        tell("trial-paused", **ids, value=trial.value, step=trial.last_step)
    elif trial.state == "waiting":
        metrics.retried.inc()
        tell("trial-retried", **ids, state=state)
    else:
        metrics.ended.labels(trial.state).inc()
        tell("trial-ended", **ids, state=trial.state, value=trial.value)


def trial_paused_alone(metrics: Metrics, lost: PausedAlone) -> None:
    """A trial is paused though the worker that was told to pause it was lost."""
    metrics.expired.inc()
    metrics.paused.inc()
    tell("lease-expired", study=lost.study, number=lost.number, attempt=lost.attempt)
    tell("trial-paused", study=lost.study, number=lost.number, attempt=lost.attempt, value=lost.value, step=lost.step)


def trial_promoted(metrics: Metrics, study: str, number: int) -> None:
    """A paused trial is to go on."""
    metrics.promoted.inc()
    tell("trial-promoted", study=study, number=number)


def trials_lost(metrics: Metrics, lost: Sequence[Lost]) -> None:
    """Trials failed because the worker of their last allowed attempt was lost."""
    for one in lost:
        metrics.expired.inc()
        metrics.ended.labels("failed").inc()
        tell("lease-expired", study=one.study, number=one.number, attempt=one.attempt)
        tell("trial-ended", study=one.study, number=one.number, attempt=one.attempt, state="failed")


def trial_cancelled(metrics: Metrics, trial: Trial) -> None:
    """A user cancelled a trial."""
    metrics.ended.labels("cancelled").inc()
    tell("trial-ended", study=trial.study, number=trial.number, attempt=trial.attempt, state="cancelled")


def study_ended(metrics: Metrics, ended: Ended | None) -> None:
    """A study came to its end, if it did."""
    if ended is not None:
        metrics.ended.labels("cancelled").inc(ended.cancelled)
        metrics.ended.labels("pruned").inc(ended.pruned)
        tell("study-ended", study=ended.study, state=ended.state, reason=ended.reason, cancelled=ended.cancelled)


def outage_noticed(metrics: Metrics, prolonged: int) -> None:
    """The service had been away; leases that were alive when it went were given their full time again."""
    metrics.outages.inc()
    tell("outage-noticed", level=logging.WARNING, leases_prolonged=prolonged)
