"""Files under faults: full disks, cut uploads, damaged bytes, servers that end between a file and its row."""

import asyncio
import hashlib
import os
import resource
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi.responses import FileResponse
from sqlalchemy import text

from service.files import Files
from service.retention import sweep
from tests.servers import server_process
from tests.service.calls import expire, lease, report, submit

MIB = 1024**2
MOUNT, UMOUNT = (shutil.which(name) or name for name in ("mount", "umount"))
STUDY = "/api/v1/studies/study"
ADDRESS = f"{STUDY}/trials/0/artifacts/checkpoint"


async def put(client, one, content, *, name="checkpoint", step=None):
    path = f"/api/v1/leases/{one['lease']}/artifacts/{name}"
    asked = {"sha256": hashlib.sha256(content).hexdigest(), **({} if step is None else {"step": step})}
    return await client.put(path, params=asked, content=content)


async def running(client, *losses):
    """A trial that runs and has reported these."""
    await submit(client)
    one = await lease(client)
    await report(client, one, *losses)
    return one


def files(folder):
    return sorted(path for part in ("artifacts", "incoming", "datasets") for path in (folder / part).iterdir())


async def eventually(look, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "it never came to that"
        await asyncio.sleep(0.01)
    return found


@contextmanager
def small_disk(folder, options):
    """A small file system in the place of a folder."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    made = subprocess.run([MOUNT, "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True)
    if made.returncode != 0:
        pytest.skip(f"nothing may be mounted here: {made.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run([UMOUNT, "--lazy", folder], check=True)


def test_full_disk_refuses_an_upload_whole_and_recovers(serve, tmp_path):
    async def check():
        async with serve() as client:
            one = await running(client, 2.0, 1.0)
            assert (await put(client, one, b"first" * 1000, step=0)).status_code == 200
            before = files(tmp_path)
            filler = tmp_path / "filler"
            filler.write_bytes(bytes(2 * MIB))
            refused = await put(client, one, bytes(3 * MIB), step=1)
            assert (refused.status_code, refused.json()["code"]) == (507, "storage-full")
            assert files(tmp_path) == before
            assert (await client.get(ADDRESS)).content == b"first" * 1000
            filler.unlink()
            assert (await put(client, one, bytes(3 * MIB), step=1)).status_code == 200

    with small_disk(tmp_path, "size=4m"):
        asyncio.run(check())


def test_disk_without_room_for_one_more_name_refuses_an_upload(serve, tmp_path):
    async def check():
        async with serve() as client:
            one = await running(client, 1.0)
            fillers = 0
            with pytest.raises(OSError, match="No space left"):
                while True:
                    (tmp_path / f"filler-{fillers}").touch()
                    fillers += 1
            refused = await put(client, one, b"state", step=0)
            assert (refused.status_code, refused.json()["code"]) == (507, "storage-full")
            (tmp_path / "filler-0").unlink()
            assert (await put(client, one, b"state", step=0)).status_code == 200

    with small_disk(tmp_path, "size=4m,nr_inodes=20"):
        asyncio.run(check())


def test_file_that_the_disk_takes_in_part_only_leaves_nothing(serve, tmp_path):
    async def check():
        async with serve() as client:
            one = await running(client, 1.0)
            before = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, before[1]))
            try:
                refused = await put(client, one, bytes(MIB + 1), step=0)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, before)
            assert (refused.status_code, refused.json()["code"]) == (507, "storage-full")
            assert files(tmp_path) == []

    asyncio.run(check())


def test_damaged_checkpoint_is_noticed_and_the_one_before_it_offered(serve, tmp_path):
    async def check():
        async with serve() as client:
            one = await running(client, 3.0, 2.0, 1.0)
            await put(client, one, b"older", step=0)
            [older] = files(tmp_path)
            await put(client, one, b"newer", step=2)
            [newer] = set(files(tmp_path)) - {older}
            newer.write_bytes(b"newEr")
            await expire(client)
            assert (await lease(client))["resume_step"] == 2
            got = await client.get(ADDRESS)
            assert (got.content, got.headers["trialbook-step"]) == (b"older", "0")
            assert [one["step"] for one in (await client.get(f"{STUDY}/trials/0/artifacts")).json()["items"]] == [0]
            notes = await client.app.state.context.db.run(text("select note from events where kind = 'artifact'"))
            assert "damaged" in notes[-1]["note"]
            assert files(tmp_path) == [older]
            await expire(client)
            assert (await lease(client))["resume_step"] == 0

    asyncio.run(check())


def test_trial_whose_checkpoints_are_all_damaged_begins_anew(serve, tmp_path):
    async def check():
        async with serve() as client:
            one = await running(client, 2.0, 1.0)
            for step in (0, 1):
                await put(client, one, b"state %d" % step, step=step)
            for path in files(tmp_path):
                path.unlink()
            assert (await client.get(ADDRESS)).status_code == 404
            await expire(client)
            assert (await lease(client))["resume_step"] is None

    asyncio.run(check())


def test_of_checkpoints_the_last_two_are_kept_whatever_is_repeated(serve, tmp_path):
    async def check():
        async with serve() as client:
            one = await running(client, 3.0, 2.0, 1.0)
            for step in (0, 1, 2, 2, 2):
                assert (await put(client, one, b"state %d" % step, step=step)).status_code == 200
            by_content = {path.read_bytes(): path for path in files(tmp_path)}
            assert sorted(by_content) == [b"state 1", b"state 2"]
            by_content[b"state 2"].unlink()
            assert (await client.get(ADDRESS)).content == b"state 1"

    asyncio.run(check())


def test_other_file_uploaded_again_replaces_the_first(serve, tmp_path):
    async def check():
        async with serve() as client:
            one = await running(client, 1.0)
            for content in (b"one", b"two"):
                assert (await put(client, one, content, name="plot.png")).status_code == 200
            assert [path.read_bytes() for path in files(tmp_path)] == [b"two"]

    asyncio.run(check())


def test_file_whose_upload_ended_before_its_row_is_swept(serve, tmp_path):
    """The request is cut off just there, as a kill -9 of the server would."""

    async def check():
        async with serve() as client:
            one = await running(client, 1.0)
            database = client.app.state.context.db
            async with database.begin() as transaction:
                await transaction.run(text("select from trials for update"))
                uploading = asyncio.create_task(put(client, one, b"state", step=0))
                await eventually(lambda: list((tmp_path / "artifacts").iterdir()))
                uploading.cancel()
                await asyncio.gather(uploading, return_exceptions=True)
            assert (await client.get(ADDRESS)).status_code == 404
            assert await sweep(client.app.state.context, before=time.time() - 60) == 0, "it might get its row yet"
            assert await sweep(client.app.state.context, before=time.time() + 60) == 1
            assert files(tmp_path) == []

    asyncio.run(check())


def test_sweep_takes_files_and_data_sets_that_no_row_names_and_no_others(serve, tmp_path):
    async def check():
        async with serve() as client:
            one = await running(client, 2.0, 1.0)
            for step in (0, 1):
                await put(client, one, b"state %d" % step, step=step)
            table = "a,b\n" + "".join(f"{i},{i % 2}\n" for i in range(40))
            csv = {"content-type": "text/csv"}
            for name, content in (("kept", table), ("replaced", table + "1,1\n"), ("replaced", table + "0,0\n")):
                answer = await client.put(
                    f"/api/v1/datasets/{name}", params={"target": "b"}, content=content, headers=csv
                )
                assert answer.status_code == 200, answer.text
            wanted = files(tmp_path)
            replaced = tmp_path / "datasets" / hashlib.sha256((table + "1,1\n").encode()).hexdigest()
            (tmp_path / "artifacts" / "0123").write_bytes(b"of a study that was deleted")
            assert await sweep(client.app.state.context, before=time.time() + 60) == 2
            assert files(tmp_path) == [path for path in wanted if path != replaced]

    asyncio.run(check())


def test_nothing_is_deleted_while_the_folder_is_held_and_later_swept(serve, tmp_path):
    async def check():
        async with serve() as client:
            one = await running(client, 3.0, 2.0, 1.0)
            await put(client, one, b"state 0", step=0)
            async with Files(tmp_path).hold():  # as another process, a backup's
                for step in (1, 2):
                    await put(client, one, b"state %d" % step, step=step)
                assert (await client.delete(STUDY)).status_code == 204
                assert len(files(tmp_path)) == 3
            assert await sweep(client.app.state.context, before=time.time() + 60) == 3
            assert files(tmp_path) == []

    asyncio.run(check())


def test_server_with_another_database_sweeps_nobody_elses_files(serve, tmp_path):
    async def check():
        async with serve() as client:
            (tmp_path / "artifacts" / "0123").write_bytes(b"of a row in another database")
            context = client.app.state.context
            (tmp_path / "database-mark").write_text("another's")
            assert await sweep(context, before=time.time() + 60) == 0
            context.files.disown()
            assert await sweep(context, before=time.time() + 60) == 1

    asyncio.run(check())


@pytest.mark.slow
def test_upload_that_is_cut_off_leaves_the_old_checkpoint(data_dir):
    with server_process("--data", str(data_dir)) as ready:
        headers = {"authorization": f"Bearer {ready['token']}"}

        async def check():
            async with httpx.AsyncClient(base_url=ready["url"], headers=headers) as client:
                one = await running(client, 2.0, 1.0)
                assert (await put(client, one, b"first", step=0)).status_code == 200
                path = f"/api/v1/leases/{one['lease']}/artifacts/checkpoint?step=1&sha256={'0' * 64}"
                head = f"PUT {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {headers['authorization']}\r\n"
                with socket.create_connection((urlsplit(ready["url"]).hostname, urlsplit(ready["url"]).port)) as cut:
                    cut.sendall(f"{head}Content-Length: {4 * MIB}\r\n\r\n".encode() + bytes(2 * MIB))
                    await eventually(lambda: list((data_dir / "incoming").iterdir()))
                await eventually(lambda: not list((data_dir / "incoming").iterdir()))
                assert (await client.get(ADDRESS)).content == b"first"
                assert (await put(client, one, b"second", step=1)).status_code == 200

        asyncio.run(check())


def test_a_file_that_is_deleted_while_it_is_asked_for_is_missing(serve, monkeypatch):
    answering = FileResponse.__call__

    async def too_late(response, *asgi):
        await asyncio.to_thread(Path(response.path).unlink)  # after the look
        await answering(response, *asgi)

    async def check():
        async with serve() as client:
            await submit(client)
            one = await lease(client)
            digest = hashlib.sha256(b"words").hexdigest()
            await client.put(f"/api/v1/leases/{one['lease']}/artifacts/notes?sha256={digest}", content=b"words")
            monkeypatch.setattr(FileResponse, "__call__", too_late)
            answer = await client.get("/api/v1/studies/study/trials/0/artifacts/notes")
            assert (answer.status_code, answer.json()["code"]) == (404, "not-found")

    asyncio.run(check())
