"""The account that the embedded PostgreSQL runs as, and the folders it lives in. Knows nothing of running servers.

PostgreSQL refuses to run as root, so root hands it to an account of its own. No folder outside the data folder is
ever opened to others for it, save under the system's temporary folder.
"""

import fcntl
import hashlib
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

ACCOUNT_NAME = "trialbook"
LONGEST_SOCKET_FOLDER = 80  # bytes; the kernel takes 104 (macOS) or 108 for the folder and "/.s.PGSQL.5432.lock"


class PostgresFailed(RuntimeError):
    """The embedded PostgreSQL can't be started; the message says why."""


@dataclass(frozen=True)
class Account:
    """The ids that PostgreSQL's processes run with; `groups` is None where they are inherited."""

    uid: int
    gid: int
    groups: tuple[int, ...] | None

    def may_enter(self, folder: Path) -> bool:
        status = folder.stat()
        if status.st_uid == self.uid:
            return bool(status.st_mode & stat.S_IXUSR)
        if status.st_gid == self.gid:
            return bool(status.st_mode & stat.S_IXGRP)
        return bool(status.st_mode & stat.S_IXOTH)


@dataclass(frozen=True)
class Home:
    """Everything of the embedded PostgreSQL, in one closed folder inside the data folder."""

    folder: Path
    account: Account

    @property
    def pgdata(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.folder / "log"


def choose_account() -> Account:
    """Our own account, or for root an unprivileged one, made when it is missing."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), None)
    entry = _find_account(ACCOUNT_NAME) or make_account(ACCOUNT_NAME)
    return Account(entry.pw_uid, entry.pw_gid, ())


def prepare(data_dir: Path, account: Account, temporary: Path) -> Home:
    """Makes the folders, closed to everybody else. Raises PostgresFailed where `account` can't get to them.

    Only folders inside `temporary`, where closed ones are the rule, are opened for it to pass.
    """
    data_dir = data_dir.expanduser().absolute()
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    data_dir = data_dir.resolve()
    if account.uid != os.geteuid():
        _let_in(data_dir, account, temporary.resolve())
    home = Home(data_dir / "postgres", account)
    make_closed_folder(home.folder, account)
    return home


def make_closed_folder(folder: Path, account: Account) -> Path:
    """A folder that only `account` may enter. Raises PostgresFailed where somebody else's stands in its place."""
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    status = folder.lstat()  # not stat: in a shared folder the name may be another user's link
    if not stat.S_ISDIR(status.st_mode) or status.st_uid not in (account.uid, os.geteuid()):
        raise PostgresFailed(f"{folder} exists and is not a folder of the account {account.uid} that runs PostgreSQL")
    os.chown(folder, account.uid, account.gid, follow_symlinks=False)
    folder.chmod(0o700)
    return folder


def make_socket_folder(home: Home) -> Path:
    """Beside the data, or where that path is too long for a socket, in a temporary folder named after it."""
    name = f"trialbook-{hashlib.sha256(os.fsencode(home.folder)).hexdigest()[:16]}"
    for folder in (home.folder / "socket", Path(tempfile.gettempdir()) / name, Path("/tmp") / name):  # noqa: S108
        if len(os.fsencode(folder)) <= LONGEST_SOCKET_FOLDER:
            return make_closed_folder(folder, home.account)
    raise PostgresFailed(f"no folder with a path short enough for a socket; {folder} is too long")


def open_private(path: Path, account: Account) -> int:
    """A descriptor on a file for appending that only `account` may read; never follows another's link."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    os.fchown(descriptor, account.uid, account.gid)
    return descriptor


def write_private(path: Path, text: str, account: Account) -> None:
    """Replaces a file in one step by one that only `account` may read."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
        file.write(text)
        os.fchown(file.fileno(), account.uid, account.gid)
    Path(file.name).replace(path)


def make_account(name: str) -> pwd.struct_passwd:
    """The account of that name, made if it is missing. Raises PostgresFailed where that can't be.

    One process at a time: of two `useradd` at once the later may give the name that is there already another id.
    """
    with _turn():
        if (entry := _find_account(name)) is not None:
            return entry
        useradd = shutil.which("useradd") or "/usr/sbin/useradd"
        options = ["--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
        try:
            command = [useradd, *options, "--shell", "/usr/sbin/nologin", name]
            said = subprocess.run(command, capture_output=True, text=True, check=False).stderr.strip()  # noqa: S603
        except OSError as error:
            said = str(error)
        if (entry := _find_account(name)) is not None:
            return entry
    raise PostgresFailed(
        f"PostgreSQL does not run as root and no account named {name} could be made for it ({said}); "
        "make one, run as another user, or name a database of your own by TRIALBOOK_DATABASE_URL"
    )


@contextmanager
def _turn() -> Iterator[None]:
    """Alone among our processes at the list of accounts, whatever their temporary folders."""
    folder = os.open("/etc", os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _find_account(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _let_in(data_dir: Path, account: Account, temporary: Path) -> None:
    """Hands an empty data folder to the account and checks the way to it. Run as root."""
    if not any(data_dir.iterdir()):
        os.chown(data_dir, account.uid, account.gid, follow_symlinks=False)
        data_dir.chmod(0o700)
    for folder in (data_dir, *data_dir.parents):
        if account.may_enter(folder):
            continue
        if temporary not in folder.parents:
            raise PostgresFailed(
                f"{folder} is closed to the account {ACCOUNT_NAME}, which runs PostgreSQL for root, and is "
                f"left so; choose another data folder, or let the account pass: chmod o+x {folder}"
            )
        folder.chmod(stat.S_IMODE(folder.stat().st_mode) | stat.S_IXOTH)
