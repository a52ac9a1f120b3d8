"""What the service should do, told once more in dicts and lists: no database, no clock, one request after another.

Each method is one request of one caller: it changes the model and answers what the service must answer, as a `Told`.
"""

import json
import math
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter

from service.pruning import spares
from trialbook.spec import Pruner

PRUNER: TypeAdapter[Any] = TypeAdapter(Pruner)  # Any: one of several kinds
PAUSED = "the study is paused; the trial went back to the queue"
RELEASED = "released by its worker"
BY_USER = "cancelled by a user"
OPEN = ("waiting", "running")
OPEN_OR_PAUSED = (*OPEN, "paused")
STATES = ("waiting", "running", "paused", "complete", "pruned", "failed", "cancelled")
METRIC = "loss"
RUNGS = (0, 1, 3)  # of successive halving by two


@dataclass
class Told:
    """An expected answer: its status, an error's code, and the fields of its body that are known beforehand."""

    status: int = 200
    code: str | None = None
    body: dict[str, Any] = field(default_factory=dict)
    content: bytes | None = None  # the very bytes, where an earlier answer is given again


NOT_FOUND, LOST = Told(404, "not-found"), Told(409, "lease-lost")
WRONG_STATE, STEP_CONFLICT = Told(409, "wrong-state"), Told(409, "step-conflict")


@dataclass
class Attempt:
    worker: str
    resume_step: int | None = None
    outcome: str | None = None
    error: str | None = None
    finish: str | None = None  # the body that finished it
    answer: bytes | None = None
    can_pause: bool = False
    paused_step: int | None = None
    paused_rung: int | None = None
    paused_score: float | None = None


@dataclass
class Trial:
    number: int
    source: str
    state: str = "waiting"
    attempt: int = 0
    failures: int = 0
    worker: str | None = None
    is_expired: bool = False
    params: dict[str, Any] | None = None  # None until the service has told them
    value: float | None = None
    score: float | None = None
    reason: str | None = None
    error: str | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    reports: dict[int, dict[str, Any]] = field(default_factory=dict)
    last_step: int | None = None
    prune_step: int | None = None
    prune_reason: str | None = None
    pauses: bool = False  # whether that decision is a pause
    spared: dict[str, Any] | None = None  # where it would have been pruned, but for the audit
    rung: int | None = None  # where it was last paused
    at_rungs: dict[int, tuple[int, float]] = field(default_factory=dict)  # by rung: the step of the report, its score
    finish_seq: int | None = None
    attempts: list[Attempt] = field(default_factory=list)
    artifacts: dict[str, dict[str, Any]] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)

    def view(self) -> dict[str, Any]:
        """What every answer about this trial holds."""
        fields = ("number", "state", "attempt", "worker", "reason", "error", "attributes", "last_step", "spared")
        shown = {name: getattr(self, name) for name in fields} | {"value": spelled(self.value)}
        return shown if self.params is None else {**shown, "params": self.params}


def spelled(value: float | None) -> Any:
    """A number as JSON answers hold it."""
    if value is None or math.isfinite(value):
        return value
    return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"


def audited(trial: Trial) -> str | None:
    """Why a trial that goes on is told more than that."""
    return trial.spared and f"would be pruned: {trial.spared['reason']}; it runs on for the audit"


def number(sent: Any) -> float:
    """A number as bodies hold it."""
    return math.nan if sent is None else float(sent)


