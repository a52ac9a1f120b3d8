"""Asynchronous successive halving: its rungs and who passes them."""

import math

import numpy as np
import optuna
import pytest

from service import pruning
from service.pruning import Own
from trialbook.spec import ASHAPruner

optuna.logging.set_verbosity(optuna.logging.ERROR)


def asha(sign: int = 1, **options):
    return pruning.build(ASHAPruner(name="asha", **options), sign, "val_error")


def milestones(pruner, steps) -> list[int | None]:
    return [pruner.milestone(step, before) for before, step in zip([None, *steps], steps, strict=False)]


def test_rungs_grow_by_the_reduction_factor():
    reached = milestones(asha(min_resource=2, reduction_factor=3), range(20))
    assert [step for step in reached if step is not None] == [1, 5, 17]


def test_early_stopping_rate_leaves_out_the_first_rungs():
    reached = milestones(asha(reduction_factor=4, min_early_stopping_rate=1), range(20))
    assert [step for step in reached if step is not None] == [3, 15]


def test_rung_is_reached_by_the_first_report_at_or_after_it():
    assert milestones(asha(min_resource=4, reduction_factor=2), [0, 4, 5, 6, 9, 40, 41]) == [
        None, 3, None, None, 7, 31, None,
    ]  # fmt: skip


def test_largest_step_has_a_milestone_that_fits_the_column():
    assert asha(reduction_factor=2).milestone(2**31 - 1, None) == 2**31 - 1


def test_only_the_best_share_goes_on():
    pruner, rivals = asha(reduction_factor=4), [float(i) for i in range(7)]
    assert not pruner.judge(Own(3, 0.5, 0.5, 3), rivals).prune
    verdict = pruner.judge(Own(3, 1.5, 0.2, 3), rivals)
    assert verdict.reason == "val_error 1.5 is not among the best 2 of 8 trials at step 3: 1 is needed"


def test_reason_speaks_in_the_users_direction():
    verdict = asha(sign=-1).judge(Own(4, -0.5, -0.5, 3), [-0.75])
    assert verdict.reason == "val_error 0.5 is not among the best of 2 trials at step 3: 0.75 is needed"
    assert verdict.compared == 0.75


def test_first_trial_at_a_rung_goes_on():
    assert not asha().judge(Own(0, 5.0, 5.0, 0), []).prune


def test_diverged_trial_never_passes_a_rung():
    assert asha().judge(Own(0, math.inf, 1.0, 0), []).prune
    assert asha().judge(Own(0, math.inf, 1.0, 0), [math.inf] * 9).prune
    assert not asha().judge(Own(0, 9.0, 9.0, 0), [math.inf] * 9).prune


@pytest.mark.parametrize("direction, sign", [("minimize", 1), ("maximize", -1)])
def test_passes_the_trials_that_optuna_passes(direction, sign):
    """Optuna counts s units of resource at step s, ours s + 1: so our step s is its s + 1."""
    theirs = optuna.pruners.SuccessiveHalvingPruner(min_resource=2, reduction_factor=3)
    study = optuna.create_study(direction=direction, pruner=theirs)
    pruner, rungs = asha(sign, min_resource=2, reduction_factor=3), {}
    for curve in np.random.default_rng(3).normal(size=(40, 20)):
        trial = study.ask()
        for step, value in enumerate(curve.tolist()):
            trial.report(value, step + 1)
            milestone = pruner.milestone(step, step - 1 if step else None)
            own = Own(step, sign * value, sign * value, milestone or 0)
            prune = milestone is not None and pruner.judge(own, rungs.get(milestone, [])).prune
            rungs.setdefault(milestone, []).append(own.score)
            assert prune == trial.should_prune()
            if prune:
                break
