"""Gaussian-process search: its rounding, its scales, its model and how it treats pending trials."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import norm
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from service.search import History, Observation, Pending, build, gaussian, scores
from service.search.acquisition import Improvement, nearby
from service.search.encoding import Encoding
from service.search.random import point
from tests.search.spaces import SPACES, same
from trialbook.space import Space
from trialbook.spec import GPSampler

PLANE = Space.model_validate({x: {"type": "float", "low": 0, "high": 1} for x in "ab"})


def bowl(params) -> float:
    return (params["a"] - 0.3) ** 2 + (params["b"] - 0.6) ** 2


def past(space: Space, count: int, score) -> tuple[Observation, ...]:
    points = [point(space, 1, i) for i in range(count)]
    return tuple(Observation(i, p, score(p)) for i, p in enumerate(points))


def gp(space: Space, **options):
    return build(space, GPSampler(name="gp_skopt", **options))


@pytest.mark.parametrize("name", SPACES)
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_rows_are_rounded_as_the_space_rounds_them(name, seed):
    space = SPACES[name]
    rows = np.random.default_rng(seed).random((8, len(space)))
    rows[0], rows[1] = 0.0, 1.0
    rounded = Encoding(space).rounded(rows)
    assert rounded == pytest.approx(np.array([space.to_row(space.from_row(row.tolist())) for row in rows]), abs=1e-9)
    assert all(same(space.from_row(r.tolist()), space.from_row(s.tolist())) for r, s in zip(rounded, rows, strict=True))


def test_choices_are_a_unit_apart_and_an_inactive_parameter_is_constant():
    space = SPACES["mixed"]
    encoding = Encoding(space)
    rows = np.full((3, len(space)), 0.4)
    rows[:, :3] = [[0.5, 0.7, 0.2], [0.5, 0.7, 0.9], [0.5, 0.2, 0.5]]  # adam twice, whatever its momentum; sgd
    features = encoding.features(encoding.rounded(rows))
    assert (features[0] == features[1]).all()
    assert np.linalg.norm(features[0] - features[2]) == pytest.approx(1.0)


def test_steps_nearby_stay_in_the_cube_and_always_move():
    rows = np.random.default_rng(0).random((500, len(SPACES["mixed"])))
    moved = nearby(Encoding(SPACES["mixed"]), rows, np.random.default_rng(1))
    assert ((moved >= 0) & (moved <= 1)).all()
    assert (moved != rows).any(axis=1).all()


@given(arrays(float, st.integers(1, 30), elements=st.floats(width=64)))
def test_targets_are_finite_and_in_the_order_of_the_scores(values):
    values = np.where(np.isfinite(values), values, np.inf)
    values[0] = min(values[0], 1.0)
    targets = scores.scale(values).target(values)
    assert np.isfinite(targets).all()
    assert (np.diff(targets[np.argsort(values)]) >= 0).all()


def test_scores_that_blew_up_leave_the_good_ones_apart():
    values = np.array([0.02, 0.03, 0.05, 0.1, 1e6, 1e9, math.inf, math.inf])
    targets = scores.scale(values).target(values)
    assert targets[1] - targets[0] > 0.05
    assert np.ptp(targets[4:]) == 0


def test_predictions_return_to_scores():
    scale = scores.scale(np.array([3.0, 5.0, 4.0, 8.0]))
    assert scale.score(scale.target(np.array([4.5]))[0]) == pytest.approx(4.5)


def test_pruned_trial_counts_no_better_than_the_median_of_the_complete():
    values = [(1.0, "complete"), (0.1, "pruned"), (2.0, "complete"), (9.0, "pruned"), (3.0, "complete")]
    observed = [Observation(i, {}, score, state) for i, (score, state) in enumerate(values)]
    assert scores.pessimistic(observed).tolist() == [1.0, 2.0, 2.0, 9.0, 3.0]


def test_believed_points_leave_the_means_and_narrow_the_deviations():
    chance = np.random.default_rng(0)
    X, new = chance.random((30, 2)), chance.random((4, 2))
    y = np.sin(6 * X).sum(axis=1)
    before = gaussian.condition(gaussian.fit(X, y), X, y)
    after = gaussian.believe(before, new)
    grid = chance.random((50, 2))
    assert after.predict(grid) == pytest.approx(before.predict(grid), abs=1e-4)
    assert (after.predict(grid, return_std=True)[1] <= before.predict(grid, return_std=True)[1] + 1e-6).all()


def test_deviations_are_scikit_learns():
    chance = np.random.default_rng(0)
    X = chance.random((30, 3))
    model = gaussian.condition(gaussian.fit(X, X.sum(axis=1)), X, X.sum(axis=1))
    grid = chance.random((20, 3))
    _, covariance = model.predict(grid, return_cov=True)
    assert model.predict(grid, return_std=True)[1] == pytest.approx(np.sqrt(np.diag(covariance)), abs=1e-6)


def test_polishing_never_loses_improvement():
    encoding, chance = Encoding(PLANE), np.random.default_rng(0)
    X = chance.random((20, 2))
    y = np.array([bowl({"a": a, "b": b}) for a, b in X])
    model = gaussian.condition(gaussian.fit(X, y / y.std()), X, y / y.std())
    gain = Improvement(encoding, model, float((y / y.std()).min()))

    def expected(row) -> float:  # the closed form, by SciPy's normal distribution
        mean, deviation = (float(v[0]) for v in model.predict(row[None], return_std=True))
        z = (gain.best - mean) / deviation
        return deviation * (z * norm.cdf(z) + norm.pdf(z))

    for row in chance.random((5, 2)):
        assert expected(gain.polished(row)) >= expected(row) * (1 - 1e-9)


def test_ranking_is_by_expected_improvement():
    X = np.array([[0.0, 0.0], [1.0, 1.0], [0.5, 0.5]])
    model = gaussian.condition(gaussian.fit(X, X[:, 0]), X, X[:, 0])
    ranked = Improvement(Encoding(PLANE), model, 0.0).ranked(X)
    assert ranked[0].tolist() != [1.0, 1.0]


def test_prediction_is_near_the_truth_and_in_scores():
    [made] = gp(PLANE).suggest(History(past(PLANE, 40, lambda p: 100 + 10 * bowl(p))), [40])
    explanation = made.explanation
    assert explanation["mode"] == "model"
    assert explanation["predicted"] == pytest.approx(100 + 10 * bowl(made.params), abs=0.5)
    assert 0 <= explanation["deviation"] < 1


def test_pending_trials_are_kept_away_from():
    finished = past(PLANE, 25, bowl)
    [alone] = gp(PLANE).suggest(History(finished), [25])
    crowd = tuple(Pending(25 + i, {**alone.params, "a": alone.params["a"] + i * 1e-6}) for i in range(3))
    [beside] = gp(PLANE).suggest(History(finished, crowd), [25])
    assert math.dist(alone.params.values(), beside.params.values()) > 0.01


def test_points_of_a_batch_differ():
    finished = past(PLANE, 10, lambda p: math.sin(12 * p["a"]) * math.cos(9 * p["b"]))
    made = gp(PLANE).suggest(History(finished), [10, 11, 12, 13])
    points = [list(suggestion.params.values()) for suggestion in made]
    assert min(math.dist(p, q) for i, p in enumerate(points) for q in points[:i]) > 0.005


def test_stand_in_says_what_it_is():
    finished = past(PLANE, 15, bowl)
    [ours] = build(PLANE, GPSampler(name="gp")).suggest(History(finished), [15])
    [skopts] = gp(PLANE).suggest(History(finished), [15])
    assert ours.params == skopts.params
    assert (ours.explanation["sampler"], ours.explanation["model"]) == ("gp", "scikit-optimize")


def test_more_trials_than_are_looked_at_still_find_the_valley():
    [made] = gp(PLANE).suggest(History(past(PLANE, 900, bowl)), [900])
    assert bowl(made.params) < 0.001


def noisy_wave(n=40, width=3):
    chance = np.random.default_rng(1)
    features = chance.random((n, width))
    return features, np.sin(5 * features[:, 0]) + features[:, 1] ** 2 + 0.1 * chance.normal(size=n)


@pytest.mark.parametrize("shared", [False, True])
def test_likelihood_and_its_gradient_are_scikit_learns(shared):
    features, targets = noisy_wave()
    scales = 0.7 if shared else np.array([0.3, 0.8, 2.0])
    kernel = ConstantKernel(1.7) * Matern(scales, nu=2.5) + WhiteKernel(0.02)
    reference = GaussianProcessRegressor(kernel, optimizer=None, alpha=1e-8).fit(features, targets)
    value, gradient = gaussian.Likelihood(features, targets, shared=shared)(kernel.theta)
    expected, slope = reference.log_marginal_likelihood(kernel.theta, eval_gradient=True)
    assert value == pytest.approx(-expected, rel=1e-9)
    assert gradient == pytest.approx(-slope, rel=1e-6)


def test_gradients_of_mean_and_deviation_are_those_of_differences():
    features, targets = noisy_wave()
    model = gaussian.condition(gaussian.fit(features, targets), features, targets)
    x, step = np.array([0.3, 0.6, 0.9]), 1e-5
    slopes = model.predict(x[None], return_std=True, return_mean_grad=True, return_std_grad=True)[2:]
    for which, slope in enumerate(slopes):
        up, down = (
            [model.predict((x + sign * step * axis)[None], return_std=True)[which][0] for axis in np.eye(3)]
            for sign in (1, -1)
        )
        assert slope == pytest.approx((np.array(up) - np.array(down)) / (2 * step), rel=1e-4)


def test_fit_is_where_the_penalized_likelihood_has_no_slope():
    features, targets = noisy_wave()
    theta = gaussian.fit(features, targets).theta
    likelihood = gaussian.Likelihood(features, targets, shared=False)

    def cost(at):
        return likelihood(at)[0] + gaussian._penalty(at)[0]

    assert all(cost(theta) <= cost(theta + 0.1 * sign * axis) for axis in np.eye(len(theta)) for sign in (1, -1))
