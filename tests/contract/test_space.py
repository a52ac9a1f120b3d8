"""The search space: values, conditions, and the way to the unit cube and back."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from trialbook.space import Float, Space, identity

UNIT = st.floats(0, 1)


def space(**parameters) -> Space:
    return Space.model_validate(parameters)


def one(**parameter):
    return space(x=parameter)["x"]


@st.composite
def numeric(draw):
    kind, log = draw(st.sampled_from(["float", "int"])), draw(st.booleans())
    bounds = st.integers(1, 10**6) if kind == "int" or draw(st.booleans()) else st.floats(1e-6, 1e6)
    low, high = sorted((draw(bounds), draw(bounds)))
    step = None if log or draw(st.booleans()) else draw(st.integers(1, 1000))
    return one(type=kind, low=low, high=high, log=log, **({} if step is None else {"step": step}))


@given(numeric(), UNIT)
def test_every_share_of_the_unit_interval_gives_a_value_inside(parameter, u):
    assert parameter.contains(parameter.from_unit(u))


@given(numeric(), UNIT)
@example(Float(type="float", low=1e-6, high=1.0000000000000002e-6, log=True), 0.0)
def test_value_returns_from_the_unit_interval_unchanged(parameter, u):
    value = parameter.from_unit(u)
    assert parameter.from_unit(parameter.to_unit(value)) == pytest.approx(value, rel=1e-9)


@given(numeric(), UNIT)
def test_unit_of_any_value_inside_lies_in_the_unit_interval(parameter, u):
    off_grid = parameter.low + u * (parameter.high - parameter.low)
    value = off_grid if parameter.type == "float" else math.floor(off_grid)
    assert -1e-12 <= parameter.to_unit(value) <= 1 + 1e-12


def test_log_scale_gives_each_decade_an_equal_share():
    rate = one(type="float", low=1e-4, high=1.0, log=True)
    assert [rate.from_unit(u) for u in (0, 0.25, 0.5, 1)] == [1e-4, 1e-3, 1e-2, 1.0]


def test_whole_numbers_have_equal_shares():
    width = one(type="int", low=10, high=40, step=10)
    assert [width.from_unit(u) for u in (0, 0.24, 0.26, 0.74, 0.76, 1)] == [10, 10, 20, 30, 40, 40]


def test_stepped_float_reads_as_a_person_writes_it():
    assert one(type="float", low=0.0, high=1.0, step=0.1).listed() == tuple(i / 10 for i in range(11))


def test_true_and_one_are_different_choices():
    flag = one(type="categorical", choices=[True, 1, None, "1"])
    assert [flag.from_unit(flag.to_unit(choice)) for choice in flag.choices] == [True, 1, None, "1"]
    assert not one(type="categorical", choices=[1]).contains(True)
    assert identity(1) == identity(1.0)


@pytest.mark.parametrize(
    "parameter, place",
    [
        ({"type": "float", "low": 2, "high": 1}, "high"),
        ({"type": "float", "low": 0, "high": 1, "log": True}, "low"),
        ({"type": "float", "low": 1, "high": 2, "log": True, "step": 0.1}, "step"),
        ({"type": "float", "low": 0, "high": 1, "step": 0.0}, "step"),
        ({"type": "float", "low": 0, "high": 1e308, "step": 1e-10}, "step"),
        ({"type": "float", "low": -1.7e308, "high": 1.7e308}, "high"),
        ({"type": "int", "low": 0, "high": 2**53 + 1}, "high"),
        ({"type": "int", "low": 0, "high": 1.5}, "high"),
        ({"type": "int", "low": 1, "high": 9, "log": True, "step": 2}, "step"),
        ({"type": "categorical", "choices": []}, "choices"),
        ({"type": "categorical", "choices": [1, 1.0]}, "choices"),
        ({"type": "float", "low": 0, "high": 1, "hihg": 2}, "hihg"),
        ({"type": "float", "low": True, "high": 1}, "low"),
        ({"type": "float", "low": math.nan, "high": 1}, "low"),
    ],
)
def test_mistake_is_found_at_its_field(parameter, place):
    with pytest.raises(ValidationError) as caught:
        one(**parameter)
    assert [problem["loc"][-1] for problem in caught.value.errors()] == [place]


OPTIMIZER = {"type": "categorical", "choices": ["sgd", "adam"]}
MOMENTUM = {"type": "float", "low": 0.0, "high": 0.99, "when": {"optimizer": ["sgd"]}}
NESTEROV = {"type": "categorical", "choices": [True, False], "when": {"momentum": [0.5]}}


def test_parameter_is_active_only_under_its_condition():
    both = space(momentum=MOMENTUM, optimizer=OPTIMIZER)
    assert both.from_row([0.5, 0.2]) == {"momentum": 0.495, "optimizer": "sgd"}
    assert both.from_row([0.5, 0.9]) == {"optimizer": "adam"}


def test_parameter_of_an_inactive_parent_is_inactive():
    chain = space(nesterov=NESTEROV, momentum=MOMENTUM, optimizer=OPTIMIZER)
    assert chain.ordered == ("optimizer", "momentum", "nesterov")
    assert not chain.is_active("nesterov", {"optimizer": "adam"})


def test_row_has_a_constant_where_a_parameter_does_not_count():
    assert space(momentum=MOMENTUM, optimizer=OPTIMIZER).to_row({"optimizer": "adam"}, inactive=0.0) == [0.0, 0.75]


@pytest.mark.parametrize(
    "parameters, place",
    [
        ({"momentum": MOMENTUM}, ("momentum", "when", "optimizer")),
        ({"momentum": {**MOMENTUM, "when": {"optimizer": ["lbfgs"]}}, "optimizer": OPTIMIZER},
         ("momentum", "when", "optimizer")),
        ({"a": {**OPTIMIZER, "when": {"b": ["sgd"]}}, "b": {**OPTIMIZER, "when": {"a": ["sgd"]}}}, ("a", "when")),
    ],
)  # fmt: skip
def test_impossible_condition_is_found_at_its_place(parameters, place):
    with pytest.raises(ValidationError) as caught:
        space(**parameters)
    assert caught.value.errors()[0]["loc"] == place


@pytest.mark.parametrize(
    "point, wrong",
    [
        ({"optimizer": "sgd", "momentum": 0.5}, []),
        ({"optimizer": "adam"}, []),
        ({"optimizer": "adam", "momentum": 0.5}, ["momentum"]),
        ({"optimizer": "sgd"}, ["momentum"]),
        ({"optimizer": "sgd", "momentum": 1.0}, ["momentum"]),
        ({"optimizer": "sgd", "momentum": True}, ["momentum"]),
        ({"optimizer": "adam", "width": 3}, ["width"]),
        ({}, ["optimizer"]),
    ],
)
def test_problems_of_a_point_given_by_hand_are_named(point, wrong):
    both = space(momentum=MOMENTUM, optimizer=OPTIMIZER)
    assert [name for name, _ in both.problems(point)] == wrong
