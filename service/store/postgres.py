"""The embedded PostgreSQL: started on a data folder when nobody has, adopted while it lives, stopped by its last user.

Two locks in its folder say who is there. `users.lock` is held shared by each process that uses the server, so that one
may know whether it is the last. `server.lock` is held by whoever makes or starts the server and then, inherited, by
PostgreSQL's own processes for as long as one of them lives: the kernel's word for it, also after a kill -9.
"""

import fcntl
import logging
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psutil

from service.store import postgres_home, postgres_program
from service.store.postgres_home import Home, PostgresFailed
from service.store.postgres_program import PORT

log = logging.getLogger(__name__)

DATABASE = "trialbook"
USER = "trialbook"
POLL = 0.05  # seconds
LONGEST_LOG = 16 << 20  # bytes; a longer one is set aside at the next start

SETTINGS = """\
# Written by Trialbook at each start of the server. Changes of your own: ALTER SYSTEM SET …
listen_addresses = ''
port = {port}
unix_socket_directories = '{socket_folder}'
unix_socket_permissions = 0700
max_connections = 100

fsync = on
synchronous_commit = on
full_page_writes = on
wal_compression = on
max_wal_size = 1GB
checkpoint_timeout = 15min
checkpoint_completion_target = 0.9

shared_buffers = 128MB
effective_cache_size = 512MB
work_mem = 8MB
maintenance_work_mem = 64MB
random_page_cost = 1.1
jit = off
max_parallel_workers_per_gather = 0  # containers have little /dev/shm, which parallel queries share

timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] '
log_checkpoints = off
"""


