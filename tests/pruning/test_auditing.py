"""The trials of an audit: the share that was asked for, without order, and the same ones whenever asked for."""

from itertools import pairwise

import pytest
from scipy.stats import binomtest, kstest

from service.pruning import spares
from service.pruning.auditing import _place
from trialbook.spec import ASHAPruner, MedianPruner, NoPruner

MANY = 20_000


def audit(share):
    return MedianPruner(name="median", audit=share)


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
def test_the_share_that_was_asked_for_is_chosen(share, seed):
    found = [spares(audit(share), seed, number) for number in range(MANY)]
    assert binomtest(sum(found), MANY, share).pvalue > 1e-3
    pairs = sum(one and other for one, other in pairwise(found))
    assert binomtest(pairs, MANY - 1, share**2).pvalue > 1e-3


def test_numbers_fall_evenly():
    assert kstest([_place(7, number) for number in range(MANY)], "uniform").pvalue > 1e-3


def test_a_larger_share_chooses_the_same_trials_and_others():
    small, large = ({n for n in range(1000) if spares(audit(share), 3, n)} for share in (0.05, 0.2))
    assert small < large


def test_whoever_asks_again_finds_the_same_trials_whatever_the_pruner():
    asha = ASHAPruner(name="asha", audit=0.2)
    again = [spares(asha, 3, number) for number in reversed(range(1000))]
    assert again[::-1] == [spares(audit(0.2), 3, number) for number in range(1000)]


def test_nothing_is_chosen_where_nothing_is_asked_for():
    assert not any(spares(one, 0, number) for one in (NoPruner(), audit(0.0)) for number in range(1000))


def test_another_seed_chooses_other_trials_and_a_later_version_the_same():
    chosen = [[number for number in range(40) if spares(audit(0.2), seed, number)] for seed in (0, 1)]
    assert chosen[0] == [1, 10, 11, 12, 22, 27, 29, 32, 33] != chosen[1]  # a replay of an old study asks for these
