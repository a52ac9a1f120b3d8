"""What survives kills: acknowledged writes, exact budgets, a quick return, an outage of the database."""

import asyncio
import random
import signal
import time

import asyncpg

from tests.promises.figure import Figure
from tests.promises.stage import Crowd, poll, stage, study
from trialbook.wire import Report

STORED = """
    select 'report' as kind, s.name, t.number, r.step, r.vals[1] as value
        from reports r join trials t on t.id = r.trial_id join studies s on s.id = t.study_id
    union all
    select 'finish', s.name, t.number, null, t.value
        from trials t join studies s on s.id = t.study_id where t.state = 'complete'
"""


async def _strike(place, until, kills, seconds, chance, every=4):
    """Kill -9 the server again and again, each time in the middle of work, and each `every`th time its PostgreSQL."""
    begun, done, database = time.monotonic(), 0, 0
    while done < kills and time.monotonic() - begun < seconds:
        await asyncio.sleep(0.2 + 0.6 * chance.random())
        if done % every == every - 1:
            place.kill_postgres()
            database += 1
        await asyncio.to_thread(place.server.kill)
        await asyncio.to_thread(place.server.start)
        done += 1
    until.set()
    return done, database


def acknowledged_writes(kills=200, seconds=540.0, clients=16):
    """P1: kill -9 at any instant under load loses nothing that was answered 2xx."""

    async def measure(place):
        crowd, until = Crowd([place.server]), asyncio.Event()
        await crowd.submit(study("p1"))
        async with asyncio.TaskGroup() as group:
            for n in range(clients):
                group.create_task(crowd.work("p1", f"client-{n}", until=until))
            killed, database = await _strike(place, until, kills, seconds, random.Random(1))
        await crowd.close()
        stored = {tuple(row) for row in await place.fetch(STORED)}
        again = await place.fetch("select count(*) as n from trials where attempt > 1")
        lost = [one for one in crowd.acknowledged if one not in stored]
        assert not crowd.refused, crowd.refused[:3]
        return killed, database, len(crowd.acknowledged), len(lost), again[0]["n"]

    with stage() as place:
        killed, database, writes, lost, again = asyncio.run(measure(place))
    done = f"{killed} kills -9 of the server, {database} of PostgreSQL too, {clients} clients, {writes} answered writes"
    return Figure("P1", done, f"{lost} lost, {again} trials run again", "0 lost", lost == 0 and killed > 0)


CELLS = 200
MADE = "select s.name, count(t.id) as made from studies s left join trials t on t.study_id = s.id group by s.name"
COMPLETE = """
    select s.name, t.number, t.cell from trials t join studies s on s.id = t.study_id
    where t.state = 'complete' order by t.number
"""


def exact_budgets(kills=12, n_trials=500, clients=32):
    """P5: exactly n trials and each grid cell once, 32 clients under kills, a part of the trials failing."""
    grid = {
        "sampler": {"name": "grid"},
        "space": {"a": {"type": "int", "low": 1, "high": 20}, "b": {"type": "int", "low": 1, "high": 10}},
    }

    async def measure(place):
        crowd, until = Crowd([place.server]), asyncio.Event()
        await crowd.submit(study("exact", budget={"n_trials": n_trials}))
        await crowd.submit({**study("cells"), **grid, "trial": {"max_attempts": 50}})
        over = 0

        async def watch():
            nonlocal over
            while not until.is_set():
                try:
                    made = {row["name"]: row["made"] for row in await place.fetch(MADE)}
                    over = max(over, made["exact"] - n_trials, made["cells"] - CELLS)
                except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                    pass  # killed just now, or not up again
                await asyncio.sleep(0.05)

        async def work():
            names = ["exact", "cells"]
            await asyncio.gather(
                *[crowd.work(names[n % 2], f"client-{n}", fails=0.1 * (n % 2)) for n in range(clients)]
            )

        strike = asyncio.create_task(_strike(place, asyncio.Event(), kills, 120.0, random.Random(5), every=6))
        looking = asyncio.create_task(watch())
        await work()
        killed, _ = await strike
        until.set()
        await looking
        await crowd.close()
        complete = await place.fetch(COMPLETE)
        numbers = [row["number"] for row in complete if row["name"] == "exact"]
        cells = [row["cell"] for row in complete if row["name"] == "cells"]
        return killed, over, numbers, cells

    with stage() as place:
        killed, over, numbers, cells = asyncio.run(measure(place))
    missing = len(set(range(n_trials)) - set(numbers)) + len(set(range(CELLS)) - set(cells))
    doubled = len(numbers) + len(cells) - len(set(numbers)) - len(set(cells))
    done = f"{clients} clients, {killed} kills -9, a budget of {n_trials}, a grid of {CELLS} cells with 10 % failing"
    measured = f"{max(over, 0)} over, {missing} missing, {doubled} twice"
    return Figure("P5", done, measured, "0 over, 0 missing", max(over, 0) == missing == doubled == 0)


