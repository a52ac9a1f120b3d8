"""The options of a study's parts as fields of a form: read from the contract's own models, so that none is forgotten.

Pure, and found once: a schema takes as long as half a page.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args

from trialbook.spec import Budget, EarlyStopping, Pruner, Sampler, TrialPolicy
from trialbook.values import Scalar, Value

KINDS = {"integer": "int", "number": "float", "boolean": "bool"}  # of JSON Schema; options of other types have no field
HELP = {
    "/budget/n_trials": "trials, at most",
    "/budget/timeout": "seconds since the first trial began",
    "/budget/max_epochs": "epochs, over all trials",
    "/budget/target_value": "a value: done when it is reached",
    "/budget/patience": "trials in a row that are no better",
    "/early_stopping/patience": "epochs in a row that are no better",
    "/early_stopping/min_delta": "what counts as better, at least",
    "/pruner/audit": "of the trials to stop, the share that runs on: what does stopping cost?",
    "/trial/timeout": "seconds, at most",
    "/trial/max_attempts": "tries, where a worker is lost",
    "/trial/seeds": "models with other first weights, whose mean counts",
    "/trial/folds": "parts of the data that validate in turn",
}
PARTS: dict[str, type[Value]] = {"early_stopping": EarlyStopping, "budget": Budget, "trial": TrialPolicy}


@dataclass(frozen=True)
class Option:
    """One option; `default` is null where it has none, `low` and `high` are what it must lie between."""

    name: str
    kind: str
    default: Scalar
    low: float | None = None
    high: float | None = None
    help: str = ""


@cache
def options_of(part: str) -> tuple[Option, ...]:
    """The fields of one of PARTS."""
    return tuple(_options(PARTS[part], f"/{part}"))


@cache
def named_options(part: str) -> dict[str, tuple[Option, ...]]:
    """For each sampler or pruner by name, its fields; `part` says which."""
    union, _ = get_args({"sampler": Sampler, "pruner": Pruner}[part])
    return {
        name: tuple(_options(model, f"/{part}"))
        for model in get_args(union)
        for name in get_args(model.model_fields["name"].annotation)
    }


def _options(model: type[Value], pointer: str) -> Iterator[Option]:
    for name, schema in model.model_json_schema()["properties"].items():
        found = next((one for one in schema.get("anyOf", [schema]) if one.get("type") in KINDS), None)
        if found is not None:
            default, help_ = schema.get("default"), HELP.get(f"{pointer}/{name}", "")
            yield Option(name, KINDS[found["type"]], default, *_ends(found), help_)


def _ends(schema: dict[str, Any]) -> tuple[float | None, float | None]:  # Any: JSON Schema
    low, high = (schema.get(f"{end}imum", schema.get(f"exclusive{end.title()}imum")) for end in ("min", "max"))
    return low, high
