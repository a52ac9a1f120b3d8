"""A server's word imports nothing: a worker trains what its operator named, and gives all else back."""

import sys

import pytest

pytestmark = pytest.mark.slow
EVIL = """
from pathlib import Path
(Path(__file__).parent / "was-run").touch()
def run(*given):
    (Path(__file__).parent / "was-run").touch()
"""


@pytest.mark.parametrize(
    "name",
    ["os:system", "evil:run", "train:other", "train:train.__globals__", "evil", "../evil:run", "models.predict:main"],
)
def test_a_trial_of_a_trainer_that_was_not_offered_is_given_back(server, start, tmp_path, name):
    marker = tmp_path / "was-run"
    (tmp_path / "evil.py").write_text(EVIL)
    trial = server.add(name, params={"command": f"touch {marker}"})
    own = server.add()
    working = start("def train(trial):\n    return 1.0\ndef other(trial):\n    return 2.0").join()
    assert (trial.released, trial.finished) == (1, [])
    assert [entry["trainer"] for entry in working.events() if entry["event"] == "refused"] == [name]
    assert [end["value"] for end in own.finished] == [1.0]
    assert not marker.exists()
    assert "evil" not in sys.modules
