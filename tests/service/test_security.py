"""Nothing that comes in is run, unpickled, loaded or fetched; what goes out to logs and disk holds no secret."""

import ast
import io
import json
import os
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from models import saved
from models.datasets import load_arrays
from tests.end_to_end.machines import eventually
from tests.service.calls import lease, spec, submit
from workers import checkpoint

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parent.parent.parent
SOURCES = sorted(file for one in ("service", "workers", "trialbook", "models") for file in (ROOT / one).rglob("*.py"))
# Modules that make objects of bytes by running what the bytes say.
UNPICKLING = {"pickle", "_pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "jsonpickle"}
RUNNING = {"eval", "exec", "compile", "__import__"}
SAFE_YAML = {"safe_load", "SafeLoader", "CSafeLoader"}
FETCHING = {"requests", "aiohttp", "urllib3", "httpx", "urllib.request", "http.client", "ftplib"}
OWN_PIPE = "service/children.py"  # a process and its own child, over pipes that nobody else has


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def mistakes(source: str, *, pipes: bool = False) -> Iterator[str]:
    """What of a program's text could run what somebody else wrote."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (one.name for one in names if not pipes and one.name.split(".")[0] in UNPICKLING)
            case ast.ImportFrom(module=str(module)):
                if not pipes and module.split(".")[0] in UNPICKLING:
                    yield module
            case ast.Call(func=ast.Name(id=name)) if name in RUNNING:
                yield name
            case ast.Attribute(value=ast.Name(id="yaml"), attr=attr) if "load" in attr.lower():
                yield from () if attr in SAFE_YAML else (f"yaml.{attr}",)
            case ast.Attribute(value=ast.Name(id="os"), attr="system" | "popen" as attr):
                yield f"os.{attr}"
            case ast.Call(func=ast.Attribute(value=ast.Name(id="torch"), attr="load")):
                yield "torch.load"
            case ast.Call(func=ast.Attribute(value=ast.Name(id="np" | "numpy"), attr="load"), keywords=given):
                allowed = [one.value for one in given if one.arg == "allow_pickle"]
                if not (allowed and isinstance(allowed[0], ast.Constant) and allowed[0].value is False):
                    yield "np.load"
            case ast.Attribute(attr="read_pickle" | "unsafe_load" | "full_load" as attr):
                yield attr
            case ast.keyword(arg="shell", value=ast.Constant(value=True)):
                yield "shell=True"


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "eval('1')",
        "exec(text)",
        "yaml.load(text)",
        "yaml.load(text, Loader=yaml.Loader)",
        "torch.load(path)",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "pl.read_pickle(path)",
        "subprocess.run(text, shell=True)",
        "os.system(text)",
    ],
)
def test_each_mistake_would_be_seen(source):
    assert list(mistakes(source)) != []


def test_nothing_of_ours_unpickles_or_runs_text():
    found = {}
    for path in SOURCES:
        name = path.relative_to(ROOT).as_posix()
        found[name] = list(mistakes(path.read_text(), pipes=name == OWN_PIPE))
    assert len(found) > 150
    assert {name: what for name, what in found.items() if what} == {}


def test_the_server_fetches_nothing():
    """No module of the service has a way to open an address, so none from a request is ever opened."""
    found = set()
    for path in SOURCES:
        if path.is_relative_to(ROOT / "service"):
            for node in ast.walk(ast.parse(path.read_text())):
                names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                found |= {name for name in names if name in FETCHING or name.split(".")[0] in FETCHING}
    assert found == set()


class Bomb:
    """Unpickled, it makes a file: what an attacker's would do is worse."""

    def __init__(self, marker: Path) -> None:
        self._marker = str(marker)

    def __reduce__(self):
        return Path.touch, (Path(self._marker),)


@pytest.fixture
def bomb(tmp_path: Path) -> Iterator[bytes]:
    """A pickle that makes a file when it is loaded, which the test must not bring about."""
    marker = tmp_path / "was-run"
    content = pickle.dumps(Bomb(marker))
    pickle.loads(content)  # noqa: S301  # our own; so the bomb is one, else the next line raises
    marker.unlink()
    yield content
    assert not marker.exists()


def archive(**members: bytes) -> bytes:
    """An NPZ file of these members, whatever they are."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for name, content in members.items():
            made.writestr(f"{name}.npy", content)
    return buffer.getvalue()


def array(values) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=True)
    return buffer.getvalue()


def bombs(bomb: bytes, marker: Path) -> list[bytes]:
    """Data sets that hold the bomb: as the file, as a member, as an array of objects."""
    objects, numbers = array(np.array([Bomb(marker)] * 4, dtype=object)), array(np.zeros((4, 2)))
    return [bomb, archive(x=bomb, y=bomb), archive(x=objects, y=objects), archive(x=numbers, y=objects)]


async def test_a_pickle_is_no_data_set_for_the_server(serve, bomb, tmp_path):
    npz, *others = ("application/x-npz", "text/csv", "application/vnd.apache.parquet")
    found = bombs(bomb, tmp_path / "was-run")
    async with serve() as client:
        for content, kind in [*((one, npz) for one in found), *((bomb, kind) for kind in others)]:
            sent = {"content-type": kind}
            answer = await client.put("/api/v1/datasets/d?target=y", content=content, headers=sent)
            assert answer.status_code == 422, (kind, content[:20])
        listed = (await client.get("/api/v1/datasets")).json()["items"]
    assert all(one["builtin"] for one in listed)


def test_a_pickle_is_no_data_set_no_checkpoint_and_no_model_for_a_worker(bomb, tmp_path):
    for content in bombs(bomb, tmp_path / "was-run"):
        (tmp_path / "data.npz").write_bytes(content)
        with pytest.raises(ValueError, match=r".+"):
            load_arrays(tmp_path / "data.npz", task="regression")
        with pytest.raises(checkpoint.Unreadable):
            checkpoint.read(tmp_path / "data.npz")
        (tmp_path / saved.PARAMETERS).write_bytes(content)
        for description in (b"{}", content, json.dumps({"format": 1, "sha256": "0" * 64}).encode()):
            (tmp_path / saved.DESCRIPTION).write_bytes(description)
            with pytest.raises(ValueError, match=r".+"):
                saved.read(tmp_path)


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "http://127.0.0.1:1/x.csv", "file:///etc/passwd", "a/b", "s3://b/k"]
)
async def test_data_is_named_never_a_path_or_an_address(serve, name):
    study = spec(objective={"trainer": "logistic", "data": name})
    async with serve() as client:
        answer = await client.post("/api/v1/studies", json=study)
        put = await client.put(f"/api/v1/datasets/{name.replace('/', '%2F')}", content=b"x,y\n1,2\n")
    assert answer.status_code == 422
    assert name not in answer.text
    assert put.status_code in (404, 405, 415, 422)


async def test_a_trainer_s_name_is_stored_and_never_imported_by_the_server(serve):
    name = "this:antigravity"  # a module that this process has not loaded, and that says something when it is
    async with serve() as client:
        await submit(client, objective={"trainer": name, "metric": "loss", "direction": "minimize"})
        granted = await lease(client, trainers=[name])
    assert granted["objective"]["trainer"] == name
    assert "this" not in sys.modules


@pytest.mark.slow
def test_logs_and_disk_hold_no_secret(data_dir):
    """A real server that tells all it can; then its log, and each byte of its database and files."""
    command = [sys.executable, "-m", "service", "serve", "--port", "0", "--data", str(data_dir / "data")]
    log = data_dir / "log"
    with log.open("wb") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=environment())
    try:
        ready = json.loads(process.stdout.readline())
        secrets, bodies = call_with_secrets(ready)
        process.terminate()
        rest = process.stdout.read()
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.communicate()
    written = log.read_bytes() + rest
    assert b"login-refused" in written and b"request" in written, "it did log"
    assert [one for one in secrets | bodies if one.encode() in written] == []
    kept = [file for file in (data_dir / "data").rglob("*") if file.is_file() and file.name != "token"]
    assert sum(file.stat().st_size for file in kept) > 10_000_000, "a database is among them"
    found = {(file.name, one) for file in kept for one in secrets if one.encode() in file.read_bytes()}
    assert found == set()


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TRIALBOOK_")}
    return {**kept, "TRIALBOOK_LOG_LEVEL": "debug"}


def call_with_secrets(ready: dict[str, str]) -> tuple[set[str], set[str]]:
    """Calls of all kinds, right and wrong; the secrets and the bodies' own words that went over the wire."""
    first, code = ready["token"], ready["dashboard"].partition("#")[2]
    wrong, body = f"tb_guess_{'w' * 43}", "words-of-a-body-that-no-log-repeats"
    browser = {"sec-fetch-site": "same-origin"}
    with httpx.Client(base_url=ready["url"], headers={"authorization": f"Bearer {first}"}) as client:
        made = client.post("/api/v1/tokens", json={"role": "submitter", "name": "lab"}).json()["token"]
        mine = {"authorization": f"Bearer {made}"}
        with httpx.Client(base_url=ready["url"], headers=browser) as page:
            assert page.post("/session", json={"code": code}).status_code == 204
            assert page.get("/").status_code == 200
            cookie = next(iter(page.cookies.values()))
            assert page.post("/session", json={"code": code}).status_code == 401
            assert page.post("/session", json={"token": wrong}).status_code == 401
            assert page.post("/session", json={"token": wrong, "code": wrong}).status_code == 422
            assert page.post("/session", content=f'{{"token": "{made}"'.encode()).status_code == 415
            assert page.post("/session", json={"token": made}).status_code == 204
            second = next(iter(page.cookies.values()))
        assert client.get("/api/v1/studies", headers={"authorization": f"Bearer {wrong}"}).status_code == 401
        assert client.get(f"/api/v1/studies?token={made}&cursor={wrong}").status_code == 422
        assert client.get(f"/api/v1/studies/{wrong}").status_code == 404
        assert client.post("/api/v1/studies", content=f'{{"{body}": NaN'.encode(), headers=mine).status_code in (
            400,
            415,
        )
        assert client.post("/api/v1/studies", json=spec(notes=body, **{body: 1}), headers=mine).status_code == 422
        assert client.post("/api/v1/studies", json=spec(notes=body), headers=mine).status_code == 201
        ask = {"request_id": "r", "worker": "w", "trainers": ["external"]}
        one = client.post("/api/v1/leases", json=ask, headers=mine).json()["leases"][0]["lease"]
        failed = {"state": "failed", "error": body, "retry": False}
        assert client.post(f"/api/v1/leases/{one}/finish", json=failed, headers=mine).status_code == 200
        assert client.post(f"/api/v1/leases/{one}/finish", json={"state": body}, headers=mine).status_code == 422
        eventually(lambda: client.get("/readyz").status_code == 200, "it is ready")
    parts = {token.split("_", 2)[-1] for token in (first, made, wrong)}
    return {*parts, code, cookie, second}, {body, one}
