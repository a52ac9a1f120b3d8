"""The judge of histories: what clients saw of a service, and what it held in the end, against what it promises.

Pure: no clock, no network. Each rule is a function whose docstring says what must hold; it yields where that is broken.
A call that was refused (4xx) changed nothing; one without an answer, or with one of 5xx, may have taken effect or not.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from tests.chaos import curves, halving, order, outcomes, repeats
from tests.chaos.facts import Facts, Found, gather
from tests.chaos.history import Call, Final

RULES: dict[str, Callable[[Facts], Iterator[Found]]] = {
    "lost report": curves.lost_report,
    "lost report before a prune": curves.lost_before_prune,
    "lost trial": outcomes.lost_trial,
    "lost finish": outcomes.lost_finish,
    "lost pause": halving.lost_pause,
    "lost cancel": outcomes.lost_cancel,
    "lost study": outcomes.lost_study,
    "lost or made-up attempt": outcomes.lost_or_made_up_attempt,
    "lost or made-up file": outcomes.lost_or_made_up_file,
    "lost checkpoint": repeats.unfenced_resume,
    "torn report": curves.torn_report,
    "made-up step": curves.made_up_step,
    "made-up result": outcomes.made_up_result,
    "duplicated: steps": curves.conflicting_steps,
    "duplicated: numbers": outcomes.wrong_number_of_trials,
    "over budget": outcomes.over_budget,
    "duplicated: cells": outcomes.same_cell,
    "duplicated: other grant": repeats.other_grant,
    "duplicated: grant": repeats.granted_twice,
    "duplicated: finish": repeats.finished_twice,
    "duplicated: decision": repeats.other_decision,
    "duplicated: added": repeats.added_twice,
    "stale write": order.stale_write,
    "overlapping leases": order.overlapping_leases,
    "out of order": order.running_backwards,
    "out of order: revived": order.revived,
    "out of order: stopped": order.granted_while_stopped,
    "out of order: not found": order.missing_trial,
    "out of order: counts": order.wrong_counts,
    "promoted too early": halving.promoted_too_early,
    "left behind": halving.left_behind,
    "unexpected status": repeats.unexpected_status,
}


@dataclass(frozen=True)
class Violation:
    """A rule that a history breaks: where, how, and the calls that prove it."""

    rule: str
    study: str | None
    number: int | None
    what: str
    calls: tuple[Call, ...]

    def __str__(self) -> str:
        place = "" if self.study is None else f" {self.study}" + ("" if self.number is None else f"/{self.number}")
        proof = "".join(
            f"\n    {call.begun:.3f}–{call.ended:.3f} {call.client} {call.operation} {call.path} "
            f"{call.asked} → {call.outcome} {call.status} {call.answer}"
            for call in self.calls
        )
        return f"{self.rule}{place}: {self.what}{proof}"


def violations(calls: Iterable[Call], final: Final | None) -> list[Violation]:
    """All that is wrong with a history; with no final state, as far as its calls alone tell.

    Of a history that goes on, calls without an answer yet must be among them, as unknown: they may have taken effect.
    """
    facts = gather(calls, final)
    return [
        Violation(rule, found.study, found.number, found.what, found.calls)
        for rule, broken in RULES.items()
        for found in broken(facts)
    ]
