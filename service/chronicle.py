"""A study's past in words: what happened, the newest first."""

from collections.abc import Sequence

from service.context import Context
from service.store.past import Past, list_past
from service.store.tokens import Holder
from service.studies import find
from trialbook.spec import StudySpec
from trialbook.wire import Page, PastEvent
from trialbook.words import shown

KINDS = ("study", "trial", "report", "artifact")


async def read(
    context: Context,
    holder: Holder,
    name: str,
    *,
    kinds: Sequence[str],
    number: int | None,
    cursor: str | None,
    limit: int,
) -> Page[PastEvent]:
    """A page of a study's events; all kinds where none is named."""
    key = await find(context, holder, name)
    metric = StudySpec.model_validate(key.spec).objective.metric or "value"
    found, following = await list_past(
        context.db, key.id, kinds=kinds or KINDS, number=number, cursor=cursor, limit=limit
    )
    items = [
        PastEvent(
            id=f"{one.xid}-{one.id}",
            at=one.at,
            kind=one.kind,
            number=one.number,
            state=one.state,
            first_step=one.first_step,
            last_step=one.last_step,
            note=one.note,
            text=in_words(one, metric),
        )
        for one in found
    ]
    return Page(items=items, next_cursor=following)


def in_words(one: Past, metric: str) -> str:
    """What happened, as a sentence."""
    if one.kind == "study":
        return _of_study(one)
    if one.kind == "report":
        steps = f"step {one.last_step}"
        if one.first_step != one.last_step:
            steps = f"steps {one.first_step} to {one.last_step}"
        return f"Trial {one.number} reported {steps}."
    if one.kind == "artifact":
        return f"Trial {one.number} stored {one.note}."
    return _of_trial(one, metric)


def _of_study(one: Past) -> str:
    if one.note == "changed":
        return "The study was changed: budget, notes or tags."
    if one.state == "running" and one.note is None:
        return "The study is running."
    return f"The study is {_state(one.state, one.note)}."


def _of_trial(one: Past, metric: str) -> str:
    trial, why = f"Trial {one.number}", f": {one.reason}" if one.reason else ""
    value = "" if one.value is None else f" with {metric} {shown(one.value)}"
    if one.state == "waiting":
        lost = "its worker was lost" if one.outcome == "expired" else one.outcome
        back = f" again, after attempt {one.attempt} on {one.worker}{f' ({lost})' if lost else ''}"
        return f"{trial} waits in the queue{back if one.attempt else ''}."
    if one.state == "running":
        again = f", attempt {one.attempt}" if (one.attempt or 1) > 1 else ""
        return f"{trial} runs{f' on {one.worker}' if one.worker else ''}{again}."
    if one.state == "complete":
        return f"{trial} is complete{value}."
    if one.state == "pruned":
        return f"{trial} was stopped early{value}{why}."
    if one.state == "failed":
        what = one.reason or (one.error or "").strip().rpartition("\n")[2]
        return f"{trial} failed{f': {what}' if what else ''}."
    return f"{trial} is {_state(one.state, one.reason)}."


def _state(state: str | None, reason: str | None) -> str:
    """`cancelled by a user`, `completed: its time is up`."""
    if not reason:
        return str(state)
    return reason if reason.startswith(f"{state} ") else f"{state}: {reason}"
