"""Files in an object store: what holds for a folder holds there, for servers with nothing else in common."""

import asyncio
import hashlib
import io
import time
from contextlib import asynccontextmanager

import boto3
import httpx
import numpy as np
import polars as pl
import pytest
from moto.server import ThreadedMotoServer
from sqlalchemy import text

from service import auth, objects
from service.app import create_app
from service.backup import back_up, restore, verify
from service.contents import CSV, NPZ, PARQUET
from service.files import files_of
from service.objects import Objects
from service.retention import drop_checkpoints, sweep
from service.serving import Refused, serve
from service.settings import Settings
from tests.service.calls import expire, finish, lease
from tests.service.test_backup import silent
from tests.service.test_files import ADDRESS, STUDY, eventually, put, running
from trialbook.errors import Unavailable

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:botocore.*"),
]
TABLE = "a,b\n" + "".join(f"{i},{i % 2}\n" for i in range(40))


@pytest.fixture(scope="module")
def s3():
    """The address of a server that speaks S3."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def bucket(s3, monkeypatch, request):
    """A bucket of this test's own, with what finds it in the environment."""
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}
    for name, value in {**keys, "AWS_ENDPOINT_URL": s3}.items():
        monkeypatch.setenv(name, value)
    name = f"test-{hashlib.sha256(request.node.name.encode()).hexdigest()[:20]}"
    made = boto3.resource("s3").Bucket(name)
    made.create()
    return made


def kept(bucket, prefix=""):
    """The content of all objects by key, but for the mark of whose they are."""
    found = {one.key: one.get()["Body"].read() for one in bucket.objects.filter(Prefix=prefix)}
    return {key: content for key, content in found.items() if not key.endswith("database-mark")}


@asynccontextmanager
async def serving(url, folder, bucket):
    """A server on a database and a bucket, with a folder of its own for uploads under way."""
    app = create_app(Settings(data=folder, artifacts=f"s3://{bucket.name}/some/prefix"), url)
    async with app.router.lifespan_context(app):
        await auth.keep_first_token(app.state.context, "first")
        transport, headers = httpx.ASGITransport(app), {"authorization": "Bearer first"}
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as client:
            client.app = app
            yield client


def test_two_servers_share_artifacts_and_data_sets_and_nothing_stays_on_their_disks(database_url, tmp_path, bucket):
    async def check():
        folders = tmp_path / "one", tmp_path / "other"
        async with serving(database_url, folders[0], bucket) as one, serving(database_url, folders[1], bucket) as other:
            held = await running(one, 3.0, 2.0, 1.0)
            for step in (0, 1, 2):
                assert (await put(one, held, b"state %d" % step, step=step)).status_code == 200
            assert (await put(other, held, b"", name="nothing")).status_code == 200
            assert sorted(kept(bucket, "some/prefix/artifacts/").values()) == [b"", b"state 1", b"state 2"]
            got = await other.get(ADDRESS)
            assert (got.content, got.headers["trialbook-step"]) == (b"state 2", "2")
            assert got.headers["content-disposition"] == 'attachment; filename="checkpoint"'
            csv = {"content-type": "text/csv"}
            assert (await one.put("/api/v1/datasets/mine?target=b", content=TABLE, headers=csv)).status_code == 200
            assert (await other.get("/api/v1/datasets/mine")).text == TABLE
            await finish(other, held, value=1.0)
            await drop_checkpoints(one.app.state.context)
            assert list(kept(bucket, "some/prefix/artifacts/").values()) == [b""]
            assert (await one.delete(STUDY)).status_code == 204
            assert (await one.delete("/api/v1/datasets/mine")).status_code == 204
            assert kept(bucket) == {}
        assert [path for folder in folders for path in folder.rglob("*") if path.is_file()] == []

    asyncio.run(check())


def test_the_first_rows_of_data_sets_are_read_from_there_too(database_url, tmp_path, bucket):
    arrays, table = io.BytesIO(), io.BytesIO()
    np.savez(arrays, x=np.arange(12.0).reshape(4, 3), y=np.array([0.5, 1.5, 2.5, 3.5]))
    pl.DataFrame({"a": [1, 2], "b": [0.5, 1.5]}).write_parquet(table)
    sets = {"csv": (CSV, TABLE.encode()), "npz": (NPZ, arrays.getvalue()), "parquet": (PARQUET, table.getvalue())}

    async def check():
        async with serving(database_url, tmp_path, bucket) as client:
            found = {}
            for name, (kind, content) in sets.items():
                headers = {"content-type": kind}
                made = await client.put(f"/api/v1/datasets/{name}?target=b", content=content, headers=headers)
                assert made.status_code == 200, made.text
                found[name] = (await client.get(f"/api/v1/datasets/{name}/rows?limit=1")).json()["items"]
        assert found == {
            "csv": [{"x": [0], "y": 0}],
            "npz": [{"x": [0.0, 1.0, 2.0], "y": 0.5}],
            "parquet": [{"x": [1], "y": 0.5}],
        }

    asyncio.run(check())


