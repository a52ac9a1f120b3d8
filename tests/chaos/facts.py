"""A history sorted by studies, trials and attempts: who was granted what, and which calls wrote under which lease."""

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.chaos.history import Call, Final

OVER = ("complete", "pruned", "failed", "cancelled")
UNDER_LEASE = ("report", "renewLease", "releaseLease", "finishTrial", "putArtifact")


def may_have_happened(call: Call) -> bool:
    """No answer tells: none came, or one of 5xx, as where the database went away in the middle of a commit."""
    return call.outcome == "unknown" or (call.outcome == "refused" and (call.status or 500) >= 500)


def is_possible(call: Call) -> bool:
    """Whether the call took effect, or may have."""
    return call.outcome == "ok" or may_have_happened(call)


def spelled(body: Any) -> str:
    """A body in one spelling, so that equal ones are equal."""
    return json.dumps(body, sort_keys=True)


def parts(call: Call) -> list[str]:
    """The segments of a call's path below the API's base."""
    path = urlsplit(call.path).path.removeprefix("/api/v1")
    return [unquote(part) for part in path.strip("/").split("/")]


def asked_for(call: Call, name: str) -> str | None:
    """A parameter of a call's query; where the query is not kept with the path, as noted among what was asked."""
    noted = call.asked.get(name) if isinstance(call.asked, dict) else None
    given = parse_qs(urlsplit(call.path).query).get(name, [] if noted is None else [str(noted)])
    return next(iter(given), None)


def same_number(one: Any, other: Any) -> bool:
    """Whether two metrics or values are the same, however a non-finite one is written."""
    if one is None or other is None:
        return one is other
    one, other = float(one), float(other)
    return one == other or (math.isnan(one) and math.isnan(other))


