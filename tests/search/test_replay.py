"""Histories as Optuna studies: what goes in comes out."""

import math

import pytest
from optuna.samplers import PartialFixedSampler, RandomSampler
from optuna.trial import TrialState

from service.search import History, Observation, Pending, build, replay
from service.search.novelty import key
from service.search.random import point
from tests.search.spaces import SPACES, same
from trialbook.space import Space
from trialbook.spec import CMAESSampler

pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")


@pytest.mark.parametrize("name", SPACES)
def test_point_returns_unchanged_through_optuna(name):
    """Asked for with every parameter fixed at a trial's values, Optuna gives that trial's point back."""
    space = SPACES[name]
    for number in range(10):
        wanted = point(space, 0, number)
        study = replay.study(space, History((Observation(0, wanted, 1.0),)))
        fixed = PartialFixedSampler(study.trials[0].params, RandomSampler(seed=0))
        assert same(replay.ask(study, space, fixed), wanted)


def test_states_and_scores_are_kept():
    space = SPACES["one"]
    complete = (Observation(0, {"x": 0.1}, 1.0), Observation(1, {"x": 0.2}, math.inf))
    pruned = Observation(2, {"x": 0.3}, 3.0, "pruned")
    trials = replay.study(space, History((*complete, pruned), (Pending(3, {"x": 0.4}),))).trials
    assert [trial.state for trial in trials] == [
        TrialState.COMPLETE, TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING,
    ]  # fmt: skip
    assert [trials[0].value, trials[1].value, trials[2].intermediate_values] == [1.0, 3.0, {0: 3.0}]


def test_true_and_one_stay_different_choices():
    space = Space.model_validate({"flag": {"type": "categorical", "choices": [True, 1]}})
    study = replay.study(space, History((Observation(0, {"flag": 1}, 1.0),)))
    asked = replay.ask(study, space, PartialFixedSampler(study.trials[0].params, RandomSampler(seed=0)))
    assert key(asked) == key({"flag": 1}) != key({"flag": True})


def test_point_beside_its_steps_is_taken_to_the_nearest():
    space = Space.model_validate({"x": {"type": "float", "low": 0, "high": 1, "step": 0.25}})
    study = replay.study(space, History((Observation(0, {"x": 0.6}, 1.0),)))
    assert study.trials[0].params == {"x": 2}


@pytest.mark.slow
def test_generations_of_cmaes_close_in_on_the_lowest_point():
    space = Space.model_validate({x: {"type": "float", "low": -5, "high": 5} for x in "ab"})
    search, finished = build(space, CMAESSampler(name="cmaes")), []
    for number in range(90):
        [made] = search.suggest(History(tuple(finished)), [number])
        distance = math.dist(made.params.values(), (3.1, -3.4))
        finished.append(Observation(number, made.params, distance))
    assert max(observation.score for observation in finished[80:]) < 1.0
