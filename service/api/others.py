"""Trainers, workers, data sets and tokens over HTTP."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse

from service import auth, catalogue, datasets, examples
from service.api.bodies import Ctx, JSONRoute, chunks, media_type
from service.api.description import ANY_FILE, contents, sent_file
from service.auth import Admin, Anybody, Reader, Submitter
from service.store.tokens import list_tokens as all_tokens
from service.store.workers import list_workers as all_workers
from trialbook.errors import UnsupportedMediaType
from trialbook.wire import CreatedToken, Dataset, Examples, NewToken, Page, Token, Worker

router = APIRouter(route_class=JSONRoute)


@router.get("/trainers", operation_id="listTrainers", tags=["trainers"])
async def list_trainers(holder: Anybody) -> Page[dict[str, Any]]:
    """The book's trainers: parameters, metrics, and a spec to begin with."""
    return Page(items=catalogue.list_trainers())


@router.get("/workers", operation_id="listWorkers", tags=["workers"])
async def list_workers(context: Ctx, holder: Reader) -> Page[Worker]:
    """The workers as last heard of."""
    owner = None if holder.role == "admin" else holder.owner
    return Page(items=await all_workers(context.db, lease_seconds=context.settings.lease_seconds, owner=owner))


@router.get("/datasets", operation_id="listDatasets", tags=["datasets"])
async def list_datasets(context: Ctx, holder: Anybody) -> Page[Dataset]:
    """The users' data sets and the built-in ones."""
    return Page(items=await datasets.list_all(context))


@router.put(
    "/datasets/{name}", operation_id="putDataset", tags=["datasets"], openapi_extra=sent_file(*datasets.SUFFIXES)
)
async def put_dataset(
    name: str,
    request: Request,
    context: Ctx,
    holder: Submitter,
    target: Annotated[str | None, Query(min_length=1, max_length=200)] = None,
    task: str | None = None,
) -> Dataset:
    """Upload a table (CSV or Parquet; `target` names the column to learn), images or sequences (NPZ with the arrays
    `x`, `y` and, for sequences that differ in it, `lengths`), or running text.

    x is (N, F), (N, T, F) for sequences or (N, C, H, W) for images; y is (N,), or (N, T) for a class at each step
    (-1: none is asked). Without `task`, fractions, or a column of many different whole numbers, are for regression,
    any other target for classification; text is for a language model.
    """
    kind = media_type(request)
    if kind not in datasets.SUFFIXES:
        raise UnsupportedMediaType(f"Send the file as one of {', '.join(datasets.SUFFIXES)}.")
    return await datasets.put(context, holder, name, chunks(request), kind, target, task)


@router.get(
    "/datasets/{name}",
    operation_id="getDataset",
    tags=["datasets"],
    response_class=FileResponse,
    responses=contents(*datasets.SUFFIXES, ANY_FILE, text=False),
)
async def get_dataset(
    name: str,
    context: Ctx,
    holder: Anybody,
    sha256: Annotated[str | None, Query(pattern="^[0-9a-f]{64}$")] = None,
) -> Response:
    """Download a set; with `sha256` the version that a study pinned."""
    return await datasets.send(context, name, sha256)


@router.get("/datasets/{name}/rows", operation_id="getExamples", tags=["datasets"])
async def get_examples(
    name: str, context: Ctx, holder: Anybody, limit: Annotated[int, Query(ge=1, le=examples.MOST)] = 20
) -> Examples:
    """The first examples of a set, to look at: cells, pictures, steps or texts, beside what is to be learned of each.

    No more of a file is read than that takes. `note` says what of it is not shown, or why nothing is.
    """
    return await examples.first(context, name, limit)


@router.delete("/datasets/{name}", status_code=204, operation_id="deleteDataset", tags=["datasets"])
async def delete_dataset(name: str, context: Ctx, holder: Submitter) -> None:
    """Delete a set; studies that use it keep its bytes."""
    await datasets.delete(context, holder, name)


@router.post("/tokens", operation_id="createToken", tags=["tokens"])
async def create_token(body: NewToken, context: Ctx, holder: Admin) -> CreatedToken:
    """Make a token; its secret is shown this once."""
    return await auth.create_token(context, holder, body)


@router.get("/tokens", operation_id="listTokens", tags=["tokens"])
async def list_tokens(context: Ctx, holder: Admin) -> Page[Token]:
    """All tokens, without their secrets."""
    return Page(items=list(await all_tokens(context.db)))


@router.delete("/tokens/{id}", status_code=204, operation_id="revokeToken", tags=["tokens"])
async def revoke_token(id: str, context: Ctx, holder: Admin) -> None:
    """Revoke a token."""
    await auth.revoke(context, id)
