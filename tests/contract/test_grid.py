"""The cells of a grid: all of them, each once, however the conditions branch."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from trialbook.grid import Grid
from trialbook.space import Space


def choice(*values, **when) -> dict:
    return {"type": "categorical", "choices": list(values), **({"when": when} if when else {})}


def grid(**parameters) -> Grid:
    space = Space.model_validate(parameters)
    return Grid(space, {name: parameter.listed() for name, parameter in space.root.items()})


def points_by_hand(space: Space) -> set[frozenset]:
    """Every combination of all values, the inactive ones then struck out."""
    found = set()
    for values in itertools.product(*(space[name].listed() for name in space.ordered)):
        point = {}
        for name, value in zip(space.ordered, values, strict=True):
            if space.is_active(name, point):
                point[name] = value
        found.add(frozenset(point.items()))
    return found


@st.composite
def conditional(draw):
    parameters = {}
    for name in "abcde"[: draw(st.integers(1, 5))]:
        when = {}
        for parent in draw(st.sets(st.sampled_from(sorted(parameters)))) if parameters else ():
            when[parent] = [draw(st.sampled_from(parameters[parent]["choices"]))]
        parameters[name] = choice(*range(draw(st.integers(1, 3))), **when)
    return grid(**parameters)


@given(conditional())
def test_cells_are_all_different_combinations_each_once(cells):
    points = [frozenset(cells.cell(i).items()) for i in range(cells.size)]
    assert len(points) == len(set(points))
    assert set(points) == points_by_hand(cells.space)


def test_last_parameter_varies_fastest():
    cells = grid(a=choice(1, 2), b=choice("x", "y"))
    assert [tuple(cells.cell(i).values()) for i in range(4)] == [(1, "x"), (1, "y"), (2, "x"), (2, "y")]


def test_inactive_parameter_does_not_multiply_the_cells():
    cells = grid(optimizer=choice("sgd", "adam"), momentum=choice(0.0, 0.5, 0.9, optimizer=["sgd"]))
    assert cells.size == 4
    assert cells.cell(3) == {"optimizer": "adam"}


def test_cells_are_counted_beyond_the_largest_machine_word():
    assert grid(**{f"x{i}": choice(*range(1000)) for i in range(50)}).size == 1000**50


def test_long_chain_of_conditions_is_counted():
    chain = {f"x{i}": choice(0, 1, **({f"x{i - 1}": [1]} if i else {})) for i in range(200)}
    assert grid(**chain).size == 201


def test_conditions_that_branch_without_end_are_refused():
    parents = {f"x{i}": choice(0, 1) for i in range(40)}
    with pytest.raises(ValidationError, match="branch too often"):
        _ = grid(**parents, y=choice(1, 2, **{name: [0] for name in parents})).size


@pytest.mark.parametrize("index", [-1, 4])
def test_there_is_no_cell_outside_the_grid(index):
    with pytest.raises(IndexError):
        grid(a=choice(1, 2), b=choice("x", "y")).cell(index)
