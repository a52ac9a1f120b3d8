"""How an attempt at a trial ended, and what of it is recorded. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from pydantic import ValidationError

from trialbook.wire import Finish
from workers.keeping import Verdict

How = Literal["complete", "pruned", "paused", "failed", "stopped", "lost", "left"]
BY_VERDICT: dict[str, How] = {
    "prune": "pruned",
    "pause": "paused",
    "stop": "stopped",
    "lost": "lost",
    "refused": "failed",
}


@dataclass(frozen=True)
class Ending:
    """The end of an attempt. After `stopped` and `lost` nothing more is written; `left` gives the trial back."""

    how: How
    value: float | None = None
    error: str | None = None
    retry: bool = True
    attributes: Mapping[str, Any] = field(default_factory=dict)  # Any: JSON

    def under(self, verdict: Verdict | None) -> "Ending":
        """What remains of this ending where the server has said how it is to end."""
        if verdict is None or (verdict.how == "pause" and self.how in ("complete", "failed")):
            return self  # a trial that is over has nothing left to pause
        how = BY_VERDICT[verdict.how]
        if how == "failed":
            return replace(self, how=how, value=None, error=f"A report was refused: {verdict.reason}", retry=False)
        return replace(self, how=how, value=None, error=None)

    def as_finish(self) -> Finish:
        """The body that records it. The value of a pruned trial is left to the server: the last one that it stored."""
        state: Any = self.how  # Any: complete, pruned, paused or failed, the others are not recorded
        try:
            return Finish(
                state=state, value=self.value, error=self.error, retry=self.retry, attributes=dict(self.attributes)
            )
        except ValidationError as error:
            problem = error.errors()[0]
            where = ".".join(str(part) for part in problem["loc"])
            return Finish(
                state="failed", error=f"The result cannot be recorded: {where}: {problem['msg']}", retry=False
            )
