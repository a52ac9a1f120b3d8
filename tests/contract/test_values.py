"""The building blocks of the contract's values: strict, finite, clean."""

import json
import math

import pytest
from pydantic import TypeAdapter, ValidationError

from trialbook.values import Clean, Finite, Listed, Number, Scalar, Value, located


class Sample(Value):
    size: int = 0
    rate: Finite = 0.0
    loss: Number = 0.0
    note: Clean = ""
    choice: Scalar = None
    several: Listed[int] = ()


@pytest.mark.parametrize("body", [{"size": "1"}, {"size": 1.0}, {"rate": math.inf}, {"rate": "1"}, {"note": 1},
                                  {"several": ["1"]}, {"several": 1}, {"unknown": 1}, {"choice": [1]},
                                  {"choice": math.nan}])  # fmt: skip
def test_nothing_is_guessed(body):
    with pytest.raises(ValidationError):
        Sample.model_validate(body)


@pytest.mark.parametrize("value", [True, 1, 1.5, "a", None])
def test_scalar_keeps_its_type(value):
    kept = Sample.model_validate({"choice": value}).choice
    assert (kept, type(kept)) == (value, type(value))


@pytest.mark.parametrize("spelt, value", [("inf", math.inf), ("-inf", -math.inf), ("nan", math.nan), (None, math.nan)])
def test_non_finite_number_travels_as_a_word(spelt, value):
    sample = Sample.model_validate({"loss": spelt})
    assert str(sample.loss) == str(value)
    assert json.loads(sample.model_dump_json())["loss"] == (spelt or "nan")


def test_other_words_are_no_numbers():
    with pytest.raises(ValidationError, match='must be a number, "nan", "inf" or "-inf"'):
        Sample.model_validate({"loss": "Infinity"})


@pytest.mark.parametrize("text", ["a\x00b", "\x1b[31m", "\ud800", "\x7f"])
def test_control_characters_are_refused(text):
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(Clean).validate_python(text)
    assert "string" in caught.value.errors()[0]["type"] or caught.value.errors()[0]["type"] == "invalid_text"


def test_text_of_any_language_and_line_ends_are_kept():
    assert Sample(note="größe\t学習率\n🙂").note == "größe\t学習率\n🙂"


def test_value_cannot_be_changed():
    with pytest.raises(ValidationError):
        Sample().size = 1


def test_located_error_is_found_below_the_value_that_raised_it():
    problem = located(("space", "x", 0), "is wrong").errors()[0]
    assert (problem["loc"], problem["msg"]) == (("space", "x", 0), "is wrong")
