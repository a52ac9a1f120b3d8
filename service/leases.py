"""Leases: who may run which attempt of which trial, until when."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from service import evaluations, ids, pruning, search, telling
from service.context import Context
from service.search import grid
from service.store import closing, granting
from service.store.database import Transaction
from service.store.granting import Candidate, Granted, Request, RequestRepeated
from service.store.studies import study_key
from service.store.tokens import Holder
from service.store.workers import note_worker
from trialbook.errors import LeaseLost, NotFound
from trialbook.evaluation import Evaluation
from trialbook.spec import ASHAPruner, GridSampler, StudySpec
from trialbook.wire import Lease, LeaseRequest, Leases

LOOK_AGAIN = 0.7  # seconds between looks while a request waits; work made elsewhere is found within that
SOON = 0.1  # the same where a suggester is expected to make work any moment
NOTE_EVERY = 5.0  # seconds between two notes that a busy worker lives
MAX_CANDIDATES = 16


@dataclass(frozen=True)
class Held:
    """What a lease's id stands for."""

    trial: int
    attempt: int


def lease_id(secret: bytes, trial: int, attempt: int) -> str:
    """The id of an attempt's lease: the same each time, and not to be guessed."""
    return ids.spell(secret, "lease", trial, attempt)


def parse_lease(secret: bytes, lease: str) -> Held:
    """What a lease's id stands for. Raises LeaseLost for one that this service never gave."""
    known = ids.parse(secret, "lease", lease)
    if known is None:
        raise LeaseLost
    return Held(*known)


Gone = Callable[[], Awaitable[bool]]


async def acquire(context: Context, holder: Holder, body: LeaseRequest, is_gone: Gone) -> Leases:
    """Grant up to `count` trials, waiting up to `wait_seconds` for the first of them, or until the caller is gone."""
    ttl = context.settings.lease_seconds
    request = Request(holder.token_id, body.request_id, body.worker, ttl, can_pause=body.can_pause)
    clock = asyncio.get_running_loop().time
    begun = clock()
    deadline = begun + body.wait_seconds
    is_first = True
    while True:
        candidates = await granting.candidates(context.db, body.trainers, body.study, holder.only_of)
        if body.study is not None and not candidates and not await _is_there(context, holder, body.study):
            raise NotFound("There is no study of that name.")
        if granted := await _grant(context, candidates, request, body.count):
            telling.leases_granted(context.metrics, granted, body.worker)
        remaining = deadline - clock()
        is_last = remaining <= 0 or context.stopping or _is_over(body, candidates)
        # A repeated request finds its grant also where nothing is left to give; at its end once more, since the first
        # may have been under way still, on a connection that nobody listens to any more.
        if not granted and (is_first or is_last):
            granted = await granting.granted_before(context.db, request)
        is_first = False
        offer, some = None, False
        if body.evaluations and not granted:
            offer, some = await evaluations.claim(context, holder, body)
        if granted or offer or is_last:
            await _note(context, body, None, clock())
            reason = None if granted or offer else _reason(body, candidates, evaluating=some)
            context.metrics.lease_wait.labels("yes" if granted else "no").observe(clock() - begun)
            return _answer(context, granted, reason, offer)
        await _note(context, body, remaining, clock())
        soon = any(candidate.works_ahead for candidate in candidates)
        with context.load.one("polls"):
            await context.bell.wait(min(SOON if soon else LOOK_AGAIN, remaining))
        if await is_gone():
            return Leases(leases=[])


async def _is_there(context: Context, holder: Holder, study: str) -> bool:
    key = await study_key(context.db, study)
    return key is not None and holder.only_of in (None, key.owner)


def _is_over(body: LeaseRequest, candidates: list[Candidate]) -> bool:
    """Whether waiting is of no use: the named study has ended."""
    return body.study is not None and (not candidates or candidates[0].state in ("completed", "cancelled"))


def _reason(body: LeaseRequest, candidates: list[Candidate], *, evaluating: bool) -> str:
    """Why there is nothing; `evaluating`: others do the last evaluations, which this worker may have to take over."""
    if evaluating and all(one.state in ("completed", "cancelled") for one in candidates):
        return "evaluating"
    if not candidates:
        return "no-running-study"
    states = {"paused": "study-paused", "completed": "study-finished", "cancelled": "study-finished"}
    return states.get(candidates[0].state, "nothing-waiting")


