"""What is said of a trial: of the test part, and of where it would have been stopped."""

import pytest

from trialbook import words
from trialbook.wire import Spared, Trial

MEASURED = {"test_error": 0.0123456, "test_loss": "nan", "tested_examples": 360, "best_step": 4}


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        ("val_error", "test_error 0.01235 (on 360 examples never used before)"),
        ("train_loss", "test_loss nan (on 360 examples never used before)"),
        ("other", "test_error 0.01235, test_loss nan (on 360 examples never used before)"),
        (None, "test_error 0.01235, test_loss nan (on 360 examples never used before)"),
    ],
)
def test_the_objectives_metric_is_told_of_the_test_part(metric, said):
    assert words.tested(MEASURED, metric) == said


def test_what_kept_it_from_being_measured_is_told_in_one_line():
    assert words.tested({"evaluation_error": "no room\nat all"}, "val_error") == "no test value: no room"


@pytest.mark.parametrize("attributes", [{}, {"test_error": 0.1}, {"tested_examples": "many"}], ids=str)
def test_attributes_of_others_are_not_taken_for_it(attributes):
    assert words.tested(attributes, "val_error") == ""


def test_one_example_is_one():
    assert words.tested({"test_x": "text", "test_y": 1, "tested_examples": 1}, None) == (
        "test_y 1 (on 1 example never used before)"
    )


def test_a_spared_trial_is_told_where_it_would_have_been_stopped():
    why = Spared(step=12, reason="loss 2 is worse than the median 1 of 5 trials at step 12")
    said = "It would have been stopped at step 12: loss 2 is worse than the median 1 of 5 trials at step 12; it ran on"
    assert words.spared(Trial.model_construct(spared=why)).startswith(said)
    assert words.spared(Trial.model_construct(spared=None)) == ""
