"""One evaluation, from its claim to its result: model and data fetched, the training process asked, the server told.

Knows the HTTP client and the process, not what is measured. What it fails of is told too, so that a next try may begin.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from trialbook import Client
from trialbook.errors import TrialbookError
from trialbook.evaluation import Evaluation, EvaluationResult
from trialbook.files import MODEL
from workers.data import DataChanged, fetch
from workers.journal import Journal
from workers.keeping import AWAY, AWAY_PAUSE
from workers.process import Died, Told, TrainingProcess
from workers.scratch import scratch_folder

# (the kind of event wanted, for how many seconds) → the next such event; None after that time or when told to leave
Wait = Callable[[Callable[[Any], bool], float | None], Any]


class Evaluating:
    """Done in the thread of a slot, whose events `wait` brings."""

    def __init__(
        self, client: Client, asked: Evaluation, process: TrainingProcess, cache: Path, wait: Wait, journal: Journal
    ) -> None:
        self._client, self._asked, self._process, self._cache = client, asked, process, cache
        self._wait, self._journal = wait, journal
        self._ids = {"study": asked.study, "number": asked.number}

    def perform(self) -> None:
        """Fetch, measure, tell. Where the server stays away or the worker leaves, the claim expires and passes on."""
        self._journal.write("evaluate", **self._ids, trainer=self._asked.objective.trainer)
        try:
            with scratch_folder() as scratch:
                result = self._measure(scratch)
            if result is not None:
                self._tell(result)
        except TrialbookError as error:
            self._journal.write("unevaluated", **self._ids, error=str(error))

    def _measure(self, scratch: Path) -> EvaluationResult | None:
        """What the process finds; None when the worker is to leave."""
        try:
            data = self._fetch(scratch)
        except (DataChanged, TrialbookError) as error:
            if isinstance(error, AWAY):
                raise
            return EvaluationResult(error=f"The model or its data cannot be had: {error}")
        asked = self._asked.model_dump(mode="json")
        self._process.send("evaluate", evaluation=asked, data=data, folder=str(scratch))
        event = self._wait(self._is_answer, self._asked.ttl_seconds)
        match event:
            case Told(_, message):
                return _result(message)
            case Died(process):
                return EvaluationResult(error=f"While measuring, {process.describe_end()}.")
        self._process.kill()  # it is in the middle of what nobody waits for
        return None

    def _fetch(self, scratch: Path) -> str | None:
        """Bring the model into the folder; the path of an uploaded set."""
        for name in MODEL:
            with (scratch / name).open("wb") as file:
                self._client.get_artifact(self._asked.study, self._asked.number, name, file)
        data = self._asked.data
        return str(fetch(self._client, data, self._cache)) if data is not None and data.get("sha256") else None

    def _is_answer(self, event: Any) -> bool:  # Any: an event
        if not isinstance(event, Told | Died) or event.process is not self._process:
            return False
        return isinstance(event, Died) or event.message["kind"] == "evaluated"

    def _tell(self, result: EvaluationResult) -> None:
        """Tell the server, through outages shorter than the claim."""
        for _ in range(max(1, round(self._asked.ttl_seconds / AWAY_PAUSE))):
            try:
                self._client.finish_evaluation(self._asked.id, result)
            except AWAY:
                self._wait(lambda event: False, AWAY_PAUSE)
            else:
                self._journal.write("evaluated", **self._ids, error=result.error, **result.metrics)
                return


def _result(message: Any) -> EvaluationResult:  # Any: the process's message
    fields = {name: value for name, value in message.items() if name != "kind"}
    try:
        return EvaluationResult(**fields)
    except ValidationError as error:
        return EvaluationResult(error=f"What was measured cannot be recorded: {error.errors()[0]['msg']}")
