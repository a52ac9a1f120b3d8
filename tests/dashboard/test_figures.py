"""The data behind the figures: pure functions over trials made by hand."""

import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.dashboard.figures import FIGURES, contour, history, importance, parallel, progress, rank, slices
from service.dashboard.figures.distribution import DRAWN, distribution
from service.dashboard.figures.importance import LEAST
from trialbook.errors import Invalid
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


def many(n: int) -> list[Trial]:
    """Trials whose value is the distance of the rate from 0.1, in decades, and a bit for the optimizer."""
    space = spec().space
    found = []
    for i in range(n):
        params = space.from_row([(i * 0.618) % 1, (i * 0.414) % 1, (i * 0.732) % 1])
        value = abs(math.log10(params["rate"]) + 1) + 0.1 * (params["optimizer"] == "sgd")
        found.append(trial(i, value, **params))
    return found


def test_pruned_trials_have_a_distribution_of_their_own():
    found = distribution(
        spec(), [trial(0, 3.0), trial(1, 1.0, "pruned"), trial(2, 2.0, "pruned"), trial(3, 0.5, "failed")]
    )
    assert [(item["value"], item["share"]) for item in found["pruned"]] == [(1.0, 0.5), (2.0, 1.0)]
    assert found["complete"] == 1


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_median_and_decile_are_reached_by_that_share_of_the_complete_trials(direction):
    found = distribution(spec(direction), [trial(i, float(i)) for i in range(41)])
    shares = {item["value"]: item["share"] for item in found["items"]}
    assert (shares[found["decile"]], shares[found["median"]]) == (
        pytest.approx(0.1, abs=0.03),
        pytest.approx(0.5, abs=0.02),
    )


def test_each_value_is_in_one_bin_of_each_histogram():
    values = [0.001, 0.01, 0.01, 0.1, 1.0, 10.0]
    bins = distribution(spec(), [trial(i, value) for i, value in enumerate(values)])["bins"]
    for kind in ("linear", "log"):
        assert sum(one["complete"] for one in bins[kind]) == len(values)
        for one in bins[kind][:-1]:
            assert one["complete"] == sum(one["low"] <= value < one["high"] for value in values)


def test_values_that_are_all_the_same_or_below_zero_make_no_false_bins():
    assert distribution(spec(), [trial(0, 1.0), trial(1, 1.0)])["bins"]["linear"] == []
    assert "log" not in distribution(spec(), [trial(0, -1.0), trial(1, 1.0)])["bins"]


def test_slices_tell_the_median_from_place_to_place():
    axes = {axis["name"]: axis["trend"] for axis in slices(spec(), many(200))["axes"]}
    lowest = min(axes["rate"], key=lambda one: one["middle"])
    assert lowest["at"] == pytest.approx(0.1, rel=0.5)
    assert all(one["low"] <= one["middle"] <= one["high"] for trend in axes.values() for one in trend)
    assert sum(one["trials"] for one in axes["rate"]) == 200
    assert {one["at"] for one in axes["optimizer"]} == {"sgd", "adam"}


def test_slices_of_few_trials_show_no_trend():
    assert [axis["trend"] for axis in slices(spec(), many(4))["axes"]] == [[], [], []]


@pytest.mark.parametrize(("direction", "best"), [("minimize", 0), ("maximize", 3)])
def test_ranks_go_from_the_best_to_the_worst_and_ties_share_theirs(direction, best):
    trials = [trial(i, value, rate=0.1, optimizer="adam") for i, value in enumerate([1.0, 2.0, 2.0, 3.0])]
    ranks = {one["number"]: one["rank"] for one in rank(spec(direction), trials, x="rate", y="optimizer")["items"]}
    assert ranks == {best: 0.0, 1: 0.5, 2: 0.5, 3 - best: 1.0}


def test_a_pair_leaves_out_trials_in_which_one_of_the_two_is_inactive():
    trials = [trial(0, 1.0, rate=0.1, optimizer="adam"), trial(1, 2.0, rate=0.2, momentum=0.5, optimizer="sgd")]
    for figure in (rank, contour):
        assert [one["number"] for one in figure(spec(), trials, x="rate", y="momentum")["items"]] == [1]


@pytest.mark.parametrize("asked", [{"x": "nothing"}, {"y": "nothing"}, {"x": "rate", "y": "rate"}])
def test_a_pair_that_is_none_is_refused_with_its_place(asked):
    for figure in (rank, contour):
        with pytest.raises(Invalid) as refused:
            figure(spec(), [], **asked)
        assert refused.value.errors[0].pointer == f"/{'y' if 'y' in asked else 'x'}"


