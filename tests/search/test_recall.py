"""What a model is told of a long history."""

from service.search import Observation
from service.search.recall import worth_seeing


def trials(count: int) -> list[Observation]:
    return [Observation(i, {}, float((i * 37) % count)) for i in range(count)]


def test_short_history_is_told_whole():
    assert worth_seeing(trials(20), 20) == trials(20)


def test_long_history_is_told_by_its_best_and_its_latest_in_order():
    told = worth_seeing(trials(101), 20)
    assert len(told) == 20
    assert {one.score for one in told} >= {float(score) for score in range(10)}
    assert {one.number for one in told} >= set(range(95, 101))
    assert [one.number for one in told] == sorted(one.number for one in told)
