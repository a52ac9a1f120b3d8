"""The last look at a completed study's best trial, as a worker is asked for it and answers. Values only."""

from typing import Annotated, Any

from pydantic import Field, model_validator

from trialbook.spec import Objective
from trialbook.values import Answer, Clean, LongText, Number, Value, located

TestName = Annotated[Clean, Field(pattern="^test_", max_length=100)]


class Evaluation(Answer):
    """A completed study's best trial, to be measured on the test part of its data within `ttl_seconds`."""

    id: str
    study: str
    number: int
    objective: Objective
    data: dict[str, Any] | None  # Any: as in a lease
    folds: int
    ttl_seconds: float


class EvaluationResult(Value):
    """What the untouched test part says of a model, or why it could not be asked."""

    metrics: Annotated[dict[TestName, Number], Field(max_length=100)] = {}
    examples: Annotated[int, Field(ge=0)] = 0
    error: LongText | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "EvaluationResult":
        if bool(self.metrics) == (self.error is not None):
            raise located("metrics", "give metrics, or an error")
        return self
