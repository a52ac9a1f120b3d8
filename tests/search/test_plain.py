"""Grid, random and Sobol search: points made from a number alone, and what the API need not load for them."""

import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest, qmc

from service.search import History, build, grid, sobol
from service.search.random import point
from tests.search.spaces import SPACES
from trialbook.space import Space
from trialbook.spec import SobolSampler, StudySpec

HEAVY = ("numpy", "scipy", "sklearn", "skopt", "optuna", "torch")


def grid_study(seed: int = 0) -> StudySpec:
    values = {"type": "int", "low": 0, "high": 7}
    return StudySpec.model_validate(
        {
            "name": "a",
            "objective": {"trainer": "external"},
            "space": {"a": values, "b": values, "c": {**values, "high": 3, "when": {"a": [0, 1]}}},
            "sampler": {"name": "grid", "seed": seed},
        }
    )


def cells(study: StudySpec, count: int | None = None) -> list[tuple]:
    return [tuple(grid.point(study, i).items()) for i in range(study.n_cells if count is None else count)]


def test_importing_the_samplers_loads_no_numerical_library():
    code = f"import sys, service.search, service.search.grid; print([m for m in {HEAVY} if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_grid_takes_each_cell_once():
    study = grid_study()
    assert len(set(cells(study))) == study.n_cells == 2 * 8 * 4 + 6 * 8


def test_grid_left_at_a_quarter_has_seen_every_value():
    for name in ("a", "b", "c"):
        assert len({dict(cell).get(name) for cell in cells(grid_study(), 28)} - {None}) == (4 if name == "c" else 8)


def test_seed_changes_the_grids_order_alone():
    assert cells(grid_study(0)) != cells(grid_study(1))
    assert set(cells(grid_study(0))) == set(cells(grid_study(1)))


@given(st.integers(1, 300), st.integers(0, 2**32 - 1))
def test_shuffling_is_a_permutation(size, seed):
    assert sorted(grid.shuffled(i, size, seed) for i in range(size)) == list(range(size))


def test_there_is_no_cell_beyond_the_last():
    with pytest.raises(IndexError):
        grid.point(grid_study(), grid_study().n_cells)


def test_random_points_are_uniform_on_their_scales():
    space = Space.model_validate({"x": {"type": "float", "low": 1e-4, "high": 1, "log": True},
                                  "c": {"type": "categorical", "choices": ["a", "b", "c", "d"]}})  # fmt: skip
    points = [point(space, 5, i) for i in range(4000)]
    assert kstest([np.log10(p["x"]) / 4 + 1 for p in points], "uniform").pvalue > 0.001
    assert min(Counter(p["c"] for p in points).values()) > 850


@pytest.mark.parametrize("number", [0, 1, 1023, 1024, 5000])
def test_sobol_rows_are_scipys(number):
    engine = qmc.Sobol(3, scramble=True, bits=30, rng=np.random.default_rng(7))
    assert sobol.row(3, 7, number) == engine.random(8192)[number].tolist()


def test_sobol_rows_fill_each_half_quarter_and_eighth_evenly():
    rows = np.array([sobol.row(4, 0, i) for i in range(64)])
    for cut in (2, 4, 8):
        shares = [np.bincount((column * cut).astype(int), minlength=cut) for column in rows.T]
        assert np.unique(shares).tolist() == [64 // cut]


def test_sobol_points_follow_the_trials_numbers():
    search = build(SPACES["mixed"], SobolSampler(name="sobol", seed=2))
    both = search.suggest(History(), [7, 3])
    assert both == [search.suggest(History(), [7])[0], search.suggest(History(), [3])[0]]
