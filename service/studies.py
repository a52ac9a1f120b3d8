"""Studies: submitted, changed, paused, ended and deleted."""

import hashlib
from contextlib import AsyncExitStack

from service import promoting, telling
from service.context import Context
from service.logs import tell
from service.store import closing, rates
from service.store import studies as store
from service.store.answers import Answered, find_answer, keep_answer
from service.store.closing import Ended
from service.store.studies import Change, StudyKey
from service.store.tokens import Holder
from service.submission import complete, row_of
from trialbook.errors import (
    Conflict,
    FieldError,
    KeyReused,
    NameTaken,
    NotFound,
    OutOfRange,
    TooManyRequests,
    WrongState,
)
from trialbook.spec import StudySpec
from trialbook.wire import Page, Study, StudyChange, Validation

MINUTE = 60.0
NO_STUDY = "There is no study of that name."


async def find(context: Context, holder: Holder, name: str) -> StudyKey:
    """A study that the holder may see and change. Raises NotFound, the same for a missing one and somebody else's."""
    key = await store.study_key(context.db, name)
    if key is None or not (holder.role == "admin" or key.owner == holder.owner):
        raise NotFound(NO_STUDY)
    return key


async def read(context: Context, holder: Holder, name: str) -> Study:
    """A study as it is now."""
    await find(context, holder, name)
    study = await store.read_study(context.db, name)
    if study is None:
        raise NotFound(NO_STUDY)
    return study


async def list_page(
    context: Context, holder: Holder, *, state: str | None, q: str | None, cursor: str | None, limit: int
) -> Page[Study]:
    """The studies that the holder may see, the newest first; `q` is a part of a name, title, tag, trainer or owner."""
    owner = None if holder.role == "admin" else holder.owner
    items, following = await store.list_studies(context.db, owner=owner, state=state, q=q, cursor=cursor, limit=limit)
    return Page(items=items, next_cursor=following)


async def create(context: Context, holder: Holder, spec: StudySpec, key: str | None) -> str:
    """Check and store a study; the answer's JSON. The same Idempotency-Key gives the same answer."""
    digest = hashlib.sha256(spec.model_dump_json().encode()).digest()
    if key is not None and (known := await find_answer(context.db, holder.token_id, key)) is not None:
        return repeated(known, digest)
    async with AsyncExitStack() as held:
        if spec.objective.data is not None:  # an uploaded set's file must not go before the study's row names it
            await held.enter_async_context(context.files.hold())
        try:
            answer = await _insert(context, holder, spec, key, digest)
        except Conflict as conflict:
            return await answered_meanwhile(context, holder, key, digest, conflict)
    tell("study-created", study=spec.name, owner=holder.owner, sampler=spec.sampler.name)
    context.bell.ring()
    return answer


async def _insert(context: Context, holder: Holder, spec: StudySpec, key: str | None, digest: bytes) -> str:
    completed, data = await complete(context.db, spec)
    await _count(context, holder)
    async with context.db.begin() as connection:
        if not await store.insert_study(connection, row_of(completed, data, holder.owner)):
            raise NameTaken
        study = await store.read_study_on(connection, spec.name)
        answer = study.model_dump_json()
        if key is not None and not await keep_answer(connection, holder.token_id, key, digest, answer):
            raise KeyReused
        return answer


async def _count(context: Context, holder: Holder) -> None:
    """Raises TooManyRequests where an owner submits more studies in a minute than are allowed."""
    if (most := context.settings.studies_per_minute) == 0:
        return
    wait = await rates.count(context.db, f"studies {holder.owner}", most=most, window=MINUTE)
    if wait > 0:
        raise TooManyRequests(f"More than {most} studies of one owner in a minute: wait a moment.", retry_after=wait)


def repeated(known: Answered, digest: bytes) -> str:
    """The answer that was given under this key. Raises KeyReused where the body was another."""
    if known.digest != digest:
        raise KeyReused
    return known.body


async def answered_meanwhile(
    context: Context, holder: Holder, key: str | None, digest: bytes, conflict: Conflict
) -> str:
    """What the same request was answered, sent at the same time; raises the conflict where there was none."""
    known = None if key is None else await find_answer(context.db, holder.token_id, key)
    if known is None:
        raise conflict
    return repeated(known, digest)


async def validate(context: Context, spec: StudySpec) -> Validation:
    """All checks of a submission, storing nothing."""
    completed, _ = await complete(context.db, spec)
    return Validation(
        valid=True,
        n_cells=completed.n_cells,
        name_taken=await store.study_key(context.db, spec.name) is not None,
        spec=completed.model_dump(mode="json"),
    )


async def change(context: Context, holder: Holder, name: str, body: StudyChange) -> Study:
    """Change budget, notes or tags; a larger budget reopens a completed study."""
    key = await find(context, holder, name)
    given = body.model_dump(mode="json", exclude_unset=True)
    changes = {name: value for name, value in given.items() if value is not None}  # null is as left out
    budget = body.budget
    cells = None if budget is None else StudySpec.model_validate(key.spec).n_cells
    limits = (budget.n_trials, cells, budget.timeout) if budget else (None, None, None)
    change = Change(changes, budget is not None, *limits)
    if not await store.change_study(context.db, key.id, change):
        key = await find(context, holder, name)  # as it is now: it may have been cancelled meanwhile, or deleted
        if key.state == "cancelled":
            raise WrongState("A cancelled study cannot go on.")
        message = f"must not be below the {key.counted} trials already made"
        raise OutOfRange(errors=[FieldError("/budget/n_trials", message, "out-of-range")])
    if budget is not None:
        context.epochs.forget(key.id)
        await promoting.settle(context, key.id)
    context.bell.ring()
    study = await read(context, holder, name)
    if study.state == "completed" != key.state:
        telling.study_ended(context.metrics, Ended(name, study.state, study.reason))
    return study


async def pause(context: Context, holder: Holder, name: str) -> Study:
    """Give out no more trials; those that run are told to stop at their next report and wait in the queue."""
    key = await find(context, holder, name)
    if not await store.pause_study(context.db, key.id):
        await _expect(context, holder, name, "paused")
    context.bell.ring()
    return await read(context, holder, name)


async def _expect(context: Context, holder: Holder, name: str, state: str) -> None:
    """Raise WrongState where a study is in another state by now: one request may have repeated another one."""
    key = await find(context, holder, name)
    if key.state != state:
        raise WrongState(f"The study is {key.state}.")


async def resume(context: Context, holder: Holder, name: str) -> Study:
    """Go on with a paused study."""
    key = await find(context, holder, name)
    if not await store.resume_study(context.db, key.id):
        await _expect(context, holder, name, "running")
    context.bell.ring()
    return await read(context, holder, name)


async def cancel(context: Context, holder: Holder, name: str) -> Study:
    """End a study for good; what waits or runs is cancelled, what is finished stays."""
    key = await find(context, holder, name)
    ended = await closing.end_study(context.db, key.id, "cancelled", "cancelled by a user")
    telling.study_ended(context.metrics, ended)
    if not ended:
        await _expect(context, holder, name, "cancelled")
    context.bell.ring()
    return await read(context, holder, name)


async def delete(context: Context, holder: Holder, name: str) -> None:
    """Delete a study with its trials, curves and artifacts."""
    key = await find(context, holder, name)
    files = await store.delete_study(context.db, key.id)
    if files is None:
        raise NotFound(NO_STUDY)
    await context.files.forget_artifacts(files)
    tell("study-deleted", study=name, owner=key.owner)
    context.bell.ring()
