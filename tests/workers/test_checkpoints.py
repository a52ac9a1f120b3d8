"""A trial goes on from its last checkpoint on any other worker."""

import itertools

import pytest
import torch

from models.datasets import load, split
from models.families import build
from workers import checkpoint

pytestmark = pytest.mark.slow

SAVING = """
import numpy as np
def train(trial):
    saved = trial.load()
    total, first = (saved["total"][0], trial.resume_step + 1) if saved else (0.0, 0)
    for step in range(first, 6):
        total = total + 0.1 * step
        trial.report(step, loss=total)
        trial.save(step, {"total": np.array([total])})
        if step == 3 and trial.attempt == 1:
            trial.stop_here()
    return total
"""
PARAMS = {"epochs": 25, "width": 16, "dropout": 0.2, "learning_rate": 0.05}
STOPPING = {"patience": 20, "min_delta": 0.0}


def test_a_failed_attempt_is_continued_from_its_checkpoint(server, start):
    whole, broken = server.add(), server.add()
    whole.attempt = 1  # its next is the second, so it runs through
    start(SAVING).join()
    assert broken.finished[0]["state"] == "failed"
    assert broken.reports == whole.reports
    assert broken.finished[-1]["value"] == whole.finished[-1]["value"]


def test_a_checkpoint_ahead_of_the_reports_is_never_uploaded(server, start):
    trial = server.add()
    start(
        "import numpy as np\ndef train(t):\n    t.report(0, a=1)\n    t.save(5, {'x': np.ones(1)})\n    raise OSError"
    ).join()
    assert "checkpoint" not in trial.artifacts


def test_a_damaged_checkpoint_starts_the_trial_from_the_beginning(server, start):
    trial = server.add()
    trial.artifacts["checkpoint"] = (b"\x08\0\0\0\0\0\0\0nonsense", 2)
    start(
        "def train(t):\n    for s in range(4):\n        t.report(s, loss=s)\n    return 0 if t.load() is None else 1"
    ).join()
    assert trial.finished[0]["value"] == 0
    assert "damaged" in trial.finished[0]["attributes"]["note"]
    assert [step for batch in trial.batches for step in batch] == [3]


def test_torch_tensors_come_back_as_torch_tensors(server, start):
    trial = server.add()
    start("""
import torch
def train(trial):
    if trial.attempt == 1:
        trial.report(0, loss=1)
        tied = torch.arange(3.0)
        trial.save(0, {"a": tied, "b": tied[1:]})
        raise RuntimeError
    return sum(tensor.sum() for tensor in trial.load().values())
""").join()
    assert trial.finished[-1]["value"] == 6


def test_a_worker_that_leaves_saves_and_releases_and_the_curve_is_as_if_nothing_had_been(server, start):
    whole, cut = (server.add("mlp", PARAMS, data="digits", metric="val_error", early_stopping=STOPPING) for _ in "ab")

    def decide(trial, step):
        if trial is cut and step == 2:
            working.slot.leave()
        return "continue"

    server.set(decide=decide)
    working = start(trainers=("mlp",))
    working.join()
    assert cut.released == 1, working.events()
    assert "checkpoint" in cut.artifacts, working.events()
    server.waiting.append(cut)
    start(trainers=("mlp",)).join()
    assert cut.attempt == 2
    assert 2 <= cut.artifacts["checkpoint"][1] < len(whole.reports) - 1
    assert cut.reports == whole.reports
    assert cut.finished[0]["value"] == whole.finished[0]["value"]
    assert cut.finished[0]["attributes"]["best_step"] == whole.finished[0]["attributes"]["best_step"]


SMALL = {"epochs": 6, "batch_size": 32}
TRAINED = {
    "momentum": ("mlp", "iris", {"width": 10, "momentum": 0.9, "dropout": 0.3, **SMALL}),
    "adam": ("mlp", "iris", {"width": 10, "optimizer": "adam", "dropout": 0.3, **SMALL}),
    "cnn": ("cnn", "digits", {"epochs": 4, "batch_size": 256, "optimizer": "adam", "dropout": 0.3}),
    "rnn": ("rnn", "digits", {"epochs": 4, "batch_size": 256, "momentum": 0.9}),
}


@pytest.mark.parametrize("case", TRAINED)
def test_training_goes_on_bit_for_bit_from_the_checkpoint_of_whichever_step(case, tmp_path):
    """Examples are shuffled and units dropped at random; the next process begins with another seed."""
    trainer, data, params = TRAINED[case]
    parts, whole = split(load(data)), build(trainer, params, seed=1)
    curve = list(whole.fit(parts))
    broken = build(trainer, params, seed=1)
    for epoch in itertools.islice(broken.fit(parts), len(curve) - 1):
        path = tmp_path / f"{epoch.step}"
        checkpoint.write(path, broken.state(), epoch.step)
        resumed = build(trainer, params, seed=99)
        assert list(resumed.fit(parts, resume=checkpoint.read(path))) == curve[epoch.step + 1 :]
        assert all(torch.equal(tensor, resumed.parameters()[name]) for name, tensor in whole.parameters().items())
