"""What early stopping saved and cost: the figure's formulas checked a second way, and the figure of a real study."""

import math
import random
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import beta, binom

from service.dashboard.figures.early_stopping import clopper_pearson, costing, early_stopping, saving
from service.store.stops import Spared, Stops
from trialbook.spec import StudySpec


def study(direction="minimize", **pruner):
    objective = {"trainer": "external", "metric": "loss", "direction": direction}
    space = {"x": {"type": "float", "low": 0.0, "high": 1.0}}
    named = {"name": "median", **pruner} if pruner.get("name") != "none" else pruner
    return StudySpec.model_validate({"name": "s", "objective": objective, "space": space, "pruner": named})


def spared(number, value, state="complete"):
    return Spared(number, state, 4, "worse than the median", 1.0, value)


def stops(values=(), lengths=None, **changes):
    """Ten trials pruned at step 4, and some that ran on to these values, twenty steps each."""
    lengths = lengths or [20] * len(values)
    ran = tuple(spared(i, value) for i, value in enumerate(values))
    known = Stops(
        spent=500,
        pruned=Counter({5: 10}),
        complete=Counter({20: 5}),
        spared_steps=Counter(lengths),
        spared_by_state=Counter({"complete": len(values)}),
        spared=ran,
        best=(99, 0.5),
    )
    return replace(known, **changes)


@pytest.mark.parametrize("n", [3, 7, 40, 1000])
def test_the_exact_interval_is_that_of_the_beta_distribution(n):
    for k in {0, 1, n // 3, n - 1, n}:
        low, high = clopper_pearson(k, n)
        assert low == pytest.approx(beta.ppf(0.05, k, n - k + 1) if k else 0.0, abs=1e-9)
        assert high == pytest.approx(beta.ppf(0.95, k + 1, n - k) if k < n else 1.0, abs=1e-9)


def test_the_exact_interval_holds_at_least_nine_times_in_ten_whatever_is_true():
    for p in np.linspace(0.01, 0.99, 25):
        holds = [k for k in range(13) if clopper_pearson(k, 12)[0] <= p <= clopper_pearson(k, 12)[1]]
        assert sum(binom.pmf(holds, 12, p)) >= 0.9


def test_where_all_trials_are_of_one_length_the_saved_epochs_are_known_to_the_epoch():
    saved, by = saving(stops([1.0, 2.0, 3.0]))
    assert (saved.estimate, saved.low, saved.high, by) == (150.0, 150.0, 150.0, "spared")


def test_saved_epochs_are_counted_by_the_spared_trials_not_by_the_complete_ones():
    saved, _ = saving(stops([1.0] * 4, [10, 12, 8, 10]))
    assert saved.estimate == pytest.approx(10 * 10 - 50)
    assert 0 <= saved.low < saved.estimate < saved.high


def test_the_saved_epochs_lie_within_the_bounds_about_nine_times_in_ten():
    chance, held = random.Random(1), 0
    for _ in range(300):
        full = [chance.randint(10, 60) for _ in range(60)]
        ran, pruned = full[:8], full[8:]
        found = stops([1.0] * 8, ran, pruned=Counter({5: 52}), complete=Counter([chance.randint(10, 60), 60]))
        saved, _ = saving(found)
        held += saved.low <= sum(pruned) - 5 * 52 <= saved.high
    assert 0.86 <= held / 300 <= 0.99


def test_few_spared_trials_bound_nothing():
    saved, by = saving(stops([1.0, 2.0]))
    assert (saved.estimate, saved.low, by) == (150.0, None, "complete")
    assert costing(study(audit=0.1), stops([1.0, 2.0])) is None


@pytest.mark.parametrize(("direction", "sign"), [("minimize", 1), ("maximize", -1)])
def test_cost_counts_the_spared_trials_that_beat_the_best_of_the_others(direction, sign):
    values = [sign * value for value in (0.4, 0.5, 0.6, 0.1)]
    cost = costing(study(direction, audit=0.1), stops(values, best=(99, sign * 0.5)))
    assert (cost.better, cost.of, cost.trials.estimate) == (2, 4, 5.0)
    assert cost.trials.low == pytest.approx(10 * beta.ppf(0.05, 2, 3))
    assert cost.trials.high == pytest.approx(10 * beta.ppf(0.95, 3, 2))
    assert cost.loss.estimate == pytest.approx((0.1 + 0.4) / 4)
    assert 0 <= cost.loss.low < cost.loss.estimate < cost.loss.high


def test_where_none_was_better_a_loss_is_not_bounded_but_their_number_is():
    cost = costing(study(audit=0.1), stops([0.6, math.inf, 0.7]))
    assert (cost.better, cost.loss) == (0, None)
    assert cost.trials.high == pytest.approx(10 * (1 - 0.05 ** (1 / 3)))


def test_the_figure_is_the_same_each_time_and_its_items_are_the_spared_trials():
    found = stops([0.4, math.nan, 0.7], [3, 20, 9])
    made = early_stopping(study(audit=0.1), found)
    assert made == early_stopping(study(audit=0.1), found)
    assert [(one["number"], one["step"], one["then"], one["value"]) for one in made["items"]] == [
        (0, 4, 1.0, 0.4),
        (1, 4, 1.0, "nan"),
        (2, 4, 1.0, 0.7),
    ]


WORDS = {
    "no pruner": (study(name="none"), Stops(), "No trial is stopped early: the study has no pruner."),
    "nothing yet": (study(audit=0.1), Stops(), "No trial was stopped early yet."),
    "no audit": (study(), stops(), "What that cost is not known, since none of them ran on: with audit: 0.05"),
    "promotion": (study(name="asha", promote=True), stops(), "a trial that was good enough in the end was to go on."),
    "too few": (study(audit=0.1), stops([1.0]), "What that cost is not known yet: 1 trial of the kind ran on, 1"),
    "none better": (
        study(audit=0.1),
        stops([1.0] * 3),
        "of the 10 that were stopped likely none would have (with 90 %",
    ),
    "all of it": (study(audit=0.1), stops([1.0, 0.2, 0.3]), "which saved 150 epochs beside 500 spent. Of 3"),
}


@pytest.mark.parametrize("case", WORDS)
def test_words_say_what_is_known_and_how_to_know_the_rest(case):
    spec, found, expected = WORDS[case]
    assert expected in early_stopping(spec, found)["words"]


def test_bounds_widen_with_the_spread_of_the_lengths():
    widths = []
    for apart in (0, 2, 5, 9):
        saved, _ = saving(stops([1.0] * 4, [20 - apart, 20 - apart, 20 + apart, 20 + apart]))
        widths.append(saved.high - saved.low)
    assert all(one < other for one, other in pairwise(widths))
