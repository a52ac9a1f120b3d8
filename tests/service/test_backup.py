"""Backup and restore: what was there is there again, what held only then does not, and nothing half done passes."""

import asyncio
import json
import os
import signal
import subprocess
import tarfile
import threading
from contextlib import asynccontextmanager, contextmanager
from functools import partial

import httpx
import pytest
from sqlalchemy import text

from service import auth
from service.app import create_app
from service.archive import Damaged
from service.backup import Unfinished, back_up, require_finished, restore, verify
from service.files import Files
from service.settings import Settings
from service.store.migrating import migrate, standing
from service.store.transfer import InUse, NotEmpty, clear, snapshot
from tests.end_to_end.machines import COMMANDS, Server, eventually
from tests.service.calls import finish, lease, report, spec, submit
from tests.service.test_files import files, put
from trialbook import Client

TABLE = "a,b\n" + "".join(f"{i},{i % 2}\n" for i in range(40))
AUDITED = {"name": "threshold", "lower": 0.25, "audit": 0.5}  # with seed 17 the first four trials run on
FIRST = "tb_first-0_" + "a" * 43


@contextmanager
def silent(stage, size):
    yield lambda more: None


@contextmanager
def broken_off(stage, size):
    """Ends whatever is done at its last stage, as Ctrl-C would."""
    if stage == "files":
        raise KeyboardInterrupt
    yield lambda more: None


@asynccontextmanager
async def serving(url, folder, token=FIRST):
    """The application on a database and a folder, and a client that is signed in."""
    app = create_app(Settings(data=folder), url)
    async with app.router.lifespan_context(app):
        await auth.keep_first_token(app.state.context, FIRST)
        headers = {"authorization": f"Bearer {token}"}
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as client:
            client.app = app
            yield client


async def at_work(client):
    """A study in the middle of its work: what is known of it, and the lease of the trial that runs."""
    csv = {"content-type": "text/csv"}
    assert (await client.put("/api/v1/datasets/mine?target=b", content=TABLE, headers=csv)).status_code == 200
    await submit(client, budget={"n_trials": 4}, pruner=AUDITED, sampler={"name": "random", "seed": 17})
    for value in (0.5, 0.25):
        one = await lease(client)
        await report(client, one, 1.0, "nan", value)
        await put(client, one, b"model %f" % value, name="model.bin")
        assert (await finish(client, one, value=value)).status_code == 200
    one = await lease(client)
    await report(client, one, 0.3, 0.2, 0.1)
    for step in (0, 2):
        await put(client, one, b"state %d" % step, step=step)
    return one


async def shown(client):
    trials = (await client.get("/api/v1/studies/study/trials")).json()["items"]
    return [(await client.get(f"/api/v1/studies/study/trials/{one['number']}")).json() for one in trials]


@pytest.fixture
def archive(database_url, tmp_path):
    """A backup of a study at work, the lease of the trial that ran then, and what was shown of the others."""
    path = tmp_path / "backup.tar"

    async def make():
        async with serving(database_url, tmp_path / "old") as client:
            held = await at_work(client)
            token = (await client.post("/api/v1/tokens", json={"role": "submitter", "owner": "admin"})).json()["token"]
            known = await shown(client)
            await back_up(database_url, Files(tmp_path / "old"), path, force=False, progress=silent)
        return {"path": path, "held": held, "token": token, "known": known}

    return asyncio.run(make())


@pytest.fixture
def empty(make_database):
    """The URL of another empty database."""
    return make_database()


def test_restored_service_goes_on_where_the_backup_was_taken(archive, empty, tmp_path):
    restore(empty, Files(tmp_path / "new"), archive["path"], force=False, progress=silent)

    async def check():
        async with serving(empty, tmp_path / "new", archive["token"]) as client:
            now = await shown(client)
            assert now[:2] == archive["known"][:2]
            assert now[2]["reports"] == archive["known"][2]["reports"]
            assert (now[2]["state"], now[2]["attempt"]) == ("waiting", 1)
            got = await client.get("/api/v1/studies/study/trials/0/artifacts/model.bin")
            assert got.content == b"model 0.500000"
            assert (await client.get("/api/v1/datasets/mine")).text == TABLE
            again = await lease(client)
            assert (again["number"], again["attempt"], again["resume_step"]) == (2, 2, 2)
            spared = [one["spared"] for one in await shown(client)]
            assert spared[:3] == [one["spared"] for one in archive["known"][:3]]
            assert spared[2]["step"] == 1  # the checkpoint is beyond
            got = await client.get("/api/v1/studies/study/trials/2/artifacts/checkpoint")
            assert got.content == b"state 2"
            assert (await finish(client, again, value=0.1)).json()["state"] == "complete"
            last = await lease(client)
            assert last["number"] == 3
            assert (await finish(client, last, value=0.2)).status_code == 200
            assert (await client.get("/api/v1/studies/study")).json()["state"] == "completed"
            failures = await client.app.state.context.db.run(text("select sum(failures) as n from trials"))
            assert failures[0]["n"] == 0

    asyncio.run(check())


