"""Scratch folders: one that a killed worker left goes, one that is in use stays."""

import subprocess
import sys
from pathlib import Path

from workers.scratch import PREFIX, scratch_folder, sweep

HOLD = """
from workers.scratch import scratch_folder
with scratch_folder() as folder:
    (folder / "resume").write_text("much")
    print(folder, flush=True)
    input()
"""


def test_what_a_killed_worker_left_is_swept_and_what_is_in_use_is_not(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / f"{PREFIX}file").write_text("not a folder")
    (tmp_path / "another").mkdir()
    command, pipe = [sys.executable, "-c", HOLD], subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as other:
        assert other.stdout is not None
        left = Path(other.stdout.readline().strip())
        with scratch_folder() as own:
            assert sweep() == 0
            other.kill()
            other.wait()
            assert sweep() == 1
            assert sorted(one.name for one in tmp_path.iterdir()) == sorted([own.name, f"{PREFIX}file", "another"])
            assert not left.exists()
    assert not own.exists()
