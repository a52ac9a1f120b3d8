"""What the tab Search shows: modes and calibration of a sampler's suggestions, and a Gaussian process's belief."""

import json

import numpy as np
import pytest

from service.dashboard.figures import FIGURES, belief, suggestions
from tests.service.calls import finish, lease, spec, submit
from trialbook.errors import Invalid
from trialbook.spec import StudySpec
from trialbook.wire import Trial


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


SPACE = {
    "x": {"type": "float", "low": 0.0, "high": 1.0},
    "rate": {"type": "float", "low": 1e-4, "high": 1.0, "log": True},
    "kind": {"type": "categorical", "choices": ["a", "b"]},
    "n": {"type": "int", "low": 1, "high": 4, "when": {"kind": ["b"]}},
}


def study(space=None, direction="minimize") -> StudySpec:
    objective = {"trainer": "external", "metric": "loss", "direction": direction}
    return StudySpec.model_validate(spec(space=space or SPACE, objective=objective, sampler={"name": "gp"}))


def trial(number, params, value, state="complete", **explanation) -> Trial:
    return Trial.model_construct(number=number, state=state, value=value, params=params, explanation=explanation)


def line(direction="minimize", count=15):
    """Trials of a parabola with its best value at x = 0.3, alike in all else."""
    sign = 1 if direction == "minimize" else -1
    xs = np.linspace(0, 1, count)
    return [
        trial(i, {"x": float(x), "rate": 0.01, "kind": "a"}, sign * float((x - 0.3) ** 2)) for i, x in enumerate(xs)
    ]


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_the_mean_follows_the_trials_and_doubt_grows_away_from_them(direction):
    sign = 1 if direction == "minimize" else -1
    trials = [one for one in line(direction) if one.params["x"] < 0.6]
    found = belief(study(direction=direction), trials, x="x")
    xs, mean, deviation = (np.array(found[key]) for key in ("xs", "mean", "deviation"))
    seen = xs < 0.55
    good = abs(xs - 0.3) < 0.1  # hopeless values are drawn in
    assert np.abs(mean[good] - sign * (xs[good] - 0.3) ** 2).max() < 0.005
    assert abs(xs[seen][np.argmin(sign * mean[seen])] - 0.3) < 0.05
    assert deviation[-1] > 5 * deviation[seen].max()
    assert found["others"] == {"rate": 0.01, "kind": "a"}
    assert len(found["items"]) == len(trials)


def test_a_map_over_two_parameters_goes_row_by_row_of_the_second():
    rng = np.random.default_rng(0)
    trials = [
        trial(i, {"x": float(x), "rate": float(10 ** (-4 * u)), "kind": "a"}, float(x))
        for i, (x, u) in enumerate(rng.random((30, 2)))
    ]
    found = belief(study(), trials, x="x", y="rate")
    mean = np.array(found["mean"])
    assert mean.shape == (len(found["ys"]), len(found["xs"])) == np.array(found["deviation"]).shape
    assert np.abs(mean - np.array(found["xs"])[None, :]).max() < 0.1


def test_a_parameter_that_does_not_count_in_the_best_trial_is_shown_where_it_does():
    trials = [
        *[trial(i, {"x": 0.5, "rate": 0.01, "kind": "a"}, 0.1) for i in range(3)],
        *[trial(3 + n, {"x": 0.5, "rate": 0.01, "kind": "b", "n": n}, 0.2 * n) for n in (1, 2, 3, 4)],
    ]
    found = belief(study(), trials, x="n")
    assert found["xs"] == [1, 2, 3, 4]
    assert found["mean"] == sorted(found["mean"])
    assert found["mean"][-1] > 0.5
    choices = belief(study(), trials, x="kind")
    assert choices["xs"] == ["a", "b"]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_trials_are_believed_nothing_of(count):
    found = belief(study(), line(count=15)[:count], x="x")
    assert (found["xs"], found["mean"]) == ([], [])


@pytest.mark.parametrize("asked", [{"x": "no"}, {"x": "x", "y": "no"}, {"x": "x", "y": "x"}])
def test_what_is_no_parameter_is_refused(asked):
    with pytest.raises(Invalid):
        belief(study(), line(), **asked)


def test_modes_are_counted_and_predictions_compared():
    trials = [
        trial(0, {}, 0.5, mode="startup"),
        trial(1, {}, 0.5, mode="model", predicted=0.45, deviation=0.1, seen=1),
        trial(2, {}, 0.5, mode="model", predicted=0.35, deviation=0.1, seen=2),
        trial(3, {}, 0.5, mode="model", predicted=5.0, deviation=0.1, seen=3),
        trial(4, {}, float("inf"), mode="model", predicted=0.5, deviation=0.1),
        trial(5, {}, 0.3, "pruned", mode="model", predicted=0.3, deviation=0.1),
        trial(6, {}, None, "running", mode="fallback", reason="it took too long"),
        trial(7, {}, 0.7),
    ]
    found = suggestions(study(), trials)
    assert found["modes"] == {"model": 5, "startup": 1, "fallback": 1, "given": 1}
    assert found["calibration"] == {"predictions": 3, "within": {"1": 1, "2": 2}}
    assert found["items"][6]["reason"] == "it took too long"
    json.dumps(found, allow_nan=False)


@pytest.mark.anyio
async def test_both_are_served(serve):
    async with serve() as client:
        await submit(client, space=SPACE, budget={"n_trials": 6}, sampler={"name": "sobol"})
        for i in range(6):
            await finish(client, await lease(client), value=0.1 * i)
        found = (await client.get("/api/v1/studies/study/analysis/suggestions")).json()
        believed = await client.get("/api/v1/studies/study/analysis/belief?x=x&y=rate")
        wrong = await client.get("/api/v1/studies/study/analysis/belief?x=nothing")
    assert found["total"] == 6
    assert sum(found["modes"].values()) == 6
    assert "given" not in found["modes"]
    assert believed.status_code == 200, believed.text
    assert len(believed.json()["mean"]) == len(believed.json()["ys"])
    assert wrong.status_code == 422, wrong.text
    assert {"suggestions", "belief"} <= set(FIGURES)
