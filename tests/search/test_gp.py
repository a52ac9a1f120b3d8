"""Gaussian-process search: its rounding, its scales, its model and how it treats pending trials."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.integrate import quad
from scipy.spatial.distance import cdist
from scipy.stats import norm
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from service.search import History, Observation, Pending, build, gaussian, scores
from service.search.acquisition import Improvement, choose, log_gain, nearby
from service.search.encoding import Encoding
from service.search.gp import spacing
from service.search.prior import Prior, expected
from service.search.random import point
from tests.search.spaces import SPACES, same
from trialbook.space import Space
from trialbook.spec import GPSampler

PLANE = Space.model_validate({x: {"type": "float", "low": 0, "high": 1} for x in "ab"})


def bowl(params) -> float:
    return (params["a"] - 0.3) ** 2 + (params["b"] - 0.6) ** 2


def waves(params) -> float:
    return math.sin(12 * params["a"]) * math.cos(9 * params["b"])


def past(space: Space, count: int, score) -> tuple[Observation, ...]:
    points = [point(space, 1, i) for i in range(count)]
    return tuple(Observation(i, p, score(p)) for i, p in enumerate(points))


def gp(space: Space, **options):
    return build(space, GPSampler(name="gp", **options))


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


def test_bad_scores_still_tell_where_it_gets_better_when_the_good_lie_close_together():
    values = np.array([*np.linspace(1.0, 1.01, 20), 1.015, 1.025, 1.045])
    *_, near, further, far = scores.scale(values).target(values)
    assert near + 0.3 < further
    assert further + 0.3 < far


@pytest.mark.parametrize("value", [3.0, 3.5, 4.5, 6.0, 8.0])
def test_predictions_return_to_scores_with_the_spread_that_scores_have_there(value):
    scale = scores.scale(np.array([3.0, 5.0, 4.0, 8.0]))
    [target, beside] = scale.target(np.array([value, value - 1e-6]))
    assert scale.score(target) == pytest.approx(value)
    assert scale.distance(target, target - beside) == pytest.approx(1e-6, rel=1e-3)


def test_prediction_beyond_all_scores_stays_finite():
    scale = scores.scale(np.array([1.0, 2.0, 1e300, math.inf]))
    assert math.isfinite(scale.score(1e6))
    assert math.isfinite(scale.distance(1e6, 1e6))


def test_pruned_trial_counts_no_better_than_the_median_of_the_complete():
    values = [(1.0, "complete"), (0.1, "pruned"), (2.0, "complete"), (9.0, "pruned"), (3.0, "complete")]
    observed = [Observation(i, {}, score, state) for i, (score, state) in enumerate(values)]
    assert scores.pessimistic(observed).tolist() == [1.0, 2.0, 2.0, 9.0, 3.0]


def fitted(X, y) -> gaussian.Process:
    """A process whose last feature belongs to a choice."""
    p = X.shape[1]
    return gaussian.learn(Prior(np.arange(p) < p - 1, np.full(p, 0.5)), X, y)


def reference(process: gaussian.Process) -> GaussianProcessRegressor:
    """scikit-learn's process with the same kernel, given the same points less their mean."""
    kernel = process.kernel
    smooth = ConstantKernel(kernel.variance) * Matern(kernel.scales, nu=2.5)
    model = GaussianProcessRegressor(smooth, optimizer=None, alpha=kernel.noise + 1e-8)
    return model.fit(process.features, process.targets[:, 0] - process.prior.mean(process.features))


def test_predictions_are_scikit_learns():
    process, grid = fitted(*noisy_wave()), np.random.default_rng(0).random((20, 3))
    means, deviations = process.predict(grid)
    theirs = reference(process).predict(grid, return_std=True)
    assert means[:, 0] == pytest.approx(theirs[0] + process.prior.mean(grid), abs=1e-6)
    assert deviations == pytest.approx(theirs[1], abs=1e-6)


def test_what_is_expected_rises_from_the_middle_of_the_numbers_to_their_ends():
    prior = Prior(np.array([True, False, True]), np.ones(3))
    middle, side, corner, other = prior.mean(
        np.array([[0.5, 0.0, 0.5], [1.0, 0.0, 0.5], [0.0, 0.0, 1.0], [0.5, 0.7, 0.5]])
    )
    assert (middle, other) == (0.0, 0.0)
    assert corner == pytest.approx(2 * side)
    assert side > 0
    assert Prior(np.array([False]), np.ones(1)).mean(np.ones((2, 1))).tolist() == [0.0, 0.0]