def test_no_lease_from_before_a_restore_counts_after_it(archive, empty, database_url, tmp_path):
    """The old service grants attempts after the backup too; the restored one grants the same numbers to others."""

    async def go_on():
        async with serving(database_url, tmp_path / "old") as client:
            await client.post(f"/api/v1/leases/{archive['held']['lease']}/release")
            return await lease(client)

    after = asyncio.run(go_on())
    restore(empty, Files(tmp_path / "new"), archive["path"], force=False, progress=silent)

    async def check():
        async with serving(empty, tmp_path / "new") as client:
            again = await lease(client)
            assert (again["number"], again["attempt"]) == (after["number"], after["attempt"]) == (2, 2)
            for old in (archive["held"], after):
                refused = await finish(client, old, value=9.0)
                assert (refused.status_code, refused.json()["code"]) == (409, "lease-lost")
                assert (await put(client, old, b"stale", name="model.bin")).status_code == 409
            assert (await finish(client, again, value=0.1)).status_code == 200

    asyncio.run(check())


def test_place_in_the_events_of_before_a_restore_is_none_after_it(archive, empty, database_url, tmp_path):
    restore(empty, Files(tmp_path / "new"), archive["path"], force=False, progress=silent)

    async def first_words(url, folder, place=None):
        async with serving(url, folder) as client:
            client.app.state.context.stopping = True  # a stream ends after its first words
            headers = {"last-event-id": place} if place else {}
            return (await client.get("/api/v1/studies/study/events", headers=headers)).text

    hello = asyncio.run(first_words(database_url, tmp_path / "old"))
    place = hello.partition("id: ")[2].partition("\n")[0]
    assert "event: reset" in asyncio.run(first_words(empty, tmp_path / "new", place))


