"""The rule that pauses and promotes (Li et al., 2020, algorithm 2), alone."""

import random

import pytest

from service import pruning
from service.pruning import Own
from trialbook.spec import ASHAPruner


def promotion(sign: int = 1, **options):
    return pruning.build(ASHAPruner(name="asha", promote=True, **options), sign, "loss")


def judged(score, rivals, sign=1, **options):
    return promotion(sign, **options).judge(Own(3, score, score, 3), rivals)


def test_nobody_goes_on_before_there_are_enough():
    for others in range(3):
        verdict = judged(0.0, [1.0] * others)
        assert (verdict.prune, verdict.pauses) == (True, True)
    assert not judged(0.0, [1.0] * 3).prune


def test_reason_tells_rung_and_what_is_needed():
    assert judged(0.5, [0.25, 0.75, 0.8]).reason == (
        "loss 0.5 is not among the best of 4 trials at step 3: less than 0.25 is needed"
    )
    assert judged(-0.5, [-0.75, -0.1, -0.2], sign=-1).reason.endswith("more than 0.75 is needed")
    assert judged(0.5, [0.25]).reason == "the best of 4 trials goes on from step 3, and 2 trials came so far"


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_as_many_are_in_the_top_as_the_paper_says_also_among_equals(factor):
    """Whoever is asked again when all have come, in the order of their scores, as the store asks."""
    chance = random.Random(factor)
    scores = [chance.choice([0.1, 0.2, 0.3, float("inf")]) for _ in range(30)]
    finite = sorted(score for score in scores if score < 1)
    on = 0
    for place, score in enumerate(finite):
        ahead = finite[:place]
        behind = [max(other, score + 1) for other in finite[place + 1 :]]  # equal ones that wait stand behind
        rivals = [*ahead, *behind, *[float("inf")] * (30 - len(finite))]
        on += not judged(score, rivals, reduction_factor=factor).prune
    assert on == min(30 // factor, len(finite))


def test_decision_is_made_again_from_what_was_compared():
    chance = random.Random(1)
    for sign in (1, -1):
        pruner = promotion(sign, reduction_factor=2)
        for others in range(40):
            own = Own(3, score := chance.choice([0.1, 0.2, 0.3]), score, 3)
            rivals = [chance.choice([0.1, 0.2, 0.3, float("inf")]) for _ in range(others)]
            verdict = pruner.judge(own, rivals)
            assert pruner.prunes(own, verdict.compared) == verdict.prune
        assert pruner.prunes(Own(3, 0.1, 0.1, 3), pruning.passed(sign).compared) is False


def test_rungs_end_before_the_last_resource():
    options = ASHAPruner(name="asha", promote=True, max_resource=64)
    assert pruning.rungs_of(options) == (0, 3, 15)
    assert pruning.rungs_of(ASHAPruner(name="asha", max_resource=64)) is None


def test_worker_that_cannot_pause_is_judged_by_the_rule_that_stops():
    options = ASHAPruner(name="asha", promote=True)
    verdict = pruning.build(options, 1, "loss", can_pause=False).judge(Own(3, 0.5, 0.5, 3), [0.25])
    assert (verdict.prune, verdict.pauses) == (True, False)
