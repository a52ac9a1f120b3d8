"""scikit-optimize's optimizer behind our protocol."""

import math

import numpy as np
import pytest
from skopt import Optimizer
from skopt.space import Real

from service.search import History, Observation, Pending, build, gp_skopt, scores
from service.search.random import point
from service.search.seeding import seed
from tests.search.spaces import SPACES, same
from trialbook.space import Space
from trialbook.spec import SkoptSampler

PLANE = Space.model_validate({x: {"type": "float", "low": 0, "high": 1} for x in "ab"})
OPTIONS = SkoptSampler(name="gp_skopt", seed=3)


def past(count: int) -> tuple[Observation, ...]:
    points = [point(PLANE, 1, i) for i in range(count)]
    return tuple(Observation(i, p, math.dist(p.values(), (0.3, 0.6))) for i, p in enumerate(points))


@pytest.mark.parametrize("name", SPACES)
def test_points_come_back_through_its_dimensions(name):
    sampler = gp_skopt.build(SPACES[name], OPTIONS)
    for number in range(10):
        wanted = point(SPACES[name], 0, number)
        assert same(sampler._outward(sampler._inward(wanted)), wanted)


def test_suggestion_is_its_optimizers_own():
    history = past(15)
    [made] = build(PLANE, OPTIONS).suggest(History(history), [15])
    chance = seed(3, 15) % 2**31
    optimizer = Optimizer([Real(0.0, 1.0)] * 2, random_state=chance, n_initial_points=0, acq_func="EI")
    raw = np.array([one.score for one in history])
    optimizer.tell([list(one.params.values()) for one in history], scores.scale(raw).target(raw).tolist())
    assert list(made.params.values()) == pytest.approx(optimizer.ask())


def test_pending_points_are_kept_away_from():
    [alone] = build(PLANE, OPTIONS).suggest(History(past(20)), [20])
    [beside] = build(PLANE, OPTIONS).suggest(History(past(20), (Pending(20, alone.params),)), [21])
    assert math.dist(alone.params.values(), beside.params.values()) > 0.01
