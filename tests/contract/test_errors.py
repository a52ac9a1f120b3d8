"""The errors of the contract: one tree, one code and one message each."""

import inspect

import pytest

from trialbook import errors
from trialbook.errors import BY_CODE, BY_STATUS, FieldError, Invalid, LeaseLost, OutOfRange, TrialbookError, invalid

ALL = [error for _, error in inspect.getmembers(errors, inspect.isclass) if issubclass(error, TrialbookError)]


@pytest.mark.parametrize("error", ALL)
def test_code_leads_back_to_the_error(error):
    family = [other for other in ALL if other.code == error.code]
    assert BY_CODE[error.code] in family


def test_only_the_servers_own_mistake_shares_its_code():
    codes = [error.code for error in ALL if error not in (TrialbookError, errors.Internal)]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("error", ALL)
def test_docstring_is_the_message(error):
    assert str(error()) == error.__doc__.strip()
    assert str(error("Something else.")) == "Something else."


def test_tree_at_the_top_of_the_file_names_every_error():
    assert [error.__name__ for error in ALL if error.__name__ not in errors.__doc__] == []


@pytest.mark.parametrize("error", ALL)
def test_status_leads_to_the_most_general_error_with_it(error):
    assert error.status == BY_STATUS[error.status].status
    assert not issubclass(BY_STATUS[error.status], error) or BY_STATUS[error.status] is error


def test_title_is_the_code_in_words():
    assert LeaseLost().title == "Lease lost"


def test_message_lists_the_fields():
    error = Invalid(errors=[FieldError("/space/rate/high", "must not be below low")])
    assert str(error) == "What was sent has mistakes.\n  /space/rate/high: must not be below low"


def test_mistakes_in_a_body_are_named_by_the_first_of_them():
    first = FieldError("/a", "is too large", "out-of-range")
    assert type(invalid([first, FieldError("/b", "is unknown")])) is OutOfRange
    assert type(invalid([FieldError("/b", "is lost", "lease-lost")])) is Invalid
