"""What every sampler keeps, whatever the space and the history."""

import json
import math

import pytest

from service.search import MODEL_BASED, SAMPLERS, History, Observation, Pending, build, fallback
from service.search.novelty import key
from service.search.random import point
from tests.search.spaces import SMALL, SPACES
from trialbook.space import Space
from trialbook.spec import (
    CMAESSampler,
    GPSampler,
    GridSampler,
    RandomSampler,
    SkoptSampler,
    SobolSampler,
    TPESampler,
)

OPTIONS = {
    "grid": lambda seed: GridSampler(name="grid", seed=seed),
    "random": lambda seed: RandomSampler(seed=seed),
    "sobol": lambda seed: SobolSampler(name="sobol", seed=seed),
    "gp": lambda seed: GPSampler(name="gp", seed=seed, n_startup_trials=5),
    "gp_skopt": lambda seed: SkoptSampler(name="gp_skopt", seed=seed, n_startup_trials=5),
    "tpe": lambda seed: TPESampler(name="tpe", seed=seed, n_startup_trials=5),
    "cmaes": lambda seed: CMAESSampler(name="cmaes", seed=seed, n_startup_trials=5),
}
MODELS = sorted(MODEL_BASED)
SCORES = {
    "rising": lambda i: float(i),
    "equal": lambda i: 0.5,
    "diverged": lambda i: math.inf,
    "one finite": lambda i: 1.0 if i == 7 else math.inf,
    "huge": lambda i: 1e300 * (-1) ** i * i,
    "largest": lambda i: 1.7e308 * (-1) ** i,
    "tiny": lambda i: 1e-300 * i,
    "spread": lambda i: 10.0 ** (i * 10),
}


def sampler(name: str, space: Space, seed: int = 0):
    return build(space, OPTIONS[name](seed))


def history(space: Space, count: int, score=SCORES["rising"], pending: int = 0) -> History:
    points = [point(space, 99, i) for i in range(count + pending)]
    states = ["pruned" if i % 5 == 4 else "complete" for i in range(count)]
    finished = [Observation(i, points[i], score(i), states[i]) for i in range(count)]
    return History(tuple(finished), tuple(Pending(i, points[i]) for i in range(count, count + pending)))


def test_every_sampler_is_in_the_battery():
    assert SAMPLERS.keys() == OPTIONS.keys()


@pytest.mark.parametrize("name", [name for name in SAMPLERS if name != "grid"])
@pytest.mark.parametrize("space", SPACES)
def test_suggestions_lie_in_the_space(name, space):
    past = history(SPACES[space], 12, pending=3)
    for made in sampler(name, SPACES[space]).suggest(past, [15, 16, 17]):
        assert list(SPACES[space].problems(made.params)) == []


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("count, pending", [(0, 0), (0, 4), (3, 3), (12, 4)])
def test_same_history_and_numbers_give_the_same_suggestions(name, count, pending):
    past, numbers = history(SMALL, count, pending=pending), [count + pending, count + pending + 1]
    assert sampler(name, SMALL).suggest(past, numbers) == sampler(name, SMALL).suggest(past, numbers)


@pytest.mark.parametrize("name", [name for name in SAMPLERS if name != "grid"])
def test_seed_and_number_change_the_suggestion(name):
    past = history(SPACES["mixed"], 12)
    [first, second] = [sampler(name, SPACES["mixed"], seed).suggest(past, [12])[0].params for seed in (0, 1)]
    [third] = sampler(name, SPACES["mixed"]).suggest(past, [13])
    assert len({key(first), key(second), key(third.params)}) == 3


@pytest.mark.parametrize("name", SAMPLERS)
def test_explanation_is_json_and_names_the_sampler(name):
    for made in sampler(name, SMALL).suggest(history(SMALL, 12), [12]):
        assert json.loads(json.dumps(made.explanation, allow_nan=False))["sampler"] == name


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("scores", SCORES)
def test_any_scores_are_borne(name, scores):
    past = history(SPACES["mixed"], 25, SCORES[scores], pending=2)
    for made in sampler(name, SPACES["mixed"]).suggest(past, [27, 28]):
        assert list(SPACES["mixed"].problems(made.params)) == []
        json.dumps(made.explanation, allow_nan=False)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("count", [0, 6])
def test_nothing_is_tried_twice_while_something_is_left(name, count):
    chosen = {key(point(SMALL, 99, i)): point(SMALL, 99, i) for i in range(40)}.values()
    points = list(chosen)[:7]
    finished = tuple(Observation(i, points[i], float(i)) for i in range(count))
    pending = tuple(Pending(i, points[i]) for i in range(count, 7))
    made = sampler(name, SMALL).suggest(History(finished, pending), [7, 8])
    assert {key(suggestion.params) for suggestion in made}.isdisjoint(map(key, points))
    assert made[0].params != made[1].params


@pytest.mark.parametrize("name", MODELS)
def test_exhausted_space_is_tried_again(name):
    made = sampler(name, SMALL).suggest(history(SMALL, 60), [60, 61])
    assert [list(SMALL.problems(suggestion.params)) for suggestion in made] == [[], []]


@pytest.mark.parametrize("name", MODELS)
def test_model_is_used_once_enough_trials_are_finished(name):
    modes = [sampler(name, SMALL).suggest(history(SMALL, n), [n])[0].explanation["mode"] for n in (0, 4, 8, 30)]
    assert modes == ["startup", "startup", "model", "model"]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name == "gp_skopt" else ()) for name in MODELS]
)
def test_search_homes_in_on_a_bowl(name):
    """Within 40 trials nearer to the lowest point than the best of 40 random ones, by a wide margin."""
    space = Space.model_validate({x: {"type": "float", "low": -5, "high": 5} for x in "ab"})

    def bowl(params) -> float:
        return (params["a"] - 1.2) ** 2 + (params["b"] + 2.1) ** 2

    search, past = sampler(name, space), []
    for number in range(40):
        [made] = search.suggest(History(tuple(past)), [number])
        past.append(Observation(number, made.params, bowl(made.params)))
    by_chance = sorted(min(bowl(point(space, seed, i)) for i in range(40)) for seed in range(9))
    assert min(observation.score for observation in past) < by_chance[4] / 2


def test_fallback_is_random_and_says_why():
    made = fallback(SMALL, OPTIONS["tpe"](3), 12, "the sampler took longer than 60 s")
    assert made.params == point(SMALL, 3, 12)
    assert made.explanation == {"sampler": "tpe", "mode": "fallback", "reason": "the sampler took longer than 60 s"}
