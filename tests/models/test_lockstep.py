"""Folds and seeds in lockstep: means, spreads, one state for all."""

import itertools
import statistics

import torch

from models.catalog import TRAINERS
from models.datasets import Split, load, split
from models.families import build
from models.learner import EarlyStopping
from models.lockstep import Lockstep, derive_seeds
from models.training import Learner
from tests.models.scripted import Scripted

PARAMS = {"width": 8, "epochs": 5, "dropout": 0.2}


def folded(folds: int) -> Split:
    return split(load("wine"), folds=folds)


def test_a_step_is_the_mean_over_folds_and_its_spread_stands_beside_it() -> None:
    data = folded(3)
    together = list(build("mlp", PARAMS, seed=4).fit(data))
    alone = [list(build("mlp", PARAMS, seed=4).fit(fold)) for fold in data.folds]
    for step, epoch in enumerate(together):
        losses = [curve[step].metrics["val_loss"] for curve in alone]
        assert abs(epoch.metrics["val_loss"] - statistics.mean(losses)) < 1e-12
        assert abs(epoch.metrics["val_loss_std"] - statistics.stdev(losses)) < 1e-12


def test_one_learner_has_no_spread() -> None:
    epoch = next(build("mlp", PARAMS).fit(folded(1)))
    assert not [name for name in epoch.metrics if name.endswith("_std")]


def test_several_seeds_differ_and_the_first_is_the_given_one() -> None:
    epoch = next(build("mlp", PARAMS, seed=7, seeds=3).fit(folded(1)))
    assert epoch.metrics["val_loss_std"] > 0
    assert derive_seeds(7, 3)[0] == 7
    assert len(set(derive_seeds(7, 3)) | set(derive_seeds(8, 3))) == 6


def test_one_state_resumes_all_members_exactly() -> None:
    data = folded(3)
    stopping = EarlyStopping("val_loss", "minimize", patience=2)
    whole, broken, resumed = (build("mlp", PARAMS, seeds=2) for _ in range(3))
    curve = list(whole.fit(data, early_stopping=stopping))
    list(itertools.islice(broken.fit(data, early_stopping=stopping), 2))
    assert list(resumed.fit(data, early_stopping=stopping, resume=broken.state())) == curve[2:]
    assert len(resumed.parameters()) == 6 * 6  # six members of three layers
    assert all(torch.equal(t, resumed.parameters()[name]) for name, t in whole.parameters().items())


def test_early_stopping_keeps_the_step_that_is_best_on_average() -> None:
    losses = {1: [9.0, 1.0, 5.0, 9.0], 2: [9.0, 6.0, 2.5, 1.0]}  # means 9, 3.5, 3.75, 5
    learner = Learner(Lockstep(lambda seed: Scripted(losses[seed]), seeds=[1, 2]), TRAINERS["logistic"])
    list(learner.fit(folded(1), early_stopping=EarlyStopping("val_loss", "minimize", patience=9)))
    assert learner.best is not None
    assert (learner.best.step, learner.best.metrics["val_loss"]) == (1, 3.5)
    assert learner.parameters() == {"0.step": torch.tensor(1), "1.step": torch.tensor(1)}


def test_predicts_the_mean_of_its_members() -> None:
    data = folded(1)
    learner = build("mlp", PARAMS, seeds=2)
    list(learner.fit(data))
    members = [build("mlp", PARAMS, seed=seed) for seed in derive_seeds(0, 2)]
    for member in members:
        list(member.fit(data))
    mean = (members[0].predict(data.test.x) + members[1].predict(data.test.x)) / 2
    torch.testing.assert_close(learner.predict(data.test.x), mean)