def test_logarithmic_numbers_are_expected_to_matter_most_and_choices_least():
    encoding = Encoding(SPACES["mixed"])
    prior, owners = expected(encoding.owners()), encoding.owners()
    assert len(owners) == encoding.width
    scales = {parameter.type + ("-log" if getattr(parameter, "log", False) else ""): scale
              for parameter, scale in zip(owners, prior.scales, strict=True)}  # fmt: skip
    assert scales["float-log"] < scales["int"] < scales["categorical"]
    assert prior.numbers.tolist() == [parameter.type != "categorical" for parameter in owners]


def test_far_from_all_points_the_expected_is_believed():
    prior = Prior(np.ones(2, dtype=bool), np.ones(2))
    kernel = gaussian.Kernel(1.0, np.full(2, 0.01), 1e-6)
    process = gaussian.condition(prior, kernel, np.array([[0.2, 0.2]]), np.array([[-3.0]]))
    far = np.array([[0.9, 0.9], [0.5, 0.5]])
    means, deviations = process.predict(far)
    assert means[:, 0] == pytest.approx(prior.mean(far))
    assert deviations == pytest.approx([1.0, 1.0])
    assert process.predict(process.features)[0][0, 0] == pytest.approx(-3.0, abs=1e-4)


def test_imagined_points_leave_the_means_on_average_and_narrow_the_deviations():
    chance = np.random.default_rng(0)
    before = fitted(*noisy_wave())
    normals = chance.normal(size=(4, 2000))
    after = gaussian.imagine(before, chance.random((4, 3)), np.concatenate([normals, -normals], axis=1))
    grid = chance.random((50, 3))
    (means, deviations), (expected, wider) = after.predict(grid), before.predict(grid)
    assert means.mean(axis=1) == pytest.approx(expected[:, 0], abs=1e-6)  # normals and their opposites cancel
    assert (deviations <= wider + 1e-6).all()


def test_imagined_points_are_as_wide_apart_as_the_process_is_uncertain():
    chance = np.random.default_rng(0)
    process, new = fitted(*noisy_wave()), chance.random((2, 3))
    draws = process.drawn(new, chance.normal(size=(2, 20_000)))
    _, covariance = reference(process).predict(new, return_cov=True)
    assert np.cov(draws) == pytest.approx(covariance + process.kernel.noise * np.eye(2), rel=0.05, abs=1e-4)


def closed_form(gain: Improvement, features) -> np.ndarray:
    """The expected improvement averaged over the ways, by SciPy's normal distribution."""
    means, deviations = gain.process.predict(features)
    z = (gain.best - means) / deviations[:, None]
    return (deviations[:, None] * (z * norm.cdf(z) + norm.pdf(z))).mean(axis=1)


def improvement(ways: int = 1) -> Improvement:
    chance = np.random.default_rng(0)
    X = chance.random((20, 2))
    y = np.array([bowl({"a": a, "b": b}) for a, b in X])
    process = gaussian.imagine(fitted(X, y / y.std()), chance.random((2, 2)), chance.normal(size=(2, ways)))
    return Improvement(Encoding(PLANE), process, process.means(process.features).min(axis=0))


def test_improvement_is_the_closed_form_averaged_over_the_ways_that_trials_may_end():
    gain, grid = improvement(ways=5), np.random.default_rng(1).random((200, 2))
    expected = closed_form(gain, grid)
    wide = expected > 1e-12  # below it the closed form is rounding
    assert wide.sum() > 10
    assert np.exp(gain.log(grid))[wide] == pytest.approx(expected[wide], rel=1e-3)


@pytest.mark.parametrize("z", [3.0, 0.0, -0.999, -1.001, -5.0, -20.0])
def test_logarithm_of_the_gain_is_that_of_its_integral(z):
    def weighed(t: float) -> float:  # (z + t) phi(t) where it is positive, without the factor phi(z)
        return t * math.exp(-0.5 * t * t + t * z)

    integral, _ = quad(weighed, 0.0, 60.0, points=[max(z, 0.0), 1.0 / max(1.0, -z)], limit=200, epsabs=0.0)
    assert log_gain(np.array([z]))[0] == pytest.approx(norm.logpdf(z) + math.log(integral), rel=1e-7, abs=1e-7)


def test_logarithm_of_the_gain_goes_on_where_the_gain_underflows():
    z = -np.logspace(0, 12, 300)
    gains = log_gain(z)
    assert np.isfinite(gains).all()
    assert (np.diff(gains) < 0).all()