def same_metrics(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two reports of a step hold the same; null is how some clients write NaN."""
    plain = [{name: "nan" if value is None else value for name, value in each.items()} for each in (one, other)]
    return one.keys() == other.keys() and all(same_number(plain[0][name], plain[1][name]) for name in one)


@dataclass(frozen=True)
class Grant:
    """An attempt as an answer told of it. Made after `earliest` (the request may have been sent before), and before
    the answer's end."""

    attempt: int
    lease: str
    ttl: float
    resume_step: int | None
    earliest: float
    call: Call


@dataclass
class TrialFacts:
    """All that a history says of one trial."""

    study: str
    number: int
    grants: dict[int, Grant] = field(default_factory=dict)
    told: list[tuple[Call, dict[str, Any]]] = field(default_factory=list)  # each answer that held a lease of it
    writes: dict[int, list[Call]] = field(default_factory=lambda: defaultdict(list))  # by attempt, in time's order
    shown: list[tuple[Call, dict[str, Any]]] = field(default_factory=list)  # each answer that held the trial
    cancels: list[Call] = field(default_factory=list)
    final: dict[str, Any] | None = None
    files: list[dict[str, Any]] | None = None  # None: nothing is known

    @property
    def is_over(self) -> bool:
        """Whether it is over in the end."""
        return self.final is not None and self.final["state"] in OVER

    @property
    def last_attempt(self) -> int:
        """The last attempt that anything shows."""
        shown = [trial["attempt"] for _, trial in self.shown]
        return max([*self.grants, *shown, self.final["attempt"] if self.final else 0], default=0)

    def kept(self, attempt: int, step: int, until: int) -> bool | None:
        """Whether a step of this attempt outlives the rewinds of those after it up to `until`; None: unknown."""
        later = [self.grants.get(one) for one in range(attempt + 1, until + 1)]
        if any(grant is not None and (grant.resume_step is None or step > grant.resume_step) for grant in later):
            return False
        return None if None in later else True

    def of(self, operation: str, attempt: int | None = None) -> list[Call]:
        """The calls of one kind under this trial's leases, or under one of them."""
        attempts = self.writes if attempt is None else (attempt,)
        return [call for one in attempts for call in self.writes.get(one, ()) if call.operation == operation]

    def is_repeat(self, call: Call, attempt: int) -> bool:
        """Whether the same was asked before and may have happened."""
        return any(
            one.begun < call.begun and is_possible(one) and spelled(one.asked) == spelled(call.asked)
            for one in self.of(call.operation, attempt)
        )


@dataclass
class StudyFacts:
    """All that a history says of one study."""

    name: str
    calls: dict[str, list[Call]] = field(default_factory=lambda: defaultdict(list))  # those on itself, by operation
    trials: dict[int, TrialFacts] = field(default_factory=dict)
    final: dict[str, Any] | None = None

    @property
    def is_whole(self) -> bool:
        """Whether the history holds its life from the beginning, so that what no call asked for is made up."""
        return bool(self.calls["createStudy"])

    @property
    def spec(self) -> dict[str, Any]:
        """Its spec in the end, else as it was submitted; empty where the history holds neither."""
        if self.final is not None:
            return dict(self.final["spec"])
        return next((call.asked for call in self.calls["createStudy"]), {})

    @property
    def is_deleted(self) -> bool:
        """Whether it was deleted, or may have been."""
        return any(is_possible(call) for call in self.calls["deleteStudy"])

    def trial(self, number: int) -> TrialFacts:
        """The facts on one of its trials."""
        return self.trials.setdefault(number, TrialFacts(self.name, number))


@dataclass(frozen=True)
class Facts:
    """A history, sorted."""

    calls: list[Call]  # in the order they began
    studies: dict[str, StudyFacts]
    is_over: bool  # whether what was held in the end is known

    @property
    def trials(self) -> Iterator[TrialFacts]:
        """The trials of all studies that were not deleted."""
        for study in self.studies.values():
            if not study.is_deleted:
                yield from study.trials.values()


def gather(calls: Iterable[Call], final: Final | None) -> Facts:
    """Sort a history."""
    facts = Facts(sorted(calls, key=lambda call: call.begun), {}, final is not None)
    first_asked: dict[Any, float] = {}
    holders: dict[str, tuple[TrialFacts, int]] = {}
    for call in facts.calls:
        if call.operation == "acquireLeases":
            first_asked.setdefault(call.asked["request_id"], call.begun)
    for call in facts.calls:
        if call.operation == "acquireLeases" and call.outcome == "ok":
            for lease in call.answer["leases"]:
                trial = _study(facts, lease["study"]).trial(lease["number"])
                trial.told.append((call, lease))
                _note_grant(trial, lease, first_asked[call.asked["request_id"]], call)
                holders.setdefault(lease["lease"], (trial, lease["attempt"]))
    for call in facts.calls:
        _sort_in(facts, holders, call)
    if final is not None:
        _note_final(facts, final)
    return facts


def _note_final(facts: Facts, final: Final) -> None:
    for study in final.studies:
        _study(facts, study["name"]).final = study
    for name, trials in final.trials.items():
        for one in trials:
            trial = _study(facts, name).trial(one["number"])
            trial.final = one
            trial.files = final.artifacts.get(name, {}).get(one["number"])


def _study(facts: Facts, name: str) -> StudyFacts:
    return facts.studies.setdefault(name, StudyFacts(name))


def _note_grant(trial: TrialFacts, lease: dict[str, Any], earliest: float, call: Call) -> None:
    known = trial.grants.get(lease["attempt"])
    if known is None or call.ended < known.call.ended:
        first = earliest if known is None else min(earliest, known.earliest)
        trial.grants[lease["attempt"]] = Grant(
            lease["attempt"], lease["lease"], lease["ttl_seconds"], lease["resume_step"], first, call
        )


def _sort_in(facts: Facts, holders: dict[str, tuple[TrialFacts, int]], call: Call) -> None:
    path = parts(call)
    if call.operation in UNDER_LEASE and path[1] in holders:
        trial, attempt = holders[path[1]]
        trial.writes[attempt].append(call)
        if call.operation in ("renewLease", "releaseLease", "finishTrial") and call.outcome == "ok":
            trial.shown.append((call, call.answer))
    elif call.operation == "createStudy" and isinstance(call.asked, dict):
        _study(facts, call.asked["name"]).calls["createStudy"].append(call)
    elif path[0] == "studies" and len(path) > 1:
        study = _study(facts, path[1])
        if call.operation in ("getTrial", "cancelTrial"):
            trial = study.trial(int(path[3]))
            if call.operation == "cancelTrial":
                trial.cancels.append(call)
            if call.outcome == "ok":
                trial.shown.append((call, call.answer))
        elif call.operation == "listTrials" and call.outcome == "ok":
            for one in call.answer["items"]:
                study.trial(one["number"]).shown.append((call, one))
        study.calls[call.operation].append(call)


@dataclass(frozen=True)
class Found:
    """Where a rule is broken, in words, and the calls that prove it."""

    study: str | None
    number: int | None
    what: str
    calls: tuple[Call, ...] = ()


def found(trial: TrialFacts, what: str, *calls: Call) -> Found:
    """A rule broken at a trial."""
    return Found(trial.study, trial.number, what, calls)
