"""A history that is kept is the one that would be read anew, whatever happened since and in whatever order."""

import asyncio
import random
from contextlib import asynccontextmanager

from sqlalchemy import text

from service.store.database import Database
from service.store.histories import Histories
from tests.service.calls import expire, finish, lease, report, submit

HALVING = {"name": "asha", "min_resource": 1, "max_resource": 4, "reduction_factor": 2, "promote": True}
ID = text("select id from studies where name = 'study'")
END = text("""
    with ended as (
        update trials set state = 'complete', value = 0.5, score = 0.5, finish_seq = nextval('finish_order')
        where study_id = :study_id and number = :number returning study_id, number, state
    )
    insert into events (study_id, kind, number, state) select study_id, 'trial', number, state from ended
""")


class Counting(Database):
    """The database, counting the rows that it gives."""

    rows = 0

    async def run(self, statement, parameters=None):
        found = await super().run(statement, parameters)
        self.rows += len(found)
        return found


def reading(serve, check, **changes):
    """Run a check on a study of a hundred trials, with a database to read it from."""

    async def run():
        async with serve() as client:
            await submit(client, budget={"n_trials": 100}, sampler={"name": "random"}, **changes)
            db = Counting(client.app.state.context.db._dsn)
            try:
                await check(client, db, (await db.run(ID))[0]["id"])
            finally:
                await db.close()

    asyncio.run(run())


async def fresh(db, study):
    return await Histories().known(db, study)


async def finished(client, count):
    for _ in range(count):
        await finish(client, await lease(client), value=1.0)


def numbers(known):
    return [one.number for one in known.history.finished], [one.number for one in known.history.pending]


@asynccontextmanager
async def ending(db, study, number):
    """A result that has its place in the order, and is committed at the end only."""
    async with db.begin() as transaction:
        await transaction.run(END, {"study_id": study, "number": number})
        yield


def test_kept_history_follows_pauses_promotions_losses_and_cancellations(serve):
    async def check(client, db, study):
        chance, histories, held = random.Random(5), Histories(), []
        for _ in range(45):
            if not held or chance.random() < 0.4:
                held.append(await lease(client, can_pause=True))
            else:
                one = held.pop(chance.randrange(len(held)))
                decision = (await report(client, one, chance.random(), first=one["attempt"] - 1)).json().get("decision")
                if chance.random() < 0.15:
                    await client.post(f"/api/v1/studies/study/trials/{one['number']}/cancel")
                elif decision == "pause":
                    await finish(client, one, state="paused")
                elif chance.random() < 0.3:
                    await finish(client, one, state="failed", error="planned")
                else:
                    await finish(client, one, value=chance.random())
            if chance.random() < 0.05:
                await expire(client)
            assert await histories.known(db, study) == await fresh(db, study)
        known = await fresh(db, study)
        assert {one.state for one in known.history.finished} == {"complete", "pruned"}

    reading(serve, check, pruner=HALVING)


def test_result_that_commits_after_a_later_one_is_not_missed(serve):
    async def check(client, db, study):
        histories = Histories()
        for _ in range(2):
            await lease(client)
        await histories.known(db, study)
        async with ending(db, study, 0):
            async with ending(db, study, 1):
                pass
            assert numbers(await histories.known(db, study)) == ([1], [0])
            assert numbers(await histories.known(db, study)) == ([1], [0])
        assert numbers(await histories.known(db, study)) == ([0, 1], [])

    reading(serve, check)


def test_result_of_a_transaction_that_began_before_many_looks_is_not_missed(serve):
    async def check(client, db, study):
        histories = Histories()
        await lease(client)
        async with db.begin() as transaction:
            await transaction.run(text("select pg_current_xact_id()"))
            await finished(client, 3)
            await histories.known(db, study)
            await histories.known(db, study)
            await transaction.run(END, {"study_id": study, "number": 0})
        assert numbers(await histories.known(db, study)) == ([1, 2, 3, 0], [])

    reading(serve, check)


def test_look_after_one_more_result_reads_that_one(serve):
    async def check(client, db, study):
        histories = Histories()
        await finished(client, 30)
        await histories.known(db, study)
        await finished(client, 1)
        db.rows = 0
        assert len((await histories.known(db, study)).history.finished) == 31
        assert db.rows < 10

    reading(serve, check)


def test_history_is_read_whole_where_events_do_not_tell_all_that_happened(serve):
    async def check(client, db, study):
        kept, few = Histories(), Histories(changes=10)
        for histories in (kept, few):
            await histories.known(db, study)
        await finished(client, 10)
        assert len((await few.known(db, study)).history.finished) == 10
        await db.run(text("delete from events"))
        assert len((await kept.known(db, study)).history.finished) == 10

    reading(serve, check)


def test_study_of_the_same_name_begins_anew_and_a_deleted_one_is_unknown(serve):
    async def check(client, db, study):
        histories = Histories()
        await finished(client, 2)
        await histories.known(db, study)
        await client.delete("/api/v1/studies/study")
        assert await histories.known(db, study) is None
        await submit(client)
        assert numbers(await histories.known(db, (await db.run(ID))[0]["id"])) == ([], [])

    reading(serve, check)


def test_histories_that_were_not_read_for_longest_are_forgotten(serve):
    async def check(client, db, study):
        await submit(client, name="other")
        other = (await db.run(text("select id from studies where name = 'other'")))[0]["id"]
        await finished(client, 20)
        for histories, keeps in ((Histories(studies=1), 0), (Histories(trials=19), 0), (Histories(), 20)):
            await histories.known(db, study)
            await histories.known(db, other)
            assert sum(len(one.results) for one in histories._kept.values()) == keeps
            assert len((await histories.known(db, study)).history.finished) == 20

    reading(serve, check)