def test_a_space_of_one_parameter_has_no_pairs():
    alone = StudySpec.model_validate({**spec().model_dump(), "space": {"x": {"type": "float", "low": 0, "high": 1}}})
    assert contour(alone, [trial(0, 1.0, x=0.5)])["items"] == []


def test_the_map_is_lowest_where_good_trials_are_and_blank_where_there_are_none():
    trials = [one for one in many(300) if one.params["rate"] > 0.01]
    found = contour(spec(), trials, x="rate", y="optimizer")
    assert (len(found["grid"]), {len(row) for row in found["grid"]}) == (2, {len(found["x"]["edges"]) - 1})
    adam = found["grid"][SPACE["optimizer"]["choices"].index("adam")]
    cells = [
        (low, high, cell) for low, high, cell in zip(found["x"]["edges"], found["x"]["edges"][1:], adam, strict=False)
    ]
    assert cells[0][2] is None
    low, high, _ = min((one for one in cells if one[2] is not None), key=lambda one: one[2])
    assert low / 2 < 0.1 < high * 2


def test_the_map_at_a_lonely_trial_is_its_value():
    grid = contour(spec(), [trial(0, 0.7, rate=0.03, optimizer="adam")], x="rate", y="optimizer")["grid"]
    assert {cell for row in grid for cell in row} == {None, 0.7}


def test_a_pair_with_too_many_choices_has_no_map_and_says_so():
    names = [f"c{i}" for i in range(101)]
    space = {name: {"type": "categorical", "choices": names} for name in ("a", "b")}
    found = contour(StudySpec.model_validate({**spec().model_dump(), "space": space}), [trial(0, 0.7, a="c1", b="c2")])
    assert (found["grid"], len(found["items"])) == ([], 1)
    assert found["blank"].startswith("Trials only: a map would have 10,201 cells")
    assert contour(spec(), [trial(0, 0.7, rate=0.03, optimizer="adam")], x="rate", y="optimizer")["blank"] == ""


def test_edges_of_cells_reach_from_bound_to_bound():
    found = contour(spec(), [], x="rate", y="optimizer")
    assert (found["x"]["edges"][0], found["x"]["edges"][-1]) == (pytest.approx(0.001), pytest.approx(1.0))
    assert found["y"]["edges"] == [-0.5, 0.5, 1.5]


def test_importance_finds_what_made_the_difference_and_how_sure_it_is():
    found = importance(spec(), many(150))
    first = found["items"][0]
    assert first["name"] == "rate"
    assert 0.8 < first["low"] <= first["share"] <= first["high"] <= 1.0
    assert [one["share"] for one in found["items"]] == sorted((one["share"] for one in found["items"]), reverse=True)
    whole = sum(one["share"] for one in found["items"] if one["name"] != "momentum") + found["rest"]
    assert whole == pytest.approx(1.0, abs=1e-6)


def test_importance_judges_a_conditional_parameter_where_it_is_active():
    trials = many(100)
    told = {one["name"]: one["trials"] for one in importance(spec(), trials)["items"]}
    assert told == {"rate": 100, "optimizer": 100, "momentum": sum("momentum" in one.params for one in trials)}


def test_importance_by_the_best_tenth_agrees_on_what_matters():
    assert importance(spec(), many(150), method="ped-anova")["items"][0]["name"] == "rate"


def test_importance_of_few_or_equal_trials_says_what_is_missing():
    few = importance(spec(), many(LEAST - 1))
    assert (few["items"], few["needed"] - few["complete"], few["constant"]) == ([], 1, False)
    equal = importance(spec(), [one.model_copy(update={"value": 1.0}) for one in many(30)])
    assert (equal["items"], equal["constant"]) == ([], True)


@pytest.mark.parametrize("kind", FIGURES)
def test_every_figure_is_strict_json_and_says_what_is_better(kind):
    trials = [trial(0, math.nan), trial(1, None, "failed"), trial(2, 0.5, rate=0.1)]
    found = json.loads(json.dumps(FIGURES[kind](spec("maximize"), trials), allow_nan=False))
    assert (found["kind"], found["metric"], found["direction"]) == (kind, "loss", "maximize")


@pytest.mark.parametrize("kind", FIGURES)
def test_every_figure_of_a_study_without_trials_is_empty(kind):
    assert FIGURES[kind](spec(), [])["items"] == []