class EmbeddedPostgres:
    """PostgreSQL in `data_dir`/postgres, on a unix socket that only its account (and root) can open."""

    def __init__(self, data_dir: Path, *, patience: float = 60.0) -> None:
        """`patience` in seconds: how long a recovery, another's start or a shutdown may take."""
        self._data_dir = data_dir
        self._patience = patience
        self._users: int | None = None
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        """The SQLAlchemy URL of a server that accepts connections. Raises PostgresFailed, with the end of its log."""
        self._home = postgres_home.prepare(self._data_dir, postgres_home.choose_account(), Path(tempfile.gettempdir()))
        self._binaries = postgres_program.find_binaries(self._home, postgres_program.find_packages())
        self._child = None  # an earlier one's end says nothing about this start
        if self._users is None:
            self._users = postgres_home.open_private(self._home.folder / "users.lock", self._home.account)
        try:
            fcntl.flock(self._users, fcntl.LOCK_SH)  # waits while somebody shuts the server down
            self._bring_up()
        except BaseException:
            self._leave()
            raise
        folder = quote(str(_socket_folder(self._home.pgdata)), safe="/")
        return f"postgresql+asyncpg://{USER}@/{DATABASE}?host={folder}&port={PORT}"

    @property
    def runs(self) -> bool:
        """Whether a server's process is there; it may still be starting, or hang."""
        return find_server(self._home.pgdata) is not None

    def revive(self) -> None:
        """Starts a server that ended while it is used, without waiting until it answers, if none is there.

        Raises PostgresFailed or OSError where it can't be started.
        """
        if not self._home.pgdata.exists():
            raise PostgresFailed(f"{self._home.pgdata} is gone")  # an empty one in its place would hide the loss
        if self._child is not None:
            self._child.poll()  # else it stays behind as a zombie
        self._child = None
        self._launch_if_free()
        if self._child is not None:
            log.warning("the embedded PostgreSQL has ended; started it again folder=%s", self._home.folder)

    def stop(self) -> None:
        """Leaves the server; shuts it down, without waiting for its clients, if nobody else uses it."""
        if self._users is None:
            return
        try:
            if _locked(self._users):
                self._shut_down()
            else:
                log.info("left the embedded PostgreSQL to its other users folder=%s", self._home.folder)
        finally:
            self._leave()

    def _leave(self) -> None:
        if self._users is not None:
            os.close(self._users)
        self._users = None

    def _bring_up(self) -> None:
        deadline = time.monotonic() + self._patience
        while time.monotonic() < deadline:
            if (pid := find_server(self._home.pgdata)) is None:
                self._launch_if_free()
            elif self._answers():
                log.info("the embedded PostgreSQL is ready pid=%d folder=%s", pid, self._home.folder)
                return
            time.sleep(POLL)
        raise PostgresFailed(
            f"PostgreSQL on {self._home.folder} does not answer after {self._patience:g} s; perhaps one that can't be "
            f"seen from here (in another container?) uses that folder.\n{_tail(self._home.log)}"
        )

    def _answers(self) -> bool:
        """Whether the server takes connections and is the one that serves our folder."""
        if (folder := _socket_folder(self._home.pgdata)) is None:
            return False
        where = ["-h", str(folder), "-p", PORT, "-U", USER, "-d", DATABASE]
        question = ["-X", "-A", "-t", "-c", "show data_directory"]
        answer = postgres_program.run([str(self._binaries / "psql"), *where, *question], self._home.account)
        return answer.returncode == 0 and answer.stdout.strip() == str(self._home.pgdata)

    def _launch_if_free(self) -> None:
        if self._child is not None and self._child.poll() is not None:
            raise PostgresFailed(f"PostgreSQL on {self._home.folder} did not start.\n{_tail(self._home.log)}")
        with _server_lock(self._home) as lock:
            if lock is None or find_server(self._home.pgdata) is not None:
                return  # another process starts it, or the last one is still ending
            if not self._home.pgdata.exists():
                self._initialise(lock)
            self._launch(lock)

    def _initialise(self, lock: int) -> None:
        """Makes the cluster and its database aside, so that it is there whole or not at all."""
        fresh = self._home.folder / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        access = [f"--username={USER}", "--auth-local=trust", "--auth-host=reject"]
        self._run(["initdb", "-D", str(fresh), *locale, *access], lock)
        self._run(["postgres", "--single", "-D", str(fresh), "template1"], lock, text=f"create database {DATABASE}\n")
        fresh.rename(self._home.pgdata)
        log.info("made the embedded PostgreSQL's data folder=%s", self._home.pgdata)

    def _run(self, command: list[str], lock: int, *, text: str = "") -> None:
        binary = str(self._binaries / command[0])
        done = postgres_program.run([binary, *command[1:]], self._home.account, text=text, inherited=(lock,))
        if done.returncode != 0:
            raise PostgresFailed(f"{command[0]} failed in {self._home.folder}.\n{done.stdout}{done.stderr}")

    def _launch(self, lock: int) -> None:
        home = self._home
        socket_folder = postgres_home.make_socket_folder(home)
        text = SETTINGS.format(port=PORT, socket_folder=str(socket_folder).replace("'", "''"))
        postgres_home.write_private(home.pgdata / "postgresql.conf", text, home.account)
        # Nobody serves the folder, yet a pid in stale files may by now be another process's, and stop PostgreSQL.
        for stale in (home.pgdata / "postmaster.pid", socket_folder / f".s.PGSQL.{PORT}.lock"):
            stale.unlink(missing_ok=True)
        if home.log.exists() and home.log.stat().st_size > LONGEST_LOG:
            home.log.replace(home.log.with_name("log.old"))
        output = postgres_home.open_private(home.log, home.account)
        command = [str(self._binaries / "postgres"), "-D", str(home.pgdata)]
        try:
            self._child = postgres_program.spawn(command, home.account, log=output, inherited=(lock,))
        finally:
            os.close(output)

    def _shut_down(self) -> None:
        for word, sent in (("fast", signal.SIGINT), ("immediate", signal.SIGQUIT)):
            if (pid := find_server(self._home.pgdata)) is None:
                break
            os.kill(pid, sent)
            if self._ended():
                log.info("stopped the embedded PostgreSQL mode=%s pid=%d folder=%s", word, pid, self._home.folder)
                break

    def _ended(self) -> bool:
        deadline = time.monotonic() + self._patience
        while time.monotonic() < deadline:
            if self._child is not None:
                self._child.poll()  # else it stays behind as a zombie
            with _server_lock(self._home) as lock:
                if lock is not None and find_server(self._home.pgdata) is None:
                    return True
            time.sleep(POLL)
        return False


def find_server(pgdata: Path) -> int | None:
    """The process id of the PostgreSQL that serves this folder, None if none does, whatever a stale file says."""
    if not (lines := _postmaster_lines(pgdata)):
        return None
    try:
        pid = int(lines[0])
        # Not its working directory, which is readable to nobody but its account in a container without ptrace.
        return pid if str(pgdata) in psutil.Process(pid).cmdline() else None
    except (ValueError, psutil.Error):
        return None


def _socket_folder(pgdata: Path) -> Path | None:
    lines = _postmaster_lines(pgdata)
    return Path(lines[4]) if len(lines) > 4 and lines[4] else None


def _postmaster_lines(pgdata: Path) -> list[str]:
    """postmaster.pid: pid, data folder, start, port, socket folder, address, shared memory, status."""
    try:
        return (pgdata / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


@contextmanager
def _server_lock(home: Home) -> Iterator[int | None]:
    """The lock's descriptor, or None while another process holds it. Children that inherit it go on holding it."""
    lock = postgres_home.open_private(home.folder / "server.lock", home.account)
    try:
        yield lock if _locked(lock) else None
    finally:
        os.close(lock)


def _locked(descriptor: int) -> bool:
    """Whether nobody else holds a lock on this file, which then is ours alone."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _tail(path: Path, *, lines: int = 20) -> str:
    if not path.exists():
        return "(it wrote no log)"
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - (lines << 8)))
        return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
