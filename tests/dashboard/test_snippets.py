"""What is copied from a study's page is Python that gives the same parameters."""

import ast

import pytest

from service.dashboard.snippets import python_of
from tests.service.calls import spec
from trialbook.spec import StudySpec
from trialbook.wire import Best

BOOK = {"trainer": "mlp", "data": "digits", "metric": "val_error"}


def code_of(params, **changes):
    made = StudySpec.model_validate(spec("my-study", **changes))
    return python_of(made, Best(number=7, value=0.25, params=params), "http://127.0.0.1:8000")


@pytest.mark.parametrize(
    "params", [{"x": 0.1, "kind": "a'b\n", "on": True, "no": None}, {"a b": 1}, {"class": 2}, {"x": 1e-7, "n": 3}]
)
def test_parameters_come_back_the_same(params):
    found: dict = {}
    exec(code_of(params), found)  # noqa: S102  # what is tested is that this can be done
    assert found["params"] == params


def test_what_was_fixed_is_among_them_and_the_books_models_can_be_loaded():
    code = code_of({"learning_rate": 0.1}, objective={**BOOK, "fixed": {"epochs": 5}})
    ast.parse(code)
    assert "epochs=5" in code
    assert 'client.download_model("my-study", 7, "my-study-7")' in code


def test_other_trainers_keep_no_model_that_could_be_loaded():
    assert "download_model" not in code_of({"x": 0.1})
