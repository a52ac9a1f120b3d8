"""A disk that runs full under the embedded database and the files, and has room again later."""

import os

import httpx
import pytest

from tests.end_to_end.machines import Server, eventually
from tests.service.calls import spec
from tests.service.test_files import small_disk

pytestmark = pytest.mark.slow
MIB = 1024**2
N = 40  # requests of 60 KB each, on a disk that has no room for all of them
PASSING = {503, 507}


def test_service_on_a_full_disk_says_so_and_recovers_by_itself(data_dir):
    with small_disk(data_dir, "size=160m,mode=0711"):
        server = Server(data_dir)
        try:
            headers = {"authorization": f"Bearer {server.token}"}
            with httpx.Client(base_url=f"{server.url}/api/v1", headers=headers, timeout=30) as client:
                check(client, data_dir)
        finally:
            server.stop()


def check(client, folder):
    assert client.post("/studies", json=spec("before")).status_code == 201
    filler = folder / "filler"
    with pytest.raises(OSError, match="No space left"), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(MIB // 4))
    statuses, made = set(), []
    for number in range(N):
        answer = client.post("/studies", json=spec(f"large-{number}", notes=os.urandom(30_000).hex()))
        statuses.add(answer.status_code)
        if answer.status_code == 201:
            made.append(f"large-{number}")
    assert statuses & PASSING, "the disk did run full"
    assert statuses <= {201, *PASSING}
    filler.unlink()
    eventually(lambda: client.post("/studies", json=spec("after")).status_code in (201, 409), "there is room again")
    assert {client.get(f"/studies/{name}").status_code for name in ("before", "after", *made)} == {200}
