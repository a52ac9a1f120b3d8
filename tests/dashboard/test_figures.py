"""The data behind the figures: pure functions over trials made by hand."""

import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.dashboard.figures import FIGURES, history, parallel, progress
from service.dashboard.figures.distribution import DRAWN, distribution
from trialbook.spec import StudySpec
from trialbook.wire import Trial

SPACE = {
    "rate": {"type": "float", "low": 0.001, "high": 1.0, "log": True},
    "momentum": {"type": "float", "low": 0.0, "high": 1.0, "when": {"optimizer": ["sgd"]}},
    "optimizer": {"type": "categorical", "choices": ["sgd", "adam"]},
}


def spec(direction: str = "minimize") -> StudySpec:
    objective = {"trainer": "external", "metric": "loss", "direction": direction}
    return StudySpec.model_validate({"name": "study", "objective": objective, "space": SPACE})


def trial(number: int, value: float | None, state: str = "complete", **params: Any) -> Trial:
    made = datetime(2026, 1, 1, tzinfo=UTC)
    return Trial.model_validate(
        {
            **dict.fromkeys(("worker", "reason", "started_at", "finished_at")),
            **{"study": "study", "number": number, "state": state, "params": params, "value": value},
            **{"attempt": 1, "explanation": {}, "attributes": {}, "created_at": made},
        }
    )


def bests(trials: list[Trial], direction: str = "minimize") -> list[float | None]:
    return [item["best"] for item in history(spec(direction), trials)["items"]]


def test_best_so_far_never_gets_worse():
    values = [3.0, 4.0, 2.0, 2.5]
    found = bests([trial(i, value) for i, value in enumerate(values)])
    assert found == [min(values[: i + 1]) for i in range(4)]


def test_best_so_far_climbs_when_maximizing():
    assert bests([trial(0, 1.0), trial(1, 3.0), trial(2, 2.0)], "maximize") == [1.0, 3.0, 3.0]


def test_only_complete_finite_trials_are_best():
    trials = [trial(0, -math.inf), trial(1, 5.0), trial(2, 1.0, "pruned"), trial(3, math.nan), trial(4, None, "failed")]
    assert bests(trials) == [None, 5.0, 5.0, 5.0, 5.0]


def test_a_diverged_value_is_spelled():
    assert history(spec(), [trial(0, math.nan)])["items"][0]["value"] == "nan"


def test_parallel_has_an_axis_for_each_parameter_in_the_specs_order():
    axes = parallel(spec(), [])["axes"]
    assert [axis["name"] for axis in axes] == list(SPACE)
    assert axes[0]["log"] is True
    assert axes[2]["choices"] == ["sgd", "adam"]


def test_parallel_leaves_an_inactive_parameter_out():
    items = parallel(spec(), [trial(0, 1.0, rate=0.1, optimizer="adam")])["items"]
    assert "momentum" not in items[0]["params"]


def test_parallel_shows_trials_with_a_finite_value_alone():
    trials = [trial(0, 1.0), trial(1, math.inf), trial(2, None, "running"), trial(3, 2.0, "pruned")]
    assert [item["number"] for item in parallel(spec(), trials)["items"]] == [0, 3]


def ended(number: int, value: float | None, minute: int, steps: int = 1, state: str = "complete") -> Trial:
    """A trial of one minute that ended so many minutes after the first one began."""
    begun = datetime(2026, 1, 1, tzinfo=UTC)
    at = {"started_at": begun + timedelta(minutes=minute - 1), "finished_at": begun + timedelta(minutes=minute)}
    return trial(number, value, state).model_copy(update={**at, "last_step": steps - 1})


def test_progress_counts_trials_epochs_and_seconds_in_the_order_in_which_trials_ended():
    trials = [ended(0, 3.0, 5, steps=10), ended(1, 4.0, 1, steps=2), ended(2, 2.0, 7, steps=10), ended(3, 2.5, 9)]
    found = [tuple(item.values()) for item in progress(spec(), trials)["items"]]
    assert found == [(1, 4.0, 1, 2, 60.0), (0, 3.0, 2, 12, 300.0), (2, 2.0, 3, 22, 420.0), (3, 2.0, 4, 23, 540.0)]


def test_pruned_and_failed_trials_cost_epochs_but_are_never_the_best():
    trials = [ended(0, 0.1, 1, steps=5, state="pruned"), ended(1, None, 2, steps=5, state="failed"), ended(2, 1.0, 3)]
    assert [(item["best"], item["epochs"]) for item in progress(spec(), trials)["items"]] == [(1.0, 11)]


def test_distribution_is_the_share_of_complete_trials_at_least_as_good():
    trials = [trial(0, 3.0), trial(1, 1.0), trial(2, 0.0, "pruned"), trial(3, 2.0), trial(4, math.inf), trial(5, 2.0)]
    items = [(item["value"], item["share"]) for item in distribution(spec(), trials)["items"]]
    assert items == [(1.0, 0.25), (2.0, 0.5), (2.0, 0.75), (3.0, 1.0)]
    assert [item["value"] for item in distribution(spec("maximize"), trials)["items"]] == [3.0, 2.0, 2.0, 1.0]


def test_of_very_many_values_the_best_and_the_worst_are_among_those_drawn():
    found = distribution(spec(), [trial(i, float(i)) for i in range(3 * DRAWN)])
    assert (len(found["items"]), found["complete"]) == (DRAWN, 3 * DRAWN)
    assert (found["items"][0]["value"], found["items"][-1]) == (0.0, {"value": 3.0 * DRAWN - 1, "share": 1.0})


@pytest.mark.parametrize("kind", FIGURES)
def test_every_figure_is_strict_json_and_says_what_is_better(kind):
    trials = [trial(0, math.nan), trial(1, None, "failed"), trial(2, 0.5, rate=0.1)]
    found = json.loads(json.dumps(FIGURES[kind](spec("maximize"), trials), allow_nan=False))
    assert (found["kind"], found["metric"], found["direction"]) == (kind, "loss", "maximize")


@pytest.mark.parametrize("kind", FIGURES)
def test_every_figure_of_a_study_without_trials_is_empty(kind):
    assert FIGURES[kind](spec(), [])["items"] == []
