"""Median and percentile pruning, against Optuna's own decisions and at its edges."""

import math

import numpy as np
import optuna
import pytest

from service import pruning
from service.pruning import Own, Verdict
from service.pruning.percentile import quantile
from trialbook.spec import MedianPruner, PercentilePruner

optuna.logging.set_verbosity(optuna.logging.ERROR)


def judged(options, rivals, score, best=None, step=7, sign=1) -> Verdict:
    pruner = pruning.build(options, sign, "val_error")
    return pruner.judge(Own(step, score, score if best is None else best, step), rivals)


def ours(options, sign, curve, rivals) -> list[bool]:
    pruner = pruning.build(options, sign, "loss")
    decisions = []
    for step in range(len(curve)):
        milestone = pruner.milestone(step, step - 1 if step else None)
        own = Own(step, sign * curve[step], min(sign * v for v in curve[: step + 1]), milestone or 0)
        others = [] if milestone is None else [sign * rival[milestone] for rival in rivals]
        decisions.append(milestone is not None and pruner.judge(own, others).prune)
    return decisions


def optunas(pruner, direction, curve, rivals) -> list[bool]:
    study = optuna.create_study(direction=direction, pruner=pruner)
    for rival in rivals:
        study.add_trial(optuna.trial.create_trial(value=rival[-1], intermediate_values=dict(enumerate(rival))))
    trial = study.ask()
    decisions = []
    for step, value in enumerate(curve):
        trial.report(value, step)
        decisions.append(trial.should_prune())
    return decisions


@pytest.mark.parametrize("direction, sign", [("minimize", 1), ("maximize", -1)])
@pytest.mark.parametrize("percentile", [0.0, 12.5, 25.0, 50.0, 90.0, 100.0])
@pytest.mark.parametrize("interval, warmup", [(1, 0), (3, 2)])
def test_decides_as_optuna_does(direction, sign, percentile, interval, warmup):
    settings = {"n_startup_trials": 4, "n_warmup_steps": warmup, "interval_steps": interval}
    options = PercentilePruner(name="percentile", percentile=percentile, **settings)
    source = np.random.default_rng(int(percentile) + interval)
    for count in (0, 3, 4, 9, 16):
        curves = np.cumsum(source.normal(size=(count + 1, 12)), axis=1).tolist()
        theirs = optunas(optuna.pruners.PercentilePruner(percentile, **settings), direction, curves[0], curves[1:])
        assert ours(options, sign, curves[0], curves[1:]) == theirs


def test_median_is_the_fiftieth_percentile():
    options = MedianPruner(name="median", n_startup_trials=1)
    assert judged(options, [1.0, 2.0, 4.0], 2.1).prune
    assert not judged(options, [1.0, 2.0, 4.0], 2.0).prune


def test_reason_tells_value_bar_rivals_and_step():
    verdict = judged(MedianPruner(name="median"), [0.12] * 14, 0.31)
    assert verdict.reason == "val_error 0.31 is worse than the median 0.12 of 14 trials at step 7"
    assert verdict.compared == 0.12


def test_reason_speaks_in_the_users_direction():
    verdict = judged(MedianPruner(name="median"), [-0.9] * 5, -0.5, best=-0.6, sign=-1)
    assert verdict.reason == "best val_error 0.6 is worse than the median 0.9 of 5 trials at step 7"


def test_reason_shows_as_many_digits_as_tell_the_values_apart():
    verdict = judged(MedianPruner(name="median", n_startup_trials=1), [0.123456], 0.123457)
    assert verdict.reason == "val_error 0.123457 is worse than the median 0.123456 of 1 trial at step 7"


def test_percentile_is_named_by_its_ordinal():
    options = PercentilePruner(name="percentile", percentile=22.5, n_startup_trials=1)
    assert "worse than the 22.5th percentile" in judged(options, [0.1, 0.2], 1.0).reason
    options = PercentilePruner(name="percentile", percentile=11, n_startup_trials=1)
    assert "worse than the 11th percentile" in judged(options, [0.1, 0.2], 1.0).reason


def test_diverged_trial_is_pruned_once_there_are_enough_rivals():
    options = MedianPruner(name="median", n_startup_trials=3)
    assert not judged(options, [1.0, 1.0], math.inf).prune
    assert judged(options, [1.0, 1.0, math.inf], math.inf, best=0.5).reason == (
        "val_error is not a finite number at step 7"
    )


def test_diverged_rivals_count_as_the_worst():
    options = MedianPruner(name="median", n_startup_trials=1)
    assert not judged(options, [1.0, math.inf, math.inf], 50.0).prune
    assert judged(options, [1.0, 2.0, math.inf], 50.0).prune
    assert judged(options, [1.0, 2.0, -math.inf], 1.5).compared == 2.0


def test_first_report_of_each_interval_is_compared():
    pruner = pruning.build(MedianPruner(name="median", n_warmup_steps=2, interval_steps=5), 1, "loss")
    steps = [0, 1, 3, 4, 9, 12, 40, 41]
    assert [pruner.milestone(s, p) for p, s in zip([None, *steps], steps, strict=False)] == [
        None, None, 2, None, 7, 12, 37, None,
    ]  # fmt: skip


@pytest.mark.parametrize("percentile", [0, 10, 33.3, 50, 75, 100])
def test_quantile_is_numpys(percentile):
    scores = np.random.default_rng(0).normal(size=23).tolist()
    assert quantile(scores, percentile) == pytest.approx(np.percentile(scores, percentile), abs=1e-15)
