"""Histories by hand, for the tests of the judge."""

from typing import Any

from tests.chaos.checker import violations
from tests.chaos.history import Call, Final

SHA = {"old": "0" * 64, "new": "1" * 64}


class Story:
    """A history by hand, of one study `s`: each call takes a second, and another one passes until the next."""

    def __init__(self, **spec: Any) -> None:
        self.calls: list[Call] = []
        self.now = 0.0
        self._final: dict[int, dict[str, Any]] = {}
        self._files: dict[int, list[dict[str, Any]]] = {}
        self._spec = {"name": "s", **spec}
        self.study: dict[str, Any] | None = {"name": "s", "state": "running", "reason": None, "n_trials": 9}
        self.call("createStudy", "/studies", self._spec, status=201)

    def call(
        self, operation: str, path: str, asked: Any = None, answer: Any = None, *, status: int | None = 200, takes=1.0
    ) -> Call:
        """Any call; status None: its answer was lost."""
        outcome = "unknown" if status is None else "ok" if status < 300 else "refused"
        answer = answer if outcome == "ok" else None
        call = Call("c", operation, f"/api/v1{path}", asked, self.now, self.now + takes, outcome, status, answer)
        self.calls.append(call)
        self.now += takes + 1
        return call

    def grant(
        self, attempt=1, resume=None, *, number=0, ttl=0.5, request=None, lease=None, params=None, **more
    ) -> None:
        """A lease of a trial."""
        one = {"study": "s", "number": number, "attempt": attempt, "params": params or {"x": number}}
        one |= {"lease": lease or f"{number}.{attempt}", "ttl_seconds": ttl, "resume_step": resume, "seed": 1}
        asked = {"request_id": request or f"r{len(self.calls)}", "worker": f"w{attempt}", "trainers": ["external"]}
        self.call("acquireLeases", "/leases", asked, {"leases": [one]}, **more)

    def under(self, operation: str, action: str, asked: Any = None, answer: Any = None, *, lease="0.1", **more) -> Call:
        """A call under a lease."""
        return self.call(operation, f"/leases/{lease}/{action}", asked, answer, **more)

    def report(self, steps: dict[int, float], decision="continue", **more) -> None:
        """A batch of losses by step."""
        asked = {"reports": [{"step": step, "metrics": {"loss": loss}} for step, loss in steps.items()]}
        self.under("report", "reports", asked, {"decision": decision, "ttl_seconds": 0.5}, **more)

    def put(self, sha: str, step: int, **more) -> None:
        """A checkpoint."""
        self.under("putArtifact", f"artifacts/checkpoint?sha256={SHA[sha]}&step={step}", None, {}, **more)

    def finish(
        self, value: float | None = 0.5, state="complete", *, then=None, attempt=1, reports=None, **more
    ) -> None:
        """A result; `then`: the state that its answer shows."""
        asked = {"state": state, "value": value, "error": None, "attributes": {}}
        answer = self.trial(state=then or state, value=value, attempt=attempt, reports=reports)
        self.under("finishTrial", "finish", asked, answer, lease=f"0.{attempt}", **more)

    def read(self, *, number=0, status=200, **shown: Any) -> None:
        """A look at a trial."""
        self.call("getTrial", f"/studies/s/trials/{number}", None, self.trial(number=number, **shown), status=status)

    def trial(self, *, number=0, state="running", attempt=1, reports=None, outcomes=(), **more: Any) -> dict[str, Any]:
        """A trial as getTrial shows it."""
        steps = reports or {}
        attempts = [
            {"attempt": one, "worker": f"w{one}", "outcome": outcomes[one - 1] if outcomes else None}
            for one in range(1, attempt + 1)
        ]
        curve = [{"step": step, "metrics": {"loss": loss}} for step, loss in steps.items()]
        shown = {"number": number, "state": state, "attempt": attempt, "params": {"x": number}, "reports": curve}
        shown |= {"last_step": max(steps, default=None), "value": None, "error": None, "attributes": {}}
        return {**shown, "attempts": attempts, "explanation": {}, "reason": None, **more}

    def ends(self, *, files=(), number=0, **shown: Any) -> None:
        """A trial in the end, with its checkpoint as (sha, step, attempt)."""
        self._final[number] = self.trial(number=number, **shown)
        names = ("sha256", "step", "attempt")
        self._files[number] = [
            {"name": "checkpoint", **dict(zip(names, (SHA[sha], step, attempt), strict=True))}
            for sha, step, attempt in files
        ]

    def broken(self) -> set[str]:
        """The rules that it breaks."""
        studies = [] if self.study is None else [{"spec": self._spec, "notes": "", "tags": {}, **self.study}]
        trials = {"s": [self._final[number] for number in sorted(self._final)]}
        return {one.rule for one in violations(self.calls, Final(studies, trials, {"s": self._files}))}
