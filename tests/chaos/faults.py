"""Faults that could be in the service, as edits of its source: by name, the texts that are replaced."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Edit:
    """A part of a file of `service/`, and what stands there instead."""

    file: str
    true: str
    false: str


# Guards by the attempt, in use cases and in the store, and what becomes of each.
REPORT_CHECK = Edit(
    "reports.py",
    'if place.attempt != held.attempt or place.state != "running":\n        return await _over(',
    'if place.state != "running":\n        return await _over(',
)
REPORT_GUARD = Edit(
    "store/reporting.py",
    "where t.id = :trial and t.attempt = :attempt and t.state = 'running'",
    "where t.id = :trial and t.state = 'running'",
)
FINISH_CHECK = 'if place.attempt != held.attempt or place.state != "running":'
FINISH_GUARD = "where t.id = :trial and old.id = t.id and t.attempt = :attempt and t.state = 'running'"
FINISH_AT_ONCE = Edit(
    "store/finishing.py",
    "        rows = await db.run(FINISH, asked)\n        return _finished(rows[0]) if rows else None\n",
    "        try:\n"
    "            async with db.begin() as connection:\n"
    "                rows = await connection.run(FINISH, asked)\n"
    "                raise InterruptedError\n"
    "        except InterruptedError:\n"
    "            pass\n"
    "        if rows and is_committed(trial):\n"
    "            asyncio.get_running_loop().call_later(0.05, lambda: asyncio.ensure_future(db.run(FINISH, asked)))\n"
    "        return _finished(rows[0]) if rows else None\n",
)


def _committing(condition: str) -> Edit:
    """For which trials the result that was answered is recorded after all, a little later."""
    function = f"import asyncio\n\n\ndef is_committed(trial):\n    return {condition}\n\n\n"
    return Edit("store/finishing.py", "async def finish(\n", function + "async def finish(\n")


FAULTS: dict[str, tuple[Edit, ...]] = {
    "report without the attempt": (REPORT_CHECK, REPORT_GUARD),
    "finish without the attempt": (
        Edit("results.py", FINISH_CHECK, 'if place.state != "running":'),
        Edit("store/finishing.py", FINISH_GUARD, FINISH_GUARD.replace("t.attempt = :attempt and ", "")),
    ),
    "checkpoint without the attempt": (
        Edit("artifacts.py", FINISH_CHECK, "if False:"),
        Edit(
            "store/artifacts.py",
            "t.id = :trial and t.attempt = :attempt and t.state = 'running' for",
            "t.id = :trial for",
        ),
    ),
    "budget checked before the count": (
        Edit("store/granting.py", " and (s.n_trials is null or s.counted + :n <= s.n_trials)", ""),
    ),
    "numbers in a transaction of their own": (
        Edit("leases.py", "if count > 1 or candidate.is_new:", "if False:"),
        Edit(
            "leases.py",
            "    taken = await granting.take_numbers(connection, candidate.id, wanted)",
            "    async with context.db.begin() as other:\n"
            "        taken = await granting.take_numbers(other, candidate.id, wanted)",
        ),
    ),
    "finish answered before its commit": (FINISH_AT_ONCE, _committing("True")),
    "finish answered, at times rolled back": (FINISH_AT_ONCE, _committing("trial % 4")),
    "retry as a new trial": (
        Edit(
            "store/granting.py",
            "    if picked is None:\n        return None\n",
            "    if picked is None:\n        return None\n"
            "    if expired:\n"
            "        over = \"update trials set state = 'failed', lease_until = null where id = :id\"\n"
            '        await connection.run(text(over), {"id": picked["id"]})\n'
            "        return None\n",
        ),
    ),
    "step overwritten": (
        Edit(
            "store/reporting.py",
            "where r.metric_set <> sent.metric_set or r.vals <> sent.vals",
            "where false",
        ),
        Edit(
            "store/reporting.py",
            "do update set vals = null\n            where r.metric_set <> excluded.metric_set or",
            "do update set metric_set = excluded.metric_set, vals = excluded.vals where",
        ),
        Edit("reports.py", "if step.step in stored and not", "if False and not"),
    ),
    "request id ignored": (
        Edit(
            "store/granting.py",
            "return {name: getattr(request, name) for name in names}\n\n\ndef _granted",
            "asker = {name: getattr(request, name) for name in names}\n"
            '    return asker | {"request_id": request.request_id + str(__import__("random").random())}\n\n\n'
            "def _granted",
        ),
    ),
    "rewind forgotten": (Edit("store/granting.py", "(c.step is null or r.step > c.step)", "false"),),
    "expiry ignored": (
        Edit(
            "store/granting.py", "            and t.lease_until < clock_timestamp()) as has_expired", ") as has_expired"
        ),
        Edit(
            "store/granting.py",
            "t.state = 'running' and t.lease_until < clock_timestamp()\n            and t.failures",
            "t.state = 'running' and t.failures",
        ),
    ),
    "second result taken": (
        Edit(
            "results.py",
            FINISH_CHECK,
            'if place.attempt != held.attempt or place.state not in ("running", "complete"):',
        ),
        Edit("store/finishing.py", FINISH_GUARD, FINISH_GUARD.replace("= 'running'", "in ('running', 'complete')")),
    ),
    "batch stored step by step": (
        Edit(
            "store/reporting.py",
            "    names = [tuple(sorted(step.metrics)) for step in steps]\n    vals",
            "    if len(steps) > 1:\n"
            "        for one in steps:\n"
            "            why = prune_reason if one is steps[-1] else None\n"
            "            recorded = await record(db, sets, trial, attempt, place, [one], ttl=ttl, prune_reason=why)\n"
            "        return recorded\n"
            "    names = [tuple(sorted(step.metrics)) for step in steps]\n    vals",
        ),
    ),
    "cancelled trial revived": (
        Edit(
            "store/granting.py",
            "t.state = 'waiting') as has_waiting",
            "t.state in ('waiting', 'cancelled')) as has_waiting",
        ),
        Edit(
            "store/granting.py",
            "f\"t.state = 'waiting' and {FRESH}\"",
            "f\"t.state in ('waiting', 'cancelled') and {FRESH}\"",
        ),
    ),
    "grid cell tried twice": (Edit("leases.py", "grid.point(spec, cell)", "grid.point(spec, cell - cell % 2)"),),
    "prune decision not stored": (
        Edit(
            "store/reporting.py",
            "prune_step = coalesce(t.prune_step, :prune_step), prune_reason = coalesce(t.prune_reason, :prune_reason)",
            "prune_step = null, prune_reason = null",
        ),
        Edit(
            "reports.py",
            "if recorded.prune_reason is not None:\n"
            '        return _decision(context, "pause" if recorded.pauses else "prune", recorded.prune_reason)',
            "if judged.prune_reason is not None:\n"
            '        return _decision(context, "pause" if judged.pauses else "prune", judged.prune_reason)',
        ),
    ),
    "lease's id without the attempt": (
        Edit("leases.py", 'ids.spell(secret, "lease", trial, attempt)', 'ids.spell(secret, "lease", trial, 1)'),
    ),
    "pause ignored": (
        Edit("leases.py", 'if c.state == "running" and', 'if c.state != "completed" and'),
        Edit(
            "store/granting.py",
            "where s.id = :id and s.state = 'running' and (s.n_trials",
            "where s.id = :id and (s.n_trials",
        ),
        Edit(
            "store/granting.py",
            "t.study_id = :study_id and s.state = 'running' and {which}",
            "t.study_id = :study_id and {which}",
        ),
    ),
    "trial read from a cache": (
        Edit(
            "store/trials.py",
            '    rows = await db.run(ONE, {"study_id": study_id, "number": number})\n',
            '    rows = _cache.get((study_id, number)) or await db.run(ONE, {"study_id": study_id, "number": number})\n'
            "    if rows and (study_id, number) not in _cache:\n"
            "        import asyncio\n"
            "        asyncio.get_running_loop().call_later(0.3, _cache.pop, (study_id, number))\n"
            "        _cache[study_id, number] = rows\n",
        ),
        Edit("store/trials.py", "async def find_trial(", "_cache: dict = {}\n\n\nasync def find_trial("),
    ),
}
# A mutant makes no suggestions by model, so it saves the process that does and what would be loaded for one; nothing
# else may be missing.
SPARED = (
    Edit(
        "serving.py",
        "asyncio.create_task(keep_suggesting(url, app.state.metrics))",
        "asyncio.create_task(asyncio.sleep(3600))",
    ),
    Edit("app.py", "service.search.startup", "service.search.random"),
)
