"""What is kept: files of the best trials where a study says so, checkpoints that a trial may need, rows in use."""

import asyncio

from sqlalchemy import text

from service.retention import drop_checkpoints, keep_best
from service.store.keeping import forget_old_rows
from tests.service.calls import expire, finish, lease, report, submit
from tests.service.test_evaluations import OBJECTIVE, RATE, ask
from tests.service.test_files import files, put

TRIALS = "/api/v1/studies/study/trials"


async def trained(client, value, state="complete", *, study="study", trainer="external"):
    """A trial that keeps a model and what it printed, and its number."""
    one = await lease(client, study, trainers=[trainer])
    for name in ("model.safetensors", "output.txt"):
        assert (await put(client, one, f"{name} {value}".encode(), name=name)).status_code == 200
    body = {"state": state, "retry": False} if state == "failed" else {"state": state, "value": value}
    assert (await finish(client, one, **body)).status_code == 200
    return one["number"]


async def keepers(client):
    """The trials that still keep a model."""
    kept = []
    for trial in (await client.get(TRIALS)).json()["items"]:
        named = (await client.get(f"{TRIALS}/{trial['number']}/artifacts")).json()["items"]
        assert (await client.get(f"{TRIALS}/{trial['number']}/artifacts/output.txt")).status_code == 200
        kept += [trial["number"] for one in named if one["name"] != "output.txt" and one["removed_at"] is None]
    return kept


def test_files_of_the_best_trials_alone_are_kept_where_the_study_says_so(serve, tmp_path):
    async def check():
        async with serve() as client:
            await submit(client, artifacts={"keep_best": 2}, budget={"n_trials": 20})
            for value, state in ((0.5, "complete"), (0.1, "pruned"), ("nan", "complete"), (0.7, "failed")):
                await trained(client, value, state)
            await keep_best(client.app.state.context)
            assert await keepers(client) == [0], "so far only one is complete with a value"
            for value in (0.3, 0.5, 0.4):
                await trained(client, value)
            await keep_best(client.app.state.context)
            assert await keepers(client) == [4, 6]
            assert len(files(tmp_path)) == 2 + 7

    asyncio.run(check())


def test_of_equal_trials_the_first_is_kept_as_the_best_is_chosen(serve):
    async def check():
        async with serve() as client:
            await submit(client, artifacts={"keep_best": 1})
            for _ in range(3):
                await trained(client, 0.5)
            await keep_best(client.app.state.context)
            assert await keepers(client) == [0]

    asyncio.run(check())


def test_removed_file_is_said_to_be_removed(serve):
    async def check():
        async with serve() as client:
            await submit(client, artifacts={"keep_best": 1})
            for value in (0.5, 0.25):
                await trained(client, value)
            await keep_best(client.app.state.context)
            gone = await client.get(f"{TRIALS}/0/artifacts/model.safetensors")
            assert (gone.status_code, gone.json()["code"]) == (404, "removed")
            assert "keep_best" in gone.json()["detail"]
            page = (await client.get("/studies/study/trials/0")).text
            assert "<s>model.safetensors</s>" in page
            assert 'data-file="model.safetensors"' not in page

    asyncio.run(check())


def test_studies_keep_all_files_unless_they_say_otherwise(serve):
    async def check():
        async with serve() as client:
            await submit(client)
            for value in (0.5, 0.25, 0.75):
                await trained(client, value)
            await keep_best(client.app.state.context)
            assert await keepers(client) == [0, 1, 2]

    asyncio.run(check())


def test_what_an_evaluation_needs_is_kept(serve):
    async def check():
        async with serve() as client:
            body = {"objective": OBJECTIVE, "space": RATE, "budget": {"n_trials": 2}, "artifacts": {"keep_best": 1}}
            await submit(client, **body)
            for value in (0.5, 0.25):
                await trained(client, value, trainer="mlp")
            # A better trial after the evaluation was asked for: only a reopened study has such.
            assert (await client.patch("/api/v1/studies/study", json={"budget": {"n_trials": 4}})).status_code == 200
            await trained(client, 0.125, trainer="mlp")
            await keep_best(client.app.state.context)
            assert await keepers(client) == [1, 2]
            await trained(client, 0.75, trainer="mlp")
            evaluation = (await ask(client, "e"))["evaluation"]
            assert evaluation["number"] == 2
            await keep_best(client.app.state.context)
            assert await keepers(client) == [2]

    asyncio.run(check())


def test_checkpoints_go_with_the_end_of_their_trial_and_not_before(serve, tmp_path):
    async def check():
        async with serve() as client:
            context = client.app.state.context
            await submit(client)
            one = await lease(client)
            await report(client, one, 2.0, 1.0)
            for step in (0, 1):
                await put(client, one, b"state %d" % step, step=step)
            await drop_checkpoints(context)
            await expire(client)
            await drop_checkpoints(context)
            again = await lease(client)
            assert again["resume_step"] == 1
            assert (await client.post(f"/api/v1/leases/{again['lease']}/release")).status_code == 200
            await drop_checkpoints(context)
            assert len(files(tmp_path)) == 2
            await finish(client, await lease(client), value=1.0)
            await drop_checkpoints(context)
            assert files(tmp_path) == []
            answer = await client.get(f"{TRIALS}/0/artifacts/checkpoint")
            assert (answer.status_code, "is over" in answer.json()["detail"]) == (404, True)

    asyncio.run(check())


ROWS = (
    "insert into workers (name, trainers, last_seen) values ('gone', '{}', now() - interval '31 days')",
    "insert into workers (name, trainers, last_seen) values ('away', '{}', now() - interval '29 days')",
    """insert into answers (token_id, key, digest, body, created_at) values
        ('t', 'old', '', '', now() - interval '8 days')""",
    "insert into answers (token_id, key, digest, body) values ('t', 'new', '', '')",
    """insert into tokens (id, hash, role, owner, revoked_at, expires_at) values
        ('long', '', 'worker', 'a', now() - interval '91 days', null),
        ('ended', '', 'worker', 'a', null, now() - interval '91 days'),
        ('lately', '', 'worker', 'a', now() - interval '89 days', null)""",
    "insert into sessions (hash, token_id, expires_at) values ('old', 'lately', now() - interval '1 s')",
    "insert into sessions (hash, token_id, expires_at) values ('new', 'lately', now() + interval '1 h')",
    "insert into login_links (hash, token_id, expires_at) values ('old', 'lately', now() - interval '1 s')",
)
LEFT = """
    select name as it from workers union select key from answers union select id from tokens
    union select convert_from(hash, 'utf8') from sessions union select convert_from(hash, 'utf8') from login_links
"""


def test_rows_that_nobody_needs_are_forgotten(serve):
    async def check():
        async with serve() as client:
            database = client.app.state.context.db
            for statement in ROWS:
                await database.run(text(statement))
            await forget_old_rows(database)
            assert {row["it"] for row in await database.run(text(LEFT))} == {"away", "new", "lately", "first"}

    asyncio.run(check())


def test_worker_in_the_middle_of_a_long_trial_is_not_forgotten(serve):
    async def check():
        async with serve() as client:
            database = client.app.state.context.db
            await submit(client)
            await lease(client)
            await database.run(text("update workers set last_seen = now() - interval '40 days'"))
            await forget_old_rows(database)
            assert [row["name"] for row in await database.run(text("select name from workers"))] == ["w"]

    asyncio.run(check())