def test_polishing_never_loses_improvement():
    gain = improvement(ways=3)
    for row in np.random.default_rng(2).random((5, 2)):
        assert gain.log(gain.polished(row)[None])[0] >= gain.log(row[None])[0] - 1e-9


def test_ranking_is_by_expected_improvement():
    X = np.array([[0.0, 0.0], [1.0, 1.0], [0.5, 0.5]])
    ranked = Improvement(Encoding(PLANE), fitted(X, X[:, 0]), np.zeros(1)).ranked(X)
    assert ranked[0].tolist() != [1.0, 1.0]


def test_prediction_is_near_the_truth_and_in_scores():
    [made] = gp(PLANE).suggest(History(past(PLANE, 40, lambda p: 100 + 10 * bowl(p))), [40])
    explanation = made.explanation
    assert explanation["mode"] == "model"
    assert explanation["predicted"] == pytest.approx(100 + 10 * bowl(made.params), abs=0.5)
    assert 0 <= explanation["deviation"] < 1


def test_pending_trials_are_kept_away_from():
    finished = past(PLANE, 25, waves)
    [alone] = gp(PLANE).suggest(History(finished), [25])
    crowd = tuple(Pending(25 + i, {**alone.params, "a": alone.params["a"] + i * 1e-6}) for i in range(3))
    [beside] = gp(PLANE).suggest(History(finished, crowd), [25])
    assert math.dist(alone.params.values(), beside.params.values()) > 0.01


def test_points_of_a_batch_differ():
    finished = past(PLANE, 10, waves)
    made = gp(PLANE).suggest(History(finished), [10, 11, 12, 13])
    points = [list(suggestion.params.values()) for suggestion in made]
    assert min(math.dist(p, q) for i, p in enumerate(points) for q in points[:i]) > 0.005


@pytest.mark.parametrize(("names", "least"), [("a", 1 / 12**2), ("ab", 1 / 12), ("abcd", 1 / 12)])
def test_no_point_is_tried_twice_but_for_a_hair(names, least):
    space = Space.model_validate({x: {"type": "float", "low": 0, "high": 1} for x in names})
    sampler, finished = gp(space, n_startup_trials=6), []
    for number in range(12):
        [made] = sampler.suggest(History(tuple(finished)), [number])
        finished.append(Observation(number, made.params, math.floor(3 * made.params["a"]) + 0.1 * (number % 2)))
    rows = np.array([list(one.params.values()) for one in finished])
    apart = cdist(rows, rows, "chebyshev") + 2 * np.eye(12)
    assert apart[6:].min() >= least
    assert spacing(12, len(names)) == pytest.approx(least)


def test_where_no_point_is_far_enough_a_nearer_one_is_taken():
    gain, chance = improvement(ways=1), np.random.default_rng(0)
    assert choose(gain, np.array([[0.2, 0.3]]), PLANE, frozenset(), 2.0, chance) is not None


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
    theirs, slope = reference.log_marginal_likelihood(kernel.theta, eval_gradient=True)
    assert value == pytest.approx(-theirs, rel=1e-9)
    assert gradient == pytest.approx(-slope, rel=1e-6)


def test_gradients_of_means_and_deviation_are_those_of_differences():
    chance = np.random.default_rng(0)
    model = gaussian.imagine(fitted(*noisy_wave()), chance.random((2, 3)), chance.normal(size=(2, 4)))
    x, step = np.array([0.3, 0.6, 0.9]), 1e-5
    means, deviation, by_mean, by_deviation = model.slopes(x)
    assert (means, deviation) == (pytest.approx(model.predict(x[None])[0][0]), pytest.approx(model.predict(x[None])[1]))
    for j, axis in enumerate(np.eye(3)):
        (up, wide), (down, narrow) = (model.predict((x + sign * step * axis)[None]) for sign in (1, -1))
        assert by_mean[j] == pytest.approx((up - down)[0] / (2 * step), rel=1e-4)
        assert by_deviation[j] == pytest.approx((wide - narrow)[0] / (2 * step), rel=1e-4)


def test_fit_is_where_the_penalized_likelihood_has_no_slope():
    features, targets = noisy_wave()
    scales = np.array([0.3, 0.6, 1.0])
    found = gaussian.fit(features, targets, scales)
    theta = np.log([found.variance, *(found.scales / scales), found.noise])
    likelihood = gaussian.Likelihood(features / scales, targets, shared=False)

    def cost(at):
        return likelihood(at)[0] + gaussian._penalty(at)[0]

    assert all(cost(theta) <= cost(theta + 0.1 * sign * axis) for axis in np.eye(len(theta)) for sign in (1, -1))