def test_a_large_file_comes_and_goes_whole_in_parts(database_url, tmp_path, bucket, monkeypatch):
    monkeypatch.setattr(objects, "PIECE", 5 << 20)  # the least that S3 takes as a part
    content = bytes(range(256)) * (12 << 12)

    async def check():
        async with serving(database_url, tmp_path, bucket) as client:
            held = await running(client, 1.0)
            assert (await put(client, held, content, step=0)).status_code == 200
            got = await client.get(ADDRESS)
            assert got.content == content
            [described] = bucket.objects.filter(Prefix="some/prefix/artifacts/")
            assert described.e_tag.strip('"').endswith("-3"), "uploaded in three parts"

    asyncio.run(check())


def test_an_object_that_changed_or_went_is_noticed(database_url, tmp_path, bucket):
    async def check():
        async with serving(database_url, tmp_path, bucket) as client:
            held = await running(client, 2.0, 1.0)
            for step in (0, 1):
                await put(client, held, b"state %d" % step, step=step)
            await put(client, held, b"words", name="notes")
            by_content = {content: key for key, content in kept(bucket).items()}
            bucket.Object(by_content[b"state 1"]).put(Body=b"stale 1")
            bucket.Object(by_content[b"words"]).delete()
            await expire(client)
            await lease(client)
            assert (await client.get(ADDRESS)).content == b"state 0"
            missing = await client.get(f"{STUDY}/trials/0/artifacts/notes")
            assert (missing.status_code, missing.json()["code"]) == (404, "not-found")

    asyncio.run(check())


def test_what_no_row_names_is_swept_unless_files_are_held_or_another_database_s(database_url, tmp_path, bucket):
    async def check():
        async with serving(database_url, tmp_path / "one", bucket) as client:
            context = client.app.state.context
            held = await running(client, 1.0)
            await put(client, held, b"state", step=0)
            bucket.Object("some/prefix/artifacts/0123").put(Body=b"of a server that was killed")
            bucket.Object("elsewhere/artifacts/0123").put(Body=b"nobody's business")
            other = files_of(Settings(data=tmp_path / "other", artifacts=context.settings.artifacts), database_url)
            async with other.hold():  # as a backup on another machine does
                assert await sweep(context, before=time.time() + 60) == 1
                assert len(kept(bucket)) == 3
            assert await sweep(context, before=time.time() - 60) == 0, "it might get its row yet"
            await sweep(context, before=time.time() + 60)
            assert sorted(kept(bucket).values()) == [b"nobody's business", b"state"]
            await context.db.run(text("update server set secret = '\\x00'"))
            context.secret = b"another database's"
            bucket.Object("some/prefix/artifacts/4567").put(Body=b"of a row in the other database")
            assert await sweep(context, before=time.time() + 60) == 0

    asyncio.run(check())


def test_a_store_that_is_away_is_503_and_nothing_is_lost(database_url, tmp_path, bucket, monkeypatch):
    monkeypatch.setattr(objects, "ATTEMPTS", 1)

    async def check():
        async with serving(database_url, tmp_path, bucket) as client:
            held = await running(client, 1.0)
            await put(client, held, b"words", name="notes")
            files = client.app.state.context.files
            lost, files.storage = files.storage, Objects("s3://there-is-no-such-bucket/prefix")
            refused = await put(client, held, b"state", step=0)
            assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
            with pytest.raises(Unavailable):
                files.belongs_to("mark")
            incoming = tmp_path / "incoming"
            await eventually(lambda: not list(incoming.iterdir()))  # the sweep may be writing whose files they are
            files.storage = lost
            assert (await put(client, held, b"state", step=0)).status_code == 200
            assert (await client.get(f"{STUDY}/trials/0/artifacts/notes")).content == b"words"

    asyncio.run(check())


def test_a_backup_holds_the_objects_and_is_restored_into_a_bucket_or_a_folder(
    database_url, make_database, tmp_path, bucket
):
    settings = Settings(data=tmp_path / "old", artifacts=f"s3://{bucket.name}/some/prefix")

    async def make():
        async with serving(database_url, settings.data, bucket) as client:
            held = await running(client, 1.0)
            await put(client, held, b"model", name="model.bin")
            files = files_of(settings, database_url)
            await back_up(database_url, files, tmp_path / "backup.tar", force=False, progress=silent)
            checked = await verify(database_url, files, progress=silent)
            assert (checked.files, checked.missing, checked.damaged, checked.unnamed) == (1, (), (), 0)

    asyncio.run(make())
    for number, artifacts in enumerate((f"s3://{bucket.name}/restored", None)):
        url = make_database()
        files = files_of(Settings(data=tmp_path / f"new-{number}", artifacts=artifacts), url)
        restore(url, files, tmp_path / "backup.tar", force=False, progress=silent)
        found = asyncio.run(verify(url, files, progress=silent))
        assert (found.files, found.missing, found.damaged, found.unnamed) == (1, (), (), 0)
    assert list(kept(bucket, "restored/").values()) == [b"model"]


def test_a_server_does_not_start_on_a_bucket_that_is_not_there(bucket, data_dir):
    with pytest.raises(Refused, match="no bucket"):
        serve(Settings(data=data_dir, artifacts="s3://there-is-no-such-bucket/prefix", port=0))


@pytest.mark.parametrize("address", ["https://bucket", "s3://", "bucket", "s3:///prefix"])
def test_an_address_of_another_form_is_refused(address, tmp_path):
    with pytest.raises(ValueError, match="artifacts is s3://bucket"):
        Settings(data=tmp_path, artifacts=address)
