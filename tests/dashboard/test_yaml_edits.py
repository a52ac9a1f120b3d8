"""Changes from the form leave what people wrote, comments included, and say what they could not keep."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.catalog import TRAINERS
from service.dashboard.new_study_page import starting
from service.dashboard.yaml_edits import Change, _applied, edited
from service.yaml_body import Located
from trialbook.errors import Invalid
from trialbook.yaml_text import text_of

TEXT = """\
# mine
name: a  # short
objective:
  trainer: mlp   # the book's
  fixed: {epochs: 5, batch_size: 64}  # quick
space:
  # how fast
  rate: {type: float, low: 1.0e-4, high: 1.0, log: true}  # wide
  width:
    type: int
    low: 8   # "at # least"
    high: 64

# the end
budget: {n_trials: 10}
"""


def lines_changed(before: str, after: str) -> list[tuple[str, str]]:
    assert len(before.splitlines()) == len(after.splitlines())
    return [(a, b) for a, b in zip(before.splitlines(), after.splitlines(), strict=True) if a != b]


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        (("name",), "b", "name: b  # short"),
        (("objective", "fixed", "epochs"), 9, "  fixed: {epochs: 9, batch_size: 64}  # quick"),
        (("space", "width", "low"), 16, '    low: 16  # "at # least"'),
        (("budget", "timeout"), 60.0, "budget: {n_trials: 10, timeout: 60.0}"),
        (("space", "rate", "high"), 0.5, "  rate: {type: float, low: 0.0001, high: 0.5, log: true}  # wide"),
    ],
)
def test_one_line_changes_and_keeps_its_comment(path, value, line):
    found = edited(TEXT, [Change(path, value)])
    assert [after for _, after in lines_changed(TEXT, found.text)] == [line]
    assert found.lost == ()


def test_a_new_part_goes_where_it_belongs():
    found = edited(
        TEXT, [Change(("sampler",), {"name": "gp"}), Change(("space", "x"), {"type": "int", "low": 1, "high": 2})]
    )
    lines = found.text.splitlines()
    assert lines[lines.index("    high: 64") + 1 :] == [
        "  x: {type: int, low: 1, high: 2}",
        "sampler: {name: gp}",
        "",
        "# the end",
        "budget: {n_trials: 10}",
    ]


def test_a_comment_inside_what_is_removed_is_told():
    found = edited(TEXT, [Change(("space", "width"), is_removed=True)])
    assert found.lost == ('# "at # least"',)
    assert "# how fast" in found.text
    assert list(found.document["space"]) == ["rate"]


def test_a_parameter_is_renamed_in_its_place():
    found = edited(TEXT, [Change(("space", "rate"), key="learning_rate")])
    assert list(found.document["space"]) == ["learning_rate", "width"]
    assert "  learning_rate: {type: float" in found.text
    assert found.lost == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing yet\n",
        "{name: a, space: {x: {type: int, low: 1, high: 2}}}",
        "name: a\nspace: {\n x: {type: int,\n low: 1, high: 2}\n}\n",
        "name: a\nspace:\n  x:\n    type: categorical\n    choices:\n    - a\n    - b\n",
        "name: a\nbase: &b {type: int, low: 1, high: 2}\nspace: {x: *b}\n",
        'name: a\n"space": {x: {"type": int, low: 1, high: 2}}\nnotes: |\n  space: no\n   # no comment\n',
        "- a\n- b\n",
        "just text",
    ],
)
@pytest.mark.parametrize(
    "change",
    [
        Change(("space", "x", "high"), 7),
        Change(("space", "x"), is_removed=True),
        Change(("space", "y"), {"type": "categorical", "choices": ["a: b", None, "#"]}),
        Change(("sampler", "name"), "tpe"),
        Change(("name",), "x: y # z"),
        Change(("space", "x"), key="a b"),
    ],
)
def test_whatever_the_text_looks_like_it_says_what_it_should(text, change):
    found = edited(text, [change])
    assert Located(found.text).value == found.document == _applied(Located(text).value, change)


KEYS = st.sampled_from(
    ["name", "space", "sampler", "budget", "learning_rate", "low", "n_trials", "a b", "x#", "no", "1"]
)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]) | st.just(" "), max_size=6)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-1e9, 1e9) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=5,
)
CHANGES = st.builds(Change, st.lists(KEYS, min_size=1, max_size=4).map(tuple), VALUES, st.booleans(), st.none() | KEYS)


@settings(max_examples=40, deadline=None)
@given(trainer=st.sampled_from([*TRAINERS]), changes=st.lists(CHANGES, max_size=3))
def test_any_changes_of_any_study_say_what_they_should(trainer, changes):
    text = text_of(starting(trainer, None))
    wanted = Located(text).value
    for change in changes:
        wanted = _applied(wanted, change)
    found = edited(text, changes)
    assert Located(found.text).value == wanted


def test_what_is_no_yaml_is_left_alone():
    with pytest.raises(Invalid):
        edited("name: [", [Change(("name",), "a")])