FILL = """
    insert into trials (study_id, number, state, source, params, attempt, worker, value, score, finish_seq, started_at,
            finished_at, last_step)
        select $1, n, 'complete', 'sampler', '{"x": 0.5}', 1, 'w', 0.5, 0.5, nextval('finish_order'), now(), now(), 99
        from generate_series(0, 9999) n
"""
REPORTS = """
    insert into reports (trial_id, step, attempt, metric_set, vals, score, study_id)
        select t.id, s, 1, (select id from metric_sets limit 1), array[0.5], 0.5, t.study_id
        from trials t, generate_series(0, 99) s where t.study_id = $1
"""


def ready_again(kills=5):
    """P10: ready after kill -9, with 10,000 trials and 1,000,000 reports, of the server alone and of PostgreSQL too."""

    async def fill(place):
        connection = await place.connect()
        key = await connection.fetchval("select id from studies")
        await connection.execute(FILL, key)
        await connection.execute(REPORTS, key)
        await connection.execute("update studies set made = 10000, counted = 10000 where id = $1", key)
        await connection.execute("analyze")
        counted = await connection.fetchval("select count(*) from reports")
        await connection.close()
        return counted

    with stage() as place:
        place.server.client.create_study(study("filled"))
        [lease] = place.server.client.acquire_leases("w", ["external"]).leases
        place.server.client.report(
            lease.lease, [Report(step=0, metrics={"loss": 0.5})]
        )  # so that its metric has a number
        asyncio.run(place.fetch("delete from trials"))
        reports = asyncio.run(fill(place))
        alone, both = [], []
        for turn in range(2 * kills):
            if turn % 2:
                place.kill_postgres()
            place.server.kill()
            begun = time.monotonic()
            place.server.start()
            assert place.server.client.get_study("filled").counts["complete"] == 10_000
            (both if turn % 2 else alone).append(time.monotonic() - begun)
    measured = f"ready within {max(alone):.1f} s, {max(both):.1f} s where PostgreSQL was killed too"
    done = f"kill -9 with 10,000 trials and {reports:,} reports, {kills} times each"
    return Figure("P10", done, measured, "3 s", max(alone) <= 3)


def hanging_database(seconds=20.0, clients=24):
    """PostgreSQL hangs (SIGSTOP): clients are told 503, the process stays healthy, and all goes on after it."""

    async def measure(place):
        crowd, until, statuses = Crowd([place.server]), asyncio.Event(), {}
        await crowd.submit(study("hung"))
        async with asyncio.TaskGroup() as group:
            for n in range(clients):
                group.create_task(crowd.work("hung", f"client-{n}", until=until))
            await asyncio.sleep(2)
            place.signal_postgres(signal.SIGSTOP)
            begun = time.monotonic()
            while time.monotonic() - begun < seconds:
                for path in ("healthz", "readyz"):
                    answer = await crowd._http[0].get(f"{place.server.url}/{path}")
                    statuses.setdefault(path, set()).add(answer.status_code)
                await asyncio.sleep(0.5)
            place.signal_postgres(signal.SIGCONT)
            before = len(crowd.acknowledged)

            async def more():
                return len(crowd.acknowledged) > before

            _, healed = await poll(more, 60)
            until.set()
        await crowd.close()
        stored = {tuple(row) for row in await place.fetch(STORED)}
        lost = [one for one in crowd.acknowledged if one not in stored]
        return statuses, healed, crowd, len(lost)

    with stage() as place:
        statuses, healed, crowd, lost = asyncio.run(measure(place))
    measured = (
        f"healthz {sorted(statuses['healthz'])}, readyz {sorted(statuses['readyz'])}, "
        f"{crowd.come_back} answers of 503, {len(crowd.refused)} of another error, "
        f"writes again {healed:.1f} s after it woke, {lost} lost"
    )
    passed = statuses["healthz"] == {200} and 503 in statuses["readyz"] and not crowd.refused and not lost
    return Figure("hang", f"PostgreSQL stopped for {seconds:g} s under {clients} clients", measured, "503 only", passed)
