"""Files of trials: checkpoints, outputs, whatever a trainer keeps."""

import logging
from collections.abc import AsyncIterator
from typing import Any

from fastapi import Response

from service import quotas, telling
from service.context import Context
from service.files import Upload
from service.leases import Held, parse_lease
from service.reports import DELETED
from service.storage import ARTIFACTS
from service.store import artifacts as store
from service.store import reporting
from service.store.evaluating import is_claimed
from service.store.tokens import Holder
from service.store.trials import find_trial, is_held
from service.stored_file import stored_file
from service.studies import NO_STUDY, find
from service.trials import NO_TRIAL
from trialbook.errors import CheckpointAhead, FieldError, Invalid, NotFound, Removed, TooLarge
from trialbook.values import FORBIDDEN_TEXT
from trialbook.wire import Artifact

CHECKPOINT = "checkpoint"
NO_CHECKPOINT = "The trial keeps no checkpoint: none was uploaded, or the trial is over and needs none."
log = logging.getLogger("trialbook.server")


def _check_name(name: str) -> None:
    """A name is a word for people, never a path."""
    wrong = not name or len(name.encode("utf-8", "surrogatepass")) > 200 or FORBIDDEN_TEXT.search(name)
    if wrong or "/" in name or "\\" in name or ".." in name or name.startswith("."):
        message = "must be 1 to 200 bytes of text without '/', '\\', '..' or a leading dot"
        raise Invalid(errors=[FieldError("/name", message)])


async def receive(
    context: Context, lease: str, name: str, chunks: AsyncIterator[bytes], sha256: str, step: int | None, kind: str
) -> Artifact:
    """Keep an uploaded file under a lease. A checkpoint is never ahead of the stored reports."""
    held = parse_lease(context.secret, lease)
    _check_name(name)
    if name == CHECKPOINT and step is None:
        raise Invalid(errors=[FieldError("/step", "is required for a checkpoint")])
    place = await reporting.place(context.db, held.trial)
    if place is None:
        raise NotFound(DELETED)
    if place.attempt != held.attempt or place.state != "running":
        raise telling.write_refused(context.metrics, place.spec["name"], place.number, held.attempt)
    if name == CHECKPOINT and (place.last_step is None or (step or 0) > place.last_step):
        raise CheckpointAhead
    room = await quotas.for_artifact(context.db, context.settings, held.trial, name)
    upload = await context.files.receive(chunks, room, sha256)
    described = {"name": name, "step": step, "size": upload.size, "sha256": upload.sha256, "media_type": kind}
    put = await _keep(context, held, upload, described)
    await context.files.forget_artifacts([put.unneeded])
    if put.artifact is None:
        if await reporting.place(context.db, held.trial) is None:
            raise NotFound(DELETED)
        raise telling.write_refused(context.metrics, place.spec["name"], place.number, held.attempt)
    return put.artifact


async def _keep(context: Context, held: Held, upload: Upload, described: dict[str, Any]) -> store.Put:  # Any: JSON
    """Store a received file, unless others took its room meanwhile."""
    file = await context.files.keep_artifact(upload)
    try:
        async with context.db.begin() as transaction:
            await quotas.alone(transaction, context.settings, held.trial)
            room = await quotas.for_artifact(transaction, context.settings, held.trial, described["name"])
            room.require(upload.size)
            return await store.put_artifact(transaction, held.trial, held.attempt, file, described)
    except TooLarge:
        await context.files.forget_artifacts([file])
        raise


async def list_all(context: Context, holder: Holder, study: str, number: int) -> list[Artifact]:
    """The files of a trial."""
    key = await find(context, holder, study)
    found = await find_trial(context.db, key.id, number)
    if found is None:
        raise NotFound(NO_TRIAL)
    return await store.list_artifacts(context.db, found[0])


async def send(context: Context, holder: Holder, study: str, number: int, name: str) -> Response:
    """One file, as an attachment. A worker gets only what belongs to a trial that it runs or evaluates."""
    _check_name(name)
    row = await _row(context, holder, study, number)
    stored = await (_whole_checkpoint if name == CHECKPOINT else _find)(context, row, name)
    headers = {"etag": f'"{stored.artifact.sha256}"', "x-content-type-options": "nosniff"}
    if stored.artifact.step is not None:
        headers["trialbook-step"] = str(stored.artifact.step)
    kind = "application/octet-stream"
    return await stored_file(context.files, f"{ARTIFACTS}/{stored.file}", name, kind, headers)


async def _find(context: Context, row: int, name: str) -> store.Stored:
    stored = await store.find_artifact(context.db, row, name)
    if stored is not None and stored.artifact.removed_at is not None:
        raise Removed
    if stored is None:
        raise NotFound(NO_CHECKPOINT if name == CHECKPOINT else "There is no artifact of that name.")
    return stored


async def _whole_checkpoint(context: Context, row: int, name: str) -> store.Stored:
    """The newest checkpoint whose bytes are what was uploaded. Raises NotFound where there is none (any more)."""
    while (stored := await store.find_artifact(context.db, row, name)) is not None:
        if await context.files.sha256(f"{ARTIFACTS}/{stored.file}") == stored.artifact.sha256:
            return stored
        if await store.fall_back(context.db, row, stored.file):
            log.error("a checkpoint is damaged: %s is not what was uploaded", stored.file, extra={"trial": row})
            await context.files.forget_artifacts([stored.file])
            context.bell.ring()
    raise NotFound(NO_CHECKPOINT)


async def _row(context: Context, holder: Holder, study: str, number: int) -> int:
    if holder.role == "worker":
        row = await is_held(context.db, study, number, holder.token_id)
        row = row or await is_claimed(context.db, study, number, holder.token_id)
        if row is None:
            raise NotFound(NO_STUDY)
        return row
    key = await find(context, holder, study)
    found = await find_trial(context.db, key.id, number)
    if found is None:
        raise NotFound(NO_TRIAL)
    return found[0]
