"""Files of trials: checkpoints, outputs, whatever a trainer keeps."""

from collections.abc import AsyncIterator

from fastapi.responses import FileResponse

from service.context import Context
from service.leases import parse_lease
from service.store import artifacts as store
from service.store import reporting
from service.store.evaluating import is_claimed
from service.store.tokens import Holder
from service.store.trials import find_trial, is_held
from service.studies import NO_STUDY, find
from service.trials import NO_TRIAL
from trialbook.errors import CheckpointAhead, FieldError, Invalid, LeaseLost, NotFound
from trialbook.values import FORBIDDEN_TEXT
from trialbook.wire import Artifact

LIMIT = 2 * 1024**3  # bytes of one file
CHECKPOINT = "checkpoint"


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
        raise NotFound("The trial was deleted.")
    if place.attempt != held.attempt or place.state != "running":
        raise LeaseLost
    if name == CHECKPOINT and (place.last_step is None or (step or 0) > place.last_step):
        raise CheckpointAhead
    upload = await context.files.receive(chunks, LIMIT, sha256)
    file = context.files.keep_artifact(upload)
    described = {"name": name, "step": step, "size": upload.size, "sha256": upload.sha256, "media_type": kind}
    put = await store.put_artifact(context.db, held.trial, held.attempt, file, described)
    context.files.forget_artifact(put.unneeded)
    if put.artifact is None:
        raise LeaseLost
    return put.artifact


async def list_all(context: Context, holder: Holder, study: str, number: int) -> list[Artifact]:
    """The files of a trial."""
    key = await find(context, holder, study)
    found = await find_trial(context.db, key.id, number)
    if found is None:
        raise NotFound(NO_TRIAL)
    return await store.list_artifacts(context.db, found[0])


async def send(context: Context, holder: Holder, study: str, number: int, name: str) -> FileResponse:
    """One file, as an attachment. A worker gets only what belongs to a trial that it runs or evaluates."""
    _check_name(name)
    row = await _row(context, holder, study, number)
    stored = await store.find_artifact(context.db, row, name)
    if stored is None or not context.files.artifact(stored.file).exists():
        raise NotFound("There is no artifact of that name.")
    headers = {"etag": f'"{stored.artifact.sha256}"', "x-content-type-options": "nosniff"}
    return FileResponse(
        context.files.artifact(stored.file),
        media_type="application/octet-stream",
        filename=name,
        content_disposition_type="attachment",
        headers=headers,
    )


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