async def _note(context: Context, body: LeaseRequest, polling: float | None, now: float) -> None:
    if polling is None and now - context.seen_workers.get(body.worker, -NOTE_EVERY) < NOTE_EVERY:
        return
    context.seen_workers[body.worker] = now
    await note_worker(
        context.db,
        body.worker,
        body.trainers,
        version=body.version,
        host=body.host,
        polling=None if polling is None else min(polling, 2 * LOOK_AGAIN),
        study=body.study,
    )


async def _grant(context: Context, candidates: list[Candidate], request: Request, count: int) -> list[Granted]:
    useful = [c for c in candidates if c.state == "running" and (c.has_waiting or c.has_expired or c.may_make)]
    for candidate in useful[:MAX_CANDIDATES]:
        try:
            async with context.db.begin() as connection:
                if granted := await _grant_from(context, connection, candidate, request, count):
                    return granted
        except RequestRepeated:
            return await granting.granted_before(context.db, request)
    return []


async def _grant_from(
    context: Context, connection: Transaction, candidate: Candidate, request: Request, count: int
) -> list[Granted]:
    granted: list[Granted] = []
    if count > 1 or candidate.is_new:  # locks the study after its trials: whoever ends a study locks it before them
        await closing.hold(connection, candidate.id)
    for possible, expired in ((candidate.has_waiting, False), (candidate.has_expired, True)):
        while possible and len(granted) < count:
            again = await granting.grant_again(connection, candidate.id, request, len(granted), expired=expired)
            if again is None:
                break
            granted.append(again)
    if candidate.may_make and len(granted) < count:
        granted += await _make(context, connection, candidate, request, len(granted), count - len(granted))
    return granted


async def _make(
    context: Context, connection: Transaction, candidate: Candidate, request: Request, ordinal: int, wanted: int
) -> list[Granted]:
    taken = await granting.take_numbers(connection, candidate.id, wanted)
    if taken is None:
        return []
    spec = context.spec_of(taken.study_id, taken.spec)
    with context.metrics.fits.labels(spec.sampler.name).time():
        made = points(spec, taken)
    context.metrics.suggested.labels(spec.sampler.name).inc(len(made))
    rows = [
        {"number": number, "cell": cell if isinstance(spec.sampler, GridSampler) else None, **point}
        for number, cell, point in zip(taken.numbers, taken.cells, made, strict=True)
    ]
    return await granting.grant_new(connection, taken, rows, request, ordinal)


def points(spec: StudySpec, taken: granting.Numbers) -> list[dict[str, Any]]:
    """The params and explanations of trials that a lease makes itself, a model's first ones among them."""
    options = spec.sampler
    if isinstance(options, GridSampler):
        return [
            {"params": grid.point(spec, cell), "explanation": {"sampler": "grid", "mode": "cell", "cell": cell}}
            for cell in taken.cells
        ]
    if options.name in search.MODEL_BASED:
        suggested = [search.first_point(spec.space, options, number) for number in taken.numbers]
    else:
        suggested = search.build(spec.space, options).suggest(search.History(), taken.numbers)
    return [{"params": s.params, "explanation": s.explanation} for s in suggested]


def _answer(context: Context, granted: list[Granted], reason: str | None, offer: Evaluation | None) -> Leases:
    return Leases(
        leases=[describe(context, one) for one in granted],
        reason=reason,
        retry_after_seconds=None if granted or offer else 1.0,
        evaluation=offer,
    )


def describe(context: Context, granted: Granted) -> Lease:
    """A grant as the worker sees it."""
    spec = granted.spec
    return Lease(
        lease=lease_id(context.secret, granted.trial_id, granted.attempt),
        study=granted.study,
        number=granted.number,
        attempt=granted.attempt,
        params=granted.params,
        objective=spec["objective"],
        early_stopping=spec["early_stopping"],
        seed=(spec["sampler"].get("seed", 0) * 1_000_003 + granted.number) % 2**31,
        ttl_seconds=context.settings.lease_seconds,
        resume_step=granted.resume_step,
        direction=spec["objective"]["direction"] or "minimize",
        data=granted.data,
        timeout=spec["trial"]["timeout"],
        seeds=spec["trial"]["seeds"],
        folds=spec["trial"]["folds"],
        rungs=_rungs(spec["pruner"]) if granted.can_pause else None,
    )


def _rungs(pruner: dict[str, Any]) -> tuple[int, ...] | None:
    return pruning.rungs_of(ASHAPruner.model_validate(pruner)) if pruner.get("promote") else None