def test_flipped_byte_is_refused_by_name_and_nothing_is_touched(archive, empty, tmp_path):
    whole = archive["path"].read_bytes()
    with tarfile.open(archive["path"]) as tar:
        members = [(info.name, info.offset_data + info.size // 2) for info in tar if info.size]
    assert {name.partition("/")[0] for name, _ in members} >= {"tables", "artifacts", "datasets", "manifest.json"}
    for name, place in members:
        archive["path"].write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(Damaged, match=name if name != "manifest.sha256" else "manifest.json"):
            restore(empty, Files(tmp_path / "new"), archive["path"], force=False, progress=silent)
    assert files(tmp_path / "new") == []
    require_finished(tmp_path / "new")


def test_archive_that_is_cut_off_or_none_is_refused(archive, empty, tmp_path):
    whole = archive["path"].read_bytes()
    for part in (whole[:0], whole[:700], whole[: len(whole) // 2], whole[:-12_000], b"no tar" * 1000):
        archive["path"].write_bytes(part)
        with pytest.raises(Damaged):
            restore(empty, Files(tmp_path / "new"), archive["path"], force=False, progress=silent)


def test_member_that_no_backup_has_is_refused(archive, empty, tmp_path):
    (tmp_path / "evil").write_text("evil")
    with tarfile.open(archive["path"], "a") as tar:
        tar.add(tmp_path / "evil", "artifacts/../../evil")
    with pytest.raises(Damaged, match="no part of a backup"):
        restore(empty, Files(tmp_path / "new"), archive["path"], force=False, progress=silent)


def test_backup_that_is_interrupted_leaves_nothing(archive, database_url, tmp_path):
    (tmp_path / "backups").mkdir()
    target = tmp_path / "backups" / "second.tar"
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(back_up(database_url, Files(tmp_path / "old"), target, force=False, progress=broken_off))
    assert list(target.parent.iterdir()) == []


def test_backup_replaces_no_file_that_is_there(archive, database_url, tmp_path):
    before = archive["path"].read_bytes()
    with pytest.raises(FileExistsError):
        asyncio.run(back_up(database_url, Files(tmp_path / "old"), archive["path"], force=False, progress=silent))
    assert archive["path"].read_bytes() == before
    asyncio.run(back_up(database_url, Files(tmp_path / "old"), archive["path"], force=True, progress=silent))
    assert archive["path"].read_bytes() != before
    assert archive["path"].stat().st_mode & 0o777 == 0o600


def test_restore_that_was_interrupted_is_recognised_and_can_be_run_again(archive, empty, tmp_path):
    new = Files(tmp_path / "new")
    with pytest.raises(KeyboardInterrupt):
        restore(empty, new, archive["path"], force=False, progress=broken_off)
    with pytest.raises(Unfinished):
        require_finished(new.root)
    restore(empty, new, archive["path"], force=False, progress=silent)
    require_finished(new.root)
    found = asyncio.run(verify(empty, new, progress=silent))
    assert (found.missing, found.damaged, found.unnamed) == ((), (), 0)


def test_restore_spares_studies_that_are_there_unless_forced(archive, empty, tmp_path):
    async def fill():
        async with serving(empty, tmp_path / "new") as client:
            await submit(client, name="other")
            one = await lease(client, "other")
            await put(client, one, b"other", name="other.bin")

    asyncio.run(fill())
    new = Files(tmp_path / "new")
    with pytest.raises(NotEmpty):
        restore(empty, new, archive["path"], force=False, progress=silent)
    assert [path.read_bytes() for path in files(new.root)] == [b"other"]
    restore(empty, new, archive["path"], force=True, progress=silent)
    assert b"other" not in [path.read_bytes() for path in files(new.root)]

    async def check():
        async with serving(empty, new.root) as client:
            assert [one["name"] for one in (await client.get("/api/v1/studies")).json()["items"]] == ["study"]

    asyncio.run(check())


def test_restore_spares_files_that_are_there_unless_forced(archive, empty, tmp_path):
    new = Files(tmp_path / "new")
    (new.root / "artifacts" / "0123").write_bytes(b"of another database")
    with pytest.raises(NotEmpty):
        restore(empty, new, archive["path"], force=False, progress=silent)
    assert [path.read_bytes() for path in files(new.root)] == [b"of another database"]


def test_restore_refuses_a_database_that_a_server_works_on(archive, empty, tmp_path):
    async def check():
        async with serving(empty, tmp_path / "new"):
            with pytest.raises(InUse):
                await asyncio.to_thread(
                    restore, empty, Files(tmp_path / "new"), archive["path"], force=True, progress=silent
                )

    asyncio.run(check())


def test_backup_of_an_older_schema_is_restored_and_brought_up_to_date(database_url, empty, tmp_path):
    asyncio.run(clear(empty))
    migrate(empty, "0002")
    old = Files(tmp_path / "old")
    path = tmp_path / "backup.tar"
    asyncio.run(back_up(empty, old, path, force=False, progress=silent))
    restore(database_url, Files(tmp_path / "new"), path, force=False, progress=silent)
    assert standing(empty) == "older"
    assert standing(database_url) == "current"


def test_rows_of_a_backup_are_those_of_one_instant(database_url, tmp_path):
    async def check():
        async def write(piece):
            read.append(piece)

        async with serving(database_url, tmp_path) as client:
            await at_work(client)
            async with snapshot(database_url) as instant:
                read = []
                assert (await instant.copy("studies", write)).rows == 1
                await submit(client, name="later")
                assert (await finish(client, await lease(client), value=0.125)).status_code == 200
                assert [(await instant.copy(table, write)).rows for table in ("studies", "trials")] == [1, 3]
            assert b"0.125" not in b"".join(read)

    asyncio.run(check())


def test_files_that_are_replaced_while_a_backup_is_written_are_in_it(database_url, empty, tmp_path):
    halted, go_on = threading.Event(), threading.Event()

    @contextmanager
    def halting(stage, size):
        halted.set()
        assert go_on.wait(30)
        yield lambda more: None

    def back_up_beside():
        asyncio.run(back_up(database_url, Files(tmp_path / "old"), path, force=False, progress=halting))

    path = tmp_path / "backup.tar"

    async def work():
        async with serving(database_url, tmp_path / "old") as client:
            one = await at_work(client)
            beside = asyncio.create_task(asyncio.to_thread(back_up_beside))
            assert await asyncio.to_thread(halted.wait, 30)
            for content in (b"newer", b"newest"):
                assert (await put(client, one, content, step=2)).status_code == 200
            go_on.set()
            await beside

    asyncio.run(work())
    new = Files(tmp_path / "new")
    assert restore(empty, new, path, force=False, progress=silent).lacking == {}
    kept = [path.read_bytes() for path in files(new.root)]
    assert b"state 2" in kept
    assert b"newest" not in kept


def test_verify_names_what_is_missing_damaged_or_nobody_s(archive, database_url, tmp_path):
    old = Files(tmp_path / "old")
    by_content = {path.read_bytes(): path for path in files(old.root)}
    by_content[b"model 0.500000"].unlink()
    by_content[b"state 0"].write_bytes(b"state X")
    (old.root / "artifacts" / "0123").write_bytes(b"nobody's")
    found = asyncio.run(verify(database_url, old, progress=silent))
    assert found.missing == ("model.bin of trial 0 of study",)
    assert found.damaged == ("checkpoint (the one before) of trial 2 of study",)
    assert (found.files, found.unnamed) == (5, 1)


def test_backup_tells_of_files_that_were_damaged_before_it_and_can_be_restored(archive, database_url, empty, tmp_path):
    old = Files(tmp_path / "old")
    by_content = {path.read_bytes(): path for path in files(old.root)}
    by_content[b"model 0.500000"].unlink()
    by_content[b"state 2"].write_bytes(b"state X")
    path = tmp_path / "second.tar"
    made = asyncio.run(back_up(database_url, old, path, force=False, progress=silent))
    wrong = ["checkpoint of trial 2 of study", "model.bin of trial 0 of study"]
    assert sorted(made.lacking.values()) == wrong
    restore(empty, Files(tmp_path / "new"), path, force=False, progress=silent)

    async def check():
        async with serving(empty, tmp_path / "new") as client:
            await lease(client)
            got = await client.get("/api/v1/studies/study/trials/2/artifacts/checkpoint")
            assert got.content == b"state 0"

    asyncio.run(check())


def run(*arguments):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TRIALBOOK_")}
    command = [COMMANDS / "trialbook-server", *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


@pytest.mark.slow
@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_command_that_is_told_to_end_leaves_nothing(archive, database_url, tmp_path, told):
    large = files(tmp_path / "old")[0]
    os.truncate(large, 64 * 1024**3)  # without a byte on the disk; it would take a minute to copy
    (tmp_path / "backups").mkdir()
    line = ["backup", tmp_path / "backups", "--data", tmp_path / "old", "--database-url", database_url]
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # whoever started the tests may have it ignored
    process = subprocess.Popen([COMMANDS / "trialbook-server", *line], stderr=subprocess.PIPE, preexec_fn=heard)
    try:
        eventually(lambda: list((tmp_path / "backups").iterdir()), "the backup is being written")
        process.send_signal(told)
        process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode != 0
    assert list((tmp_path / "backups").iterdir()) == []


@pytest.mark.slow
def test_backup_of_a_server_at_work_holds_all_that_was_acknowledged_before_it(data_dir):
    """The real commands: a client finishes trials, a backup is taken meanwhile, another server goes on from it."""
    server = Server(data_dir / "old")
    server.client.create_study(spec(budget={"n_trials": 400}))
    acknowledged, stop = [], threading.Event()

    def work():
        with Client(server.url, server.token) as client:
            for trial in client.study("study").ask():
                trial.report(0, loss=trial.params["x"])
                trial.finish(trial.params["x"])
                acknowledged.append((trial.number, trial.params["x"]))
                if stop.is_set():
                    return

    working = threading.Thread(target=work)
    working.start()
    try:
        eventually(lambda: len(acknowledged) >= 20, "some trials are finished")
        before = list(acknowledged)
        made = run("backup", data_dir / "backup.tar", "--data", data_dir / "old", "-o", "json")
        assert made.returncode == 0, made.stderr
        eventually(lambda: len(acknowledged) > len(before), "the client goes on")
    finally:
        stop.set()
        working.join()
        server.stop()
    refused = run("backup", data_dir / "backup.tar", "--data", data_dir / "old")
    assert (refused.returncode, "--force" in refused.stderr) == (1, True)
    restored = run("restore", data_dir / "backup.tar", "--data", data_dir / "new", "-o", "json")
    assert restored.returncode == 0, restored.stderr
    assert json.loads(restored.stdout)["rows"] == json.loads(made.stdout)["rows"]
    server = Server(data_dir / "new")
    try:
        kept = {one.number: one.value for one in server.trials("study") if one.state == "complete"}
        assert kept.items() >= dict(before).items()
        assert server.client.get_study("study").counts["running"] == 0
        for trial in server.client.study("study").ask():
            trial.finish(0.5)
        study = server.client.get_study("study")
        assert (study.state, study.counts["complete"], study.counts["failed"]) == ("completed", 400, 0)
    finally:
        server.stop()


@pytest.mark.slow
def test_commands_refuse_a_folder_that_is_none_and_one_that_a_killed_restore_left(tmp_path):
    for command in (("backup", tmp_path / "backup.tar"), ("verify",)):
        refused = run(*command, "--data", tmp_path / "mistyped")
        assert (refused.returncode, "no Trialbook" in refused.stderr) == (1, True)
    (tmp_path / "restoring.json").touch()
    refused = run("serve", "--port", "0", "--data", tmp_path)
    assert (refused.returncode, "run it again" in refused.stderr) == (1, True)
    assert [one.name for one in tmp_path.iterdir()] == ["restoring.json"]