class Study:
    """One study; `clock` hands out the order in which results are recorded, over all studies."""

    def __init__(self, spec: dict[str, Any], owner: str, cells: int | None, clock: Any) -> None:
        self.spec, self.owner, self.cells, self.clock = spec, owner, cells, clock
        self.name, self.budget = spec["name"], spec["budget"]
        self.sign = -1 if spec["objective"]["direction"] == "maximize" else 1
        self.most = spec["trial"]["max_attempts"]
        self.factor = spec["pruner"].get("reduction_factor")
        self.promoted = 0
        self.state, self.reason = "running", None
        self.made = self.counted = 0
        self.notes, self.tags = "", {}
        self.trials: list[Trial] = []
        self.events: list[tuple[Any, ...]] = [("study", None, "running")]

    # What everybody sees of it.

    @property
    def n_trials(self) -> int | None:
        return self.size(self.budget)

    def size(self, budget: dict[str, Any], more: int = 0) -> int | None:
        """How many trials count in the end: the budget's, or all cells and what users enqueued besides."""
        enqueued = more + sum(trial.source == "enqueued" for trial in self.trials)
        cells = None if self.cells is None else self.cells + enqueued
        return min((n for n in (cells, budget.get("n_trials")) if n is not None), default=None)

    @property
    def counts(self) -> dict[str, int]:
        return {state: sum(trial.state == state for trial in self.trials) for state in STATES}

    @property
    def best(self) -> Trial | None:
        found = [t for t in self.trials if t.state == "complete" and t.score is not None and t.score < math.inf]
        return min(found, key=lambda t: (t.score, t.number), default=None)

    def view(self) -> dict[str, Any]:
        """What every answer about this study holds."""
        shown = {"name": self.name, "state": self.state, "reason": self.reason, "owner": self.owner}
        shown |= {"counts": self.counts, "n_trials": self.n_trials, "notes": self.notes, "tags": self.tags}
        shown["epochs"] = self.epochs if self.budget.get("max_epochs") else None
        shown["idle"] = self.idle()[0] if self.budget.get("patience") else None
        return shown

    @property
    def epochs(self) -> int:
        own = [t for t in self.trials if t.source != "import" and t.last_step is not None]
        return sum((t.last_step or 0) + 1 for t in own)

    def idle(self) -> tuple[int, Trial | None]:
        """Results since the best one, and that one."""
        found = [t for t in self.trials if t.state == "complete" and t.score is not None and t.score < math.inf]
        best = min(found, key=lambda t: (t.score, t.finish_seq), default=None)
        since = 0 if best is None or best.finish_seq is None else best.finish_seq
        later = [t for t in self.trials if (t.finish_seq or 0) > since and t.state != "paused"]
        return sum(t.source != "import" for t in later), best

    # What ends it.

    def settle(self) -> None:
        over = self.n_trials is not None and self.counted >= self.n_trials
        if self.state in ("running", "paused") and over and not any(t.state in OPEN for t in self.trials):
            if self.promote():
                return
            wanted = self.budget.get("n_trials")
            all_cells = self.cells is not None and (wanted is None or self.counted < wanted)
            self.end("completed", f"all {'cells of the grid' if all_cells else 'trials of the budget'} are done")

    def end(self, state: str, reason: str) -> None:
        self.state, self.reason = state, reason
        self.events.append(("study", None, state))
        for trial in self.trials:
            if trial.state == "paused" and state == "completed":
                trial.state, trial.reason = "pruned", trial.prune_reason
                self.events.append(("trial", trial.number, "pruned"))
            self.cancel_open(trial, reason)

    def cancel_open(self, trial: Trial, reason: str) -> None:
        if trial.state in OPEN_OR_PAUSED:
            trial.state, trial.reason = "cancelled", reason
            trial.value = trial.score = trial.finish_seq = None
            if trial.attempts and trial.attempts[-1].outcome is None:
                trial.attempts[-1].outcome = "cancelled"
            self.events.append(("trial", trial.number, "cancelled"))

    def end_if_spent(self) -> bool:
        reason = self.spent()
        if reason is None or self.state not in ("running", "paused"):
            return False
        self.end("completed", reason)
        return True

    def spent(self) -> str | None:
        target, patience, most = (self.budget.get(k) for k in ("target_value", "patience", "max_epochs"))
        own = [t for t in self.trials if t.state == "complete" and t.source != "import" and t.score is not None]
        reached = [t for t in own if target is not None and t.score <= target * self.sign]
        if reached:
            first = min(reached, key=lambda t: (t.score, t.number))
            return f"the target {target} is reached by trial {first.number}"
        idle, best = self.idle()
        if patience is not None and idle >= patience:
            on = "" if best is None else f" on trial {best.number}"
            return f"no improvement{on} in {idle} finished trial{'' if idle == 1 else 's'}"
        if most is not None and self.epochs >= most:
            return f"{self.epochs} epochs of {most} are reported"
        return None

    # What its owner asks.

    def pause(self) -> Told:
        return self._switch("running", "paused", "paused by a user")

    def resume(self) -> Told:
        return self._switch("paused", "running", None)

    def _switch(self, before: str, after: str, reason: str | None) -> Told:
        if self.state == before:
            self.state, self.reason = after, reason
            self.events.append(("study", None, after))
        return Told(body=self.view()) if self.state == after else WRONG_STATE

    def cancel(self) -> Told:
        if self.state in ("running", "paused"):
            self.end("cancelled", BY_USER)
        return Told(body=self.view()) if self.state == "cancelled" else WRONG_STATE

    def change(self, body: dict[str, Any]) -> Told:
        budget = body.get("budget")
        if budget is not None:
            size = self.size(budget)
            if self.state == "cancelled":
                return WRONG_STATE
            if size is not None and size < self.counted:
                return Told(422, "out-of-range")
            self.budget = budget
            if self.state == "completed" and (size is None or size > self.counted):
                self.state, self.reason = "running", None
        self.notes, self.tags = body.get("notes", self.notes), body.get("tags", self.tags)
        self.events.append(("study", None, self.state))
        if budget is not None:
            self.end_if_spent()
            self.settle()
        return Told(body=self.view())

    def add(self, new: list[dict[str, Any]]) -> Told:
        counted = sum(one.get("state", "waiting") == "waiting" for one in new)
        end = self.size(self.budget, counted)
        full = end is not None and counted and self.counted + counted > end
        if self.state not in ("running", "paused") or full:
            return WRONG_STATE
        first = self.made
        for one in new:
            self._added(one)
        self.counted += counted
        return Told(body={"numbers": list(range(first, self.made))})

    def _added(self, one: dict[str, Any]) -> None:
        state = one.get("state", "waiting")
        trial = Trial(self.made, "enqueued" if state == "waiting" else "import", state, params=one["params"])
        self._score(trial, None if "value" not in one else number(one["value"]))
        trial.reports = {report["step"]: report["metrics"] for report in one.get("reports", ())}
        trial.last_step = max(trial.reports, default=None)
        trial.finish_seq = next(self.clock) if state in ("complete", "pruned") else None
        self.made += 1
        self.trials.append(trial)
        self.events.append(("trial", trial.number, state))

    def cancel_trial(self, which: int) -> Told:
        if which >= len(self.trials):
            return NOT_FOUND
        trial = self.trials[which]
        self.cancel_open(trial, BY_USER)
        if trial.state != "cancelled":
            return WRONG_STATE
        told = Told(body=trial.view())
        self.settle()
        return told

    # What workers ask.

    def grant(self, worker: str, count: int, can_pause: bool = False) -> list[Trial]:
        """The trials that a request gets: waiting ones first, then lost ones, then new ones."""
        if self.state != "running":
            return []
        waiting = [t for t in self.trials if t.state == "waiting"]
        lost = [t for t in self.trials if t.state == "running" and t.is_expired and t.failures + 1 < self.most]
        lost = [t for t in lost if not t.pauses]
        granted = (waiting + lost)[:count]
        for trial in granted:
            self._again(trial, worker, can_pause)
        wanted = count - len(granted)
        while wanted and self.n_trials is not None and self.counted + wanted > self.n_trials:
            wanted //= 2  # near the end of a budget there is room for fewer
        for _ in range(wanted):
            attempt = Attempt(worker, can_pause=can_pause)
            trial = Trial(self.made, "sampler", "running", 1, worker=worker, attempts=[attempt])
            self.made, self.counted = self.made + 1, self.counted + 1
            self.trials.append(trial)
            self.events.append(("trial", trial.number, "running"))
            granted.append(trial)
        return granted

    def _again(self, trial: Trial, worker: str, can_pause: bool) -> None:
        if trial.state == "running":
            trial.failures += 1
            trial.attempts[-1].outcome = "expired"
        trial.state, trial.worker, trial.attempt = "running", worker, trial.attempt + 1
        trial.is_expired, trial.reason, trial.prune_step, trial.prune_reason = False, None, None, None
        trial.pauses = False
        checkpoint = trial.artifacts.get("checkpoint")
        step = checkpoint["step"] if checkpoint else None
        if trial.attempt > 1:
            trial.reports = {s: m for s, m in trial.reports.items() if step is not None and s <= step}
            trial.at_rungs = {rung: at for rung, at in trial.at_rungs.items() if at[0] in trial.reports}
            trial.last_step = step
            trial.spared = trial.spared if trial.spared and trial.spared["step"] in trial.reports else None
        trial.attempts.append(Attempt(worker, step, can_pause=can_pause))
        self.events.append(("trial", trial.number, "running"))

    def _holds(self, trial: Trial, attempt: int) -> bool:
        return trial.state == "running" and trial.attempt == attempt

    def report(self, trial: Trial, attempt: int, reports: list[dict[str, Any]]) -> Told:
        if not self._holds(trial, attempt):
            return self._report_late(trial, attempt, reports)
        if any(same(a["metrics"], b["metrics"]) is False for a in reports for b in reports if a["step"] == b["step"]):
            return STEP_CONFLICT
        kept, prunes, reached, spared = self._judged(trial, {one["step"]: one["metrics"] for one in reports})
        if any(step in trial.reports and not same(trial.reports[step], found) for step, found in kept.items()):
            return STEP_CONFLICT
        if prunes is not None and trial.prune_step is None:
            trial.prune_step, trial.prune_reason = prunes, ""  # the service says it in its own words
            score = self._oriented(kept[prunes])
            trial.pauses = self.factor is not None and trial.attempts[-1].can_pause and score < math.inf
        trial.spared = spared
        limit = math.inf if trial.prune_step is None else trial.prune_step
        new = {s: m for s, m in kept.items() if s <= limit and s not in trial.reports}
        trial.reports |= new
        trial.at_rungs |= {rung: (step, self._oriented(new[step])) for rung, step in reached.items() if step in new}
        steps = (*(s for s in kept if s <= limit), trial.last_step)
        trial.last_step = max((s for s in steps if s is not None), default=None)
        trial.is_expired = False
        if new:
            self.events.append(("report", trial.number, min(new), max(new)))
        if self.budget.get("max_epochs") is not None and self.end_if_spent():
            return Told(body={"decision": "stop", "reason": self.reason})
        if reached:
            self.promote()
        if trial.prune_step is not None:
            return Told(body={"decision": "pause" if trial.pauses else "prune"})
        if self.state == "paused":
            self._back(trial, PAUSED)
            return Told(body={"decision": "stop", "reason": PAUSED})
        return Told(body={"decision": "continue", "reason": audited(trial)})

    def _judged(
        self, trial: Trial, sent: dict[int, dict[str, Any]]
    ) -> tuple[dict[int, dict[str, Any]], int | None, dict[int, int], dict[str, Any] | None]:
        """The steps that are looked at, the one at which the trial is pruned, by rung the step that reached it, and
        where the trial is spared."""
        kept: dict[int, dict[str, Any]] = {}
        reached: dict[int, int] = {}
        bound, last, spared = self.spec["pruner"].get("upper"), trial.last_step, trial.spared
        for step, metrics in sent.items():
            if trial.prune_step is not None and step > trial.prune_step:
                continue
            kept[step] = metrics
            value = number(metrics[METRIC]) if METRIC in metrics else None
            if spared is None and bound is not None and value is not None and not -math.inf < value <= bound:
                if not self.chosen(trial.number):
                    return kept, step, reached, None
                above = f"{value:g} is above the upper threshold {bound:g}"
                why = above if math.isfinite(value) else "is not a finite number"
                spared = {"step": step, "reason": f"{METRIC} {why} at step {step}"}
            passed = [rung for rung in RUNGS if (-1 if last is None else last) < rung <= step]
            if self.factor is not None and value is not None and passed:
                reached[passed[-1]] = step
                if not self._goes_on(trial, passed[-1], self._oriented(metrics)):
                    return kept, step, reached, None
            last = max(step, -1 if last is None else last)
        return kept, None, reached, spared

    def chosen(self, trial: int) -> bool:
        """Whether the audit lets a trial run on."""
        return spares(PRUNER.validate_python(self.spec["pruner"]), self.spec["sampler"].get("seed", 0), trial)

    # Successive halving.

    def _oriented(self, metrics: dict[str, Any]) -> float:
        value = number(metrics[METRIC]) if METRIC in metrics else math.inf
        return value * self.sign if math.isfinite(value) else math.inf

    def _rivals(self, trial: Trial, rung: int) -> list[float]:
        """The scores of the others that have come to a rung, also of those promoted there that have to come again."""
        there = [t.at_rungs[rung][1] for t in self.trials if t is not trial and rung in t.at_rungs]
        again = [t for t in self.trials if t.state == "running" and t.rung is not None and t.rung >= rung]
        gone = [one for t in again for one in t.attempts if one.paused_step not in t.reports]
        return there + [one.paused_score or 0.0 for one in gone if one.paused_rung == rung]

    def _goes_on(self, trial: Trial, rung: int, score: float) -> bool:
        if score == math.inf:
            return False
        rivals = sorted(self._rivals(trial, rung))
        kept = (len(rivals) + 1) // self.factor
        if trial.rung is not None and rung <= trial.rung:
            return True  # it was promoted from here
        if not trial.attempts[-1].can_pause:
            return score <= sorted([*rivals, score])[max(kept, 1) - 1]
        return bool(kept) and score < rivals[kept - 1]

    def promote(self) -> bool:
        """Let those go on that are among the best of their rung; whether there are any."""
        before = self.promoted
        for rung in RUNGS if self.factor is not None else ():
            while (best := self._best_paused(rung)) is not None and self._may_go_on(best, rung):
                came = len(self._rivals(best, rung)) + 1
                best.state, best.value, best.score, best.finish_seq = "waiting", None, None, None
                best.reason = f"promoted: it has come to be among the best of {came} trials at step {rung}"
                self.events.append(("trial", best.number, "waiting"))
                self.promoted += 1
        return self.promoted > before

    def _best_paused(self, rung: int) -> Trial | None:
        paused = [t for t in self.trials if t.state == "paused" and t.rung == rung]
        return min(paused, key=lambda t: (t.score, t.number), default=None)

    def _may_go_on(self, trial: Trial, rung: int) -> bool:
        """Of those that are paused with one score, the first goes on first."""
        paused = [t for t in self.trials if t is not trial and t.state == "paused"]
        behind = [t for t in paused if (t.rung, t.score) == (rung, trial.score)]
        rivals = self._rivals(trial, rung)
        for _ in behind:
            rivals.remove(trial.score)
        kept = (len(rivals) + len(behind) + 1) // self.factor
        return bool(kept) and trial.score < (sorted(rivals) + [math.inf] * len(behind))[kept - 1]

    def _report_late(self, trial: Trial, attempt: int, reports: list[dict[str, Any]]) -> Told:
        if trial.attempt != attempt:
            return LOST
        outcome = trial.attempts[attempt - 1].outcome
        if trial.state == "cancelled":
            return Told(body={"decision": "stop", "reason": trial.reason})
        if outcome == "released" and trial.reason == PAUSED:
            return Told(body={"decision": "stop", "reason": PAUSED})
        if outcome in ("complete", "pruned", "paused", "failed"):
            if any(not same(one["metrics"], trial.reports.get(one["step"], {})) for one in reports):
                return Told(409, "already-finished")
            stopped = "pause" if trial.pauses else "prune"
            if trial.prune_step is None:
                return Told(body={"decision": "continue", "reason": audited(trial)})
            return Told(body={"decision": stopped})
        return LOST

    def renew(self, trial: Trial, attempt: int) -> Told:
        if not self._holds(trial, attempt):
            return LOST
        trial.is_expired = False
        return Told(body=trial.view())

    def release(self, trial: Trial, attempt: int) -> Told:
        if self._holds(trial, attempt):
            self._back(trial, RELEASED)
        elif trial.attempt != attempt or trial.attempts[attempt - 1].outcome != "released":
            return LOST
        return Told(body=trial.view())

    def _back(self, trial: Trial, reason: str) -> None:
        trial.state, trial.reason, trial.is_expired = "waiting", reason, False
        trial.attempts[-1].outcome = "released"
        self.events.append(("trial", trial.number, "waiting"))

    def finish(self, trial: Trial, attempt: int, body: dict[str, Any]) -> Told:
        sent = json.dumps({"value": None, "error": None, "attributes": {}, "retry": True, **body}, sort_keys=True)
        if not self._holds(trial, attempt):
            ended = trial.attempts[attempt - 1]
            if ended.finish is None:
                return LOST
            return Told(content=ended.answer) if ended.finish == sent else Told(409, "already-finished")
        pauses = body["state"] == "paused"
        if pauses and (not trial.pauses or body.get("value") is not None):
            return Told(422, "invalid")  # nobody was told to, or the value is the report's
        value = number(body["value"]) if body.get("value") is not None else self._measured(trial, body["state"])
        if value is None and body["state"] == "complete":
            return Told(422, "invalid")
        trial.failures += body["state"] == "failed"
        again = body["state"] == "failed" and body.get("retry", True) and trial.failures < self.most
        trial.state, trial.error = "waiting" if again else body["state"], body.get("error")
        trial.reason, trial.is_expired = trial.prune_reason, False
        trial.attributes = {**trial.attributes, **body.get("attributes", {})}
        self._score(trial, value)
        if body["state"] in ("complete", "pruned", "paused"):
            trial.finish_seq = next(self.clock)
        if pauses:
            self._paused(trial)
        trial.attempts[-1].outcome, trial.attempts[-1].finish = body["state"], sent
        trial.attempts[-1].error = body.get("error")
        self.events.append(("trial", trial.number, trial.state))
        told = Told(body=trial.view())
        if pauses:
            self.promote()
        elif not again:
            limited = any(self.budget.get(limit) is not None for limit in ("target_value", "patience"))
            _ = limited and self.end_if_spent()
        if trial.state != "waiting" or (pauses and told.body["state"] == "paused"):
            self.settle()
        return told

    def _paused(self, trial: Trial) -> None:
        [(trial.rung, at)] = [(rung, at) for rung, at in trial.at_rungs.items() if at[0] == trial.prune_step]
        last = trial.attempts[-1]
        last.paused_step, last.paused_rung, last.paused_score = trial.prune_step, trial.rung, at[1]

    def _score(self, trial: Trial, value: float | None) -> None:
        trial.value = value
        trial.score = None if value is None else value * self.sign if math.isfinite(value) else math.inf

    def _measured(self, trial: Trial, state: str) -> float | None:
        curve = [number(m[METRIC]) for _, m in sorted(trial.reports.items()) if METRIC in m]
        if not curve:
            return None
        if self.spec["early_stopping"] is None or state != "complete":
            return curve[-1]
        return min(curve, key=lambda value: value * self.sign if math.isfinite(value) else math.inf)

    def upload(self, trial: Trial, attempt: int, name: str, content: bytes, sha256: str, step: int | None) -> Told:
        if name == "checkpoint" and step is None:
            return Told(422, "invalid")
        if not self._holds(trial, attempt):
            return LOST
        if name == "checkpoint" and (trial.last_step is None or (step or 0) > trial.last_step):
            return Told(409, "checkpoint-ahead")
        stored = {"name": name, "size": len(content), "sha256": sha256, "step": step, "attempt": attempt}
        trial.artifacts[name], trial.contents[name] = stored, content
        self.events.append(("artifact", trial.number, name))
        return Told(body=stored)

    # What time brings about.

    def tick(self) -> None:
        lost = [trial for trial in self.trials if trial.state == "running" and trial.is_expired]
        for trial in lost:
            if not trial.pauses and trial.failures + 1 >= self.most:
                trial.state, trial.failures, trial.is_expired = "failed", trial.failures + 1, False
                trial.reason = f"its worker was lost in each of {trial.attempt} attempts"
                trial.attempts[-1].outcome = "expired"
                self.events.append(("trial", trial.number, "failed"))
        for trial in (one for one in lost if one.pauses):
            trial.state, trial.reason, trial.is_expired = "paused", trial.prune_reason, False
            self._score(trial, number(trial.reports[trial.prune_step][METRIC]))
            trial.finish_seq, trial.attempts[-1].outcome = next(self.clock), "expired"
            self._paused(trial)
            self.events.append(("trial", trial.number, "paused"))
        if any(one.pauses for one in lost):
            self.promote()
        self.settle()


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two reports of a step hold the same values."""
    return {k: spelled(number(v)) for k, v in one.items()} == {k: spelled(number(v)) for k, v in other.items()}
