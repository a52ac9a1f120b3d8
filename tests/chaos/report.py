"""What came of a run of chaos: what the judge of histories says, how soon lost trials were leased again, and a table.

Pure: no clock, no network.
"""

import json
import math
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from tests.chaos.checker import Violation, violations
from tests.chaos.clients import LEASE_SECONDS
from tests.chaos.facts import StudyFacts, TrialFacts, gather, is_possible
from tests.chaos.halving import is_halved
from tests.chaos.history import Call, Final

RELEASE_BAR = 5.0  # seconds from a lease's end to the trial's next one
FORGIVEN = 16.0  # seconds that leases last after an outage, at most: RETURN_SECONDS of the service, and a tick
OVERSLEPT = 10.0  # seconds before an outage is noticed that it began, at most, where the server only had no turn
MOST_SHOWN = 50  # violations
INTERFERENCES = ("pauseStudy", "resumeStudy", "cancelStudy", "deleteStudy", "cancelTrial", "addTrials")

Spans = list[tuple[float, float]]  # from when to when, on the clock of the history


@dataclass
class Report:
    """What happened in a run."""

    seconds: float
    faults: Counter[str]
    calls: list[Call]
    violations: list[Violation]
    problems: list[str] = field(default_factory=list)  # what is wrong apart from the history
    waits: list[float] = field(default_factory=list)  # seconds from the end of each lease that expired to the next one
    trials: Counter[str] = field(default_factory=Counter)  # in the end, by state
    studies: Counter[str] = field(default_factory=Counter)
    again: int = 0  # attempts beyond the first

    @property
    def is_clean(self) -> bool:
        """Whether all promises were kept."""
        return not self.violations and not self.problems

    @property
    def interfered(self) -> set[str]:
        """What owners did to their studies, as far as it was acknowledged."""
        return {call.operation for call in self.calls if call.outcome == "ok"} & set(INTERFERENCES)

    def __str__(self) -> str:
        by_call = Counter((call.operation, call.outcome) for call in self.calls)
        names = sorted({name for name, _ in by_call if " " not in name})
        outcomes = ("ok", "refused", "unknown")
        lines = [f"{self.seconds:.0f} s", f"{'calls':16}" + "".join(f"{one:>10}" for one in outcomes)]
        lines += [f"{name:16}" + "".join(f"{by_call[name, one]:10}" for one in outcomes) for name in names]
        refused = Counter(_reason(call) for call in self.calls if call.outcome == "refused")
        lines.append("refused: " + _listed(refused))
        lines.append("faults: " + _listed(self.faults))
        lines.append("studies: " + _listed(self.studies))
        lines.append("trials: " + _listed(self.trials))
        slowest = f"{max(self.waits):.2f} s at the slowest of {len(self.waits)}" if self.waits else "none to see"
        lines.append(f"attempts beyond the first: {self.again}; leased again after its lease's end: {slowest}")
        lines.append(f"violations: {len(self.violations)}, problems: {len(self.problems)}")
        lines += [*self.problems, *map(str, self.violations[:MOST_SHOWN])]
        return "\n".join([*lines, *(["…"] if len(self.violations) > MOST_SHOWN else [])])


def judge(
    calls: list[Call],
    final: Final,
    *,
    seconds: float,
    faults: Counter[str],
    problems: list[str],
    outages: Spans,
    clock: float,
) -> Report:
    """Judge a run. `outages` are those of the server and its database; `clock` is what must be added to the history's
    times to have those of day, in seconds since 1970."""
    report = Report(seconds, faults, calls, violations(calls, final), list(problems))
    report.studies = Counter(study["state"] for study in final.studies)
    trials = [trial for found in final.trials.values() for trial in found]
    report.trials = Counter(trial["state"] for trial in trials)
    report.again = sum(max(0, trial["attempt"] - 1) for trial in trials)
    report.problems += [f"not to be refused: {_reason(call)}" for call in calls if _is_surprising(call)]
    for study in gather(calls, final).studies.values():
        pauses = _pauses(study)
        for trial in () if is_halved(study) else study.trials.values():  # where a lost one may be paused
            for wait in _waits(trial, outages, pauses, clock):
                report.waits.append(wait)
                if wait > RELEASE_BAR:
                    what = f"{study.name}/{trial.number} was leased again only {wait:.1f} s after its lease's end"
                    report.problems.append(what)
    return report


def noticed(log: Iterable[str], clock: float) -> Spans:
    """The outages that a server's log tells of. Where a machine is overloaded it may have had no turn for seconds: it
    forgives that as it does any other outage, though nobody struck."""
    found = []
    for line in log:
        if '"event": "outage-noticed"' in line:
            with suppress(ValueError):  # a line that a kill has cut
                at = datetime.fromisoformat(json.loads(line)["time"]).timestamp() - clock
                found.append((at - OVERSLEPT, at))
    return found


def _waits(trial: TrialFacts, outages: Spans, pauses: Spans, clock: float) -> Iterable[float]:
    """Seconds from the end of each lease that expired, at the latest, to the next one, as the server notes it. An
    outage or a pause puts off the end: the first by what the service forgives, if it came before that end."""
    if trial.study.startswith("own"):  # there may be no worker awake
        return
    attempts = {one["attempt"]: one for one in (trial.final or {}).get("attempts", ())}
    for number, one in attempts.items():
        grant, following = trial.grants.get(number), attempts.get(number + 1)
        if one["outcome"] != "expired" or grant is None or following is None:
            continue
        heard = [call.ended for call in trial.writes[number] if is_possible(call)]
        end = max([grant.call.ended, *heard]) + LEASE_SECONDS
        granted = datetime.fromisoformat(following["started_at"]).timestamp() - clock
        for begun, ended in sorted(outages):
            if begun < granted:
                end = max(end, ended + FORGIVEN if begun < end else ended)
        for begun, ended in pauses:
            if begun < granted:
                end = max(end, ended)
        yield max(0.0, granted - end)


def _pauses(study: StudyFacts) -> Spans:
    """When a study may have been paused."""
    resumed = [call for call in study.calls["resumeStudy"] if call.outcome == "ok"]
    return [
        (pause.begun, min((call.ended for call in resumed if call.begun > pause.begun), default=math.inf))
        for pause in study.calls["pauseStudy"]
        if is_possible(pause)
    ]


def _is_surprising(call: Call) -> bool:
    """Whether a call was refused for a reason that no client gave: all they send is well formed, and a name is used
    once. A study may be over or gone, and a lease lost."""
    if call.outcome != "refused" or call.status in (503, 507):
        return False
    return call.operation == "createStudy" or call.status not in (404, 409)


def _reason(call: Call) -> str:
    code = call.answer.get("code") if isinstance(call.answer, dict) else None
    return f"{call.operation} {call.status} {code}"


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
