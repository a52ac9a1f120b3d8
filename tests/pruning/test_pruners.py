"""What every pruner keeps, whatever its rule; and the threshold pruner."""

import math

import pytest

from service import pruning
from service.pruning import PRUNERS, Own
from trialbook.spec import ASHAPruner, HyperbandPruner, MedianPruner, NoPruner, PercentilePruner, ThresholdPruner

OPTIONS = {
    "none": NoPruner(),
    "median": MedianPruner(name="median", n_startup_trials=1),
    "percentile": PercentilePruner(name="percentile", percentile=25, n_startup_trials=1),
    "threshold": ThresholdPruner(name="threshold", lower=0.0, upper=2.0),
    "asha": ASHAPruner(name="asha"),
    "hyperband": HyperbandPruner(name="hyperband", max_resource=2000),
}
RIVALS = [0.5, 1.0, math.inf, 1e300, -1e300]


@pytest.fixture(params=PRUNERS)
def pruner(request):
    return pruning.build(OPTIONS[request.param], 1, "loss")


def test_each_milestone_is_reached_once_and_fits_its_column(pruner):
    steps = [0, 3, 4, 5, 7, 26, 80, 1000, 2**31 - 1]
    for number in range(9):
        reached = [pruner.milestone(step, before, number) for before, step in zip([None, *steps], steps, strict=False)]
        found = [milestone for milestone in reached if milestone is not None]
        assert len(set(found)) == len(found)
        assert all(0 <= milestone < 2**31 for milestone in found)


def test_every_pruning_has_a_reason_and_every_other_verdict_none(pruner):
    for score in (0.1, 3.0, math.inf, 1e300, -1e300):
        verdict = pruner.judge(Own(3, score, score, 3), RIVALS)
        assert (verdict.reason is not None) == verdict.prune


def test_value_compared_with_is_finite(pruner):
    for rivals in (RIVALS, [math.inf] * 5, []):
        verdict = pruner.judge(Own(3, 1.0, 1.0, 3), rivals)
        assert verdict.compared is None or math.isfinite(verdict.compared)


def test_judging_again_gives_the_same_verdict(pruner):
    own = Own(3, 1.0, 0.7, 3)
    assert pruner.judge(own, RIVALS) == pruner.judge(own, list(RIVALS))


def test_without_a_pruner_nothing_is_ever_compared():
    never = pruning.build(NoPruner(), 1, "loss")
    assert never.rivals is None
    assert [never.milestone(step, None) for step in (0, 1, 10**9)] == [None] * 3


@pytest.mark.parametrize("sign", [1, -1])
def test_threshold_bounds_are_the_users_values(sign):
    pruner = pruning.build(ThresholdPruner(name="threshold", lower=0.25, upper=2.0), sign, "loss")
    verdicts = [pruner.judge(Own(4, sign * v, sign * v, 4), []) for v in (0.1, 0.25, 2.0, 2.5)]
    assert [verdict.prune for verdict in verdicts] == [True, False, False, True]
    assert verdicts[0].reason == "loss 0.1 is below the lower threshold 0.25 at step 4"
    assert verdicts[3].reason == "loss 2.5 is above the upper threshold 2 at step 4"


def test_threshold_prunes_what_is_not_finite():
    pruner = pruning.build(ThresholdPruner(name="threshold", upper=2.0), 1, "loss")
    assert pruner.judge(Own(4, math.inf, 1.0, 4), []).reason == "loss is not a finite number at step 4"


def test_threshold_waits_for_the_warm_up():
    pruner = pruning.build(ThresholdPruner(name="threshold", upper=2.0, n_warmup_steps=3), 1, "loss")
    assert [pruner.milestone(step, None) for step in (0, 2, 3, 9)] == [None, None, 3, 9]
