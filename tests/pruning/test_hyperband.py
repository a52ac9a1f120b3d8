"""Hyperband: which trial is in which bracket, and that each bracket decides by itself as Optuna's do."""

from collections import Counter

import numpy as np
import optuna
import pytest
from pydantic import ValidationError

from service import pruning
from service.pruning import Own
from service.pruning.hyperband import shares
from trialbook.spec import HyperbandPruner

optuna.logging.set_verbosity(optuna.logging.ERROR)


def hyperband(sign: int = 1, **options):
    return pruning.build(HyperbandPruner(name="hyperband", **options), sign, "loss")


def rungs(pruner, number: int, steps: int) -> list[int]:
    """The steps at which this trial is judged."""
    reached = [pruner.milestone(step, step - 1 if step else None, number) for step in range(steps)]
    return [step for step, milestone in enumerate(reached) if milestone is not None]


def test_each_bracket_begins_a_rung_later_and_nothing_is_judged_at_the_end():
    pruner = hyperband(max_resource=81)
    first = {pruner.bracket(number): number for number in range(143)}
    assert [rungs(pruner, first[bracket], 200) for bracket in range(5)] == [
        [0, 2, 8, 26], [2, 8, 26], [8, 26], [26], [],
    ]  # fmt: skip


@pytest.mark.parametrize("options", [(1, 81, 3), (2, 40, 3), (1, 100, 4), (1, 64, 2), (5, 5, 3), (3, 1000, 2)])
def test_brackets_have_optunas_shares_of_trials_evenly_mixed(options):
    first, most, factor = options
    theirs = optuna.pruners.HyperbandPruner(first, most, factor)
    theirs._try_initialization(optuna.create_study())
    pruner, budgets = (
        hyperband(min_resource=first, max_resource=most, reduction_factor=factor),
        shares(theirs._n_brackets, factor),
    )
    assert budgets == theirs._trial_allocation_budgets
    total = sum(budgets)
    brackets = [pruner.bracket(number) for number in range(7 + total)]
    assert Counter(brackets[7 : 7 + total]) == dict(enumerate(budgets))
    for end in range(1, total):
        seen = Counter(brackets[:end])
        assert all(abs(seen[i] - end * share / total) < 3 for i, share in enumerate(budgets))


def test_largest_range_has_a_bracket_for_every_trial_and_rung():
    pruner = hyperband(max_resource=10**9, reduction_factor=2)
    assert {pruner.bracket(number) for number in range(1000)} >= set(range(8))
    assert rungs(pruner, next(number for number in range(10**5) if pruner.bracket(number) == 12), 4096) == [4095]


def test_trials_of_different_brackets_share_no_milestone():
    pruner = hyperband(max_resource=100)
    reached: dict[int, set[int]] = {}
    for number in range(200):
        for step in range(100):
            milestone = pruner.milestone(step, step - 1 if step else None, number)
            if milestone is not None:
                reached.setdefault(milestone, set()).add(pruner.bracket(number))
    assert all(len(brackets) == 1 for brackets in reached.values())


def test_reason_tells_bracket_rung_and_what_is_needed():
    pruner = hyperband(max_resource=81)
    number = next(number for number in range(143) if pruner.bracket(number) == 2)
    milestone = pruner.milestone(8, 7, number)
    verdict = pruner.judge(Own(8, 0.5, 0.5, milestone), [0.25, 0.75])
    assert verdict.reason == "bracket 2: loss 0.5 is not among the best of 3 trials at step 8: 0.25 is needed"
    assert verdict.compared == 0.25


def test_range_that_is_empty_is_refused():
    with pytest.raises(ValidationError, match="must not be below min_resource"):
        HyperbandPruner(name="hyperband", min_resource=9, max_resource=8)


@pytest.mark.parametrize("direction, sign", [("minimize", 1), ("maximize", -1)])
def test_decides_as_optuna_does_below_the_end(direction, sign):
    """Optuna draws brackets by a hash; given ours, it prunes the same trials (its step s + 1 is our step s)."""
    pruner, scores = hyperband(sign, min_resource=2, max_resource=40), {}

    class Theirs(optuna.pruners.HyperbandPruner):
        def _get_bracket_id(self, study, trial):
            return pruner.bracket(trial.number)

    study = optuna.create_study(direction=direction, pruner=Theirs(min_resource=2, max_resource=40))
    ends = Counter()
    for curve in np.random.default_rng(5).normal(size=(60, 39)):
        trial = study.ask()
        for step, value in enumerate(curve.tolist()):
            trial.report(value, step + 1)
            milestone = pruner.milestone(step, step - 1 if step else None, trial.number)
            own = Own(step, sign * value, sign * value, milestone or 0)
            prune = milestone is not None and pruner.judge(own, scores.get(milestone, [])).prune
            scores.setdefault(milestone, []).append(own.score)
            assert prune == trial.should_prune()
            if prune:
                break
        ends[pruner.bracket(trial.number), prune] += 1
    assert {bracket for bracket, _ in ends} == {0, 1, 2}
