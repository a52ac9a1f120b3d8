"""The catalogue: light to load, and true of what it describes."""

import dataclasses
import json
import subprocess
import sys
from typing import get_args

import pytest

from models.catalog import DATASETS, TRAINERS, Parameter
from models.catalog.entries import Kind
from tests.models.sets import each_set, load_if_there


def test_loads_neither_torch_nor_numpy_nor_scikit_learn() -> None:
    code = "import sys, models.catalog; print(sorted({'torch', 'numpy', 'sklearn', 'polars'} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


@each_set
def test_describes_each_built_in_set_as_it_is(name: str) -> None:
    described, data = DATASETS[name], load_if_there(name)
    assert described.name == data.name == name
    assert described.task == data.task
    assert described.form == data.form
    assert (described.rows, *described.shape) == tuple(data.x.shape)
    assert described.classes == len(data.classes)


@pytest.mark.parametrize("name", TRAINERS)
def test_each_trainer_is_plain_json(name: str) -> None:
    described = json.loads(json.dumps(dataclasses.asdict(TRAINERS[name])))
    assert described["name"] == name
    assert all(one["type"] in get_args(Kind) for one in described["parameters"].values())


@pytest.mark.parametrize("name", TRAINERS)
def test_each_default_is_permitted(name: str) -> None:
    for parameter, described in TRAINERS[name].parameters.items():
        assert described.check(parameter, described.default) == described.default
        assert described.help


def test_completes_with_defaults_and_makes_integers_floats_where_floats_are_wanted() -> None:
    params = TRAINERS["mlp"].complete({"width": 7, "dropout": 0})
    assert params.keys() == TRAINERS["mlp"].parameters.keys()
    assert params["width"] == 7
    assert isinstance(params["dropout"], float)
    assert params["momentum"] == TRAINERS["mlp"].parameters["momentum"].default


@pytest.mark.parametrize(
    "value", [10**400, -(10**400), float("inf"), float("-inf"), float("nan"), "1", None, True, [1]]
)
def test_a_number_refuses_what_is_none(value: object) -> None:
    with pytest.raises(ValueError, match="rate must be a number"):
        Parameter("float", 0.5, "").check("rate", value)


def test_ranges_include_their_ends() -> None:
    share = Parameter("float", 0.5, "", low=0.0, high=1.0)
    assert (share.check("share", 0), share.check("share", 1)) == (0.0, 1.0)
    with pytest.raises(ValueError, match="share must be at most 1"):
        share.check("share", 1.01)


def test_a_matrix_is_square_or_empty_and_its_entries_are_in_range() -> None:
    costs = Parameter("matrix", (), "", low=0.0)
    assert costs.check("costs", []) == ()
    assert costs.check("costs", [[0, 1], [2.5, 0]]) == ((0.0, 1.0), (2.5, 0.0))
    for wrong in ([[0, 1]], [[0, 1], [1]], [0, 1], "01", 3, None, {"of": 1}):
        with pytest.raises(ValueError, match="costs must be a square list of lists"):
            costs.check("costs", wrong)
    with pytest.raises(ValueError, match=r"costs\[1\]\[0\] must be at least 0"):
        costs.check("costs", [[0, 1], [-1, 0]])
    with pytest.raises(ValueError, match=r"costs\[0\]\[1\] must be a number"):
        costs.check("costs", [[0, True], [1, 0]])
