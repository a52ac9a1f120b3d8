"""Training runs ahead of the server's answers, but not without bound."""

import socket

import pytest

from trialbook.outcomes import TrialFailed
from trialbook.wire import Lease
from workers.channel import Channel
from workers.trial import MOST_UNANSWERED, Assignment, Trial

LEASE = Lease(
    lease="L", study="s", number=0, attempt=1, params={"x": 1},
    objective={"trainer": "t:t", "metric": "loss", "fixed": {"y": 2}},
    early_stopping=None, seed=0, ttl_seconds=60, resume_step=4,
)  # fmt: skip


class FakeOrders:
    """Answers nothing unless told; remembers for what was waited."""

    def __init__(self):
        self.order, self.answered, self.waits = None, 0, []

    def wait(self, count, patience):
        self.waits.append((count, patience))
        return self.answered >= count


class FakeChannel:
    def __init__(self):
        self.sent = []

    def send(self, kind, **fields):
        self.sent.append(fields)


@pytest.fixture
def orders():
    return FakeOrders()


@pytest.fixture
def trial(orders, tmp_path):
    clock = iter(range(1_000_000))  # a second passes with each look at the clock
    assignment = Assignment(LEASE, None, None, tmp_path, 15.0)
    return Trial(assignment, FakeChannel(), orders, clock.__next__, saves=False)


def test_fixed_and_suggested_parameters_come_together(trial):
    assert trial.params == {"x": 1, "y": 2}


def test_a_slow_answer_is_waited_for_once_and_then_not_again(trial, orders):
    for step in range(20):
        trial.report(step, loss=1)
    assert orders.waits == [(1, 2.0)]


def test_after_an_answer_the_next_slow_one_is_waited_for_again(trial, orders):
    for step in range(10):
        trial.report(step, loss=1)
    orders.answered = 10
    for step in range(10, 20):
        trial.report(step, loss=1)
    assert orders.waits == [(1, 2.0), (11, 2.0)]


def test_answered_reports_hold_nothing_back(trial, orders):
    for step in range(100):
        orders.answered = step
        trial.report(step, loss=1)
    assert orders.waits == []


def test_what_is_unanswered_is_bounded(trial, orders):
    for step in range(MOST_UNANSWERED + 1):
        trial.report(step, loss=1)
    assert orders.waits[-2:] == [(1, None), (2, None)]


def test_a_step_below_zero_is_the_trainers_mistake(trial):
    with pytest.raises(TrialFailed, match="greater than or equal to 0") as caught:
        trial.report(-1, loss=1)
    assert caught.value.retry is False


def test_a_closed_pipe_ends_receiving_at_both_ends():
    here, there = map(Channel, socket.socketpair())
    there.send("ready", value=float("inf"))
    assert here.receive() == {"kind": "ready", "value": float("inf")}
    here.hang_up()
    assert (here.receive(), there.receive()) == (None, None)
    there.send("ended")


def test_the_checkpoint_that_an_attempt_goes_on_from_is_known_only_where_it_is_there(trial):
    assert (trial.resume_step, trial.load()) == (None, None)
