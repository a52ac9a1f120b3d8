"""The study spec: its defaults, its checks, and what it says about itself."""

import json

import pytest
from pydantic import ValidationError

from trialbook.spec import StudySpec

RATE = {"type": "float", "low": 1e-4, "high": 1.0, "log": True}
LARGE = {"rate": RATE, "width": {"type": "int", "low": 1, "high": 101}}
DEPTH = {"type": "int", "low": 1, "high": 4}


def spec(**changes) -> StudySpec:
    study = {"name": "digits", "objective": {"trainer": "external"}, "space": {"rate": RATE, "depth": DEPTH}}
    return StudySpec.model_validate({**study, **changes})


def wrong(**changes) -> tuple[str | int, ...]:
    with pytest.raises(ValidationError) as caught:
        spec(**changes)
    return caught.value.errors()[0]["loc"]


def test_spec_survives_json():
    flag = {"type": "categorical", "choices": [True, 1, None]}
    space = {"rate": {**RATE, "when": {"flag": [True, None]}}, "flag": flag}
    study = spec(sampler={"name": "gp", "seed": 3}, pruner={"name": "asha"}, space=space)
    assert StudySpec.model_validate(json.loads(study.model_dump_json())) == study


def test_study_minimises_unless_told_otherwise():
    assert (spec().direction, spec().sign) == ("minimize", 1)
    assert spec(objective={"trainer": "external", "direction": "maximize"}).sign == -1


def test_fixed_values_are_joined_to_the_point():
    study = spec(objective={"trainer": "external", "fixed": {"layers": [8, 8]}})
    assert study.full_params({"rate": 0.1}) == {"layers": [8, 8], "rate": 0.1}


@pytest.mark.parametrize(
    "changes, place",
    [
        ({"name": "Digits"}, ("name",)),
        ({"name": "new"}, ("name",)),
        ({"space": {}}, ("space",)),
        ({"objective": {"trainer": "mlp"}}, ("objective", "metric")),
        ({"objective": {"trainer": "external", "fixed": {"rate": 1}}}, ("objective", "fixed", "rate")),
        ({"sampler": {"name": "magic"}}, ("sampler",)),
        ({"sampler": {"name": "random", "n_startup_trials": 3}}, ("sampler", "random", "n_startup_trials")),
        ({"sampler": {"name": "grid"}}, ("space", "rate")),
        ({"sampler": {"name": "grid", "counts": {"width": 3}}}, ("sampler", "counts", "width")),
        ({"sampler": {"name": "grid", "values": {"rate": [2.0]}}}, ("sampler", "values", "rate")),
        ({"sampler": {"name": "grid", "counts": {"rate": 10**6}}}, ("sampler", "grid", "counts", "rate")),
        ({"sampler": {"name": "grid", "counts": {"rate": 10**4}}, "space": LARGE}, ("sampler",)),
        ({"pruner": {"name": "threshold"}}, ("pruner", "threshold", "upper")),
        ({"pruner": {"name": "threshold", "lower": 2, "upper": 1}}, ("pruner", "threshold", "upper")),
        ({"budget": {"n_trials": 0}}, ("budget", "n_trials")),
        ({"priority": 0}, ("priority",)),
        ({"colour": "red"}, ("colour",)),
    ],
)
def test_mistake_is_found_at_its_field(changes, place):
    assert wrong(**changes) == place


def test_grid_counts_a_floats_values_on_its_scale():
    study = spec(sampler={"name": "grid", "counts": {"rate": 5}}, space={"rate": RATE})
    assert [study.grid.cell(i)["rate"] for i in range(5)] == [1e-4, 1e-3, 1e-2, 1e-1, 1.0]


def test_grid_takes_the_values_given_once_each():
    study = spec(sampler={"name": "grid", "values": {"rate": [0.1, 0.01, 0.1]}})
    assert study.n_cells == 2 * 4


def test_counts_that_fall_on_the_same_value_are_one_cell():
    assert spec(sampler={"name": "grid", "counts": {"rate": 1, "depth": 9}}).n_cells == 4


def test_huge_grid_is_refused_at_the_sampler():
    space = {f"x{i}": {"type": "categorical", "choices": list(range(1000))} for i in range(20)}
    assert wrong(space=space, sampler={"name": "grid"}) == ("sampler",)


def test_only_grids_have_cells():
    assert spec().n_cells is None
