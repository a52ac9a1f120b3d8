"""Multi-task learning: what the shared layers and the heads are taught, and that the small task gains."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from models.catalog import Value
from models.datasets import IGNORED, Head, Part, Split, load, split
from models.families import build
from models.multitask import AllHeads, Branches
from tests.models.tiny import tiny

SMALL: dict[str, Value] = {"width": 16, "epochs": 3}


def data() -> Split:
    return tiny("digits_parity")


def goal(task_weight: float = 1.0, only_head: int = 0) -> AllHeads:
    return AllHeads(data().schema, task_weight, only_head)


def echo() -> Branches:
    """A net whose logits are its inputs."""
    return Branches(torch.nn.Identity(), [torch.nn.Identity()])


def example() -> tuple[Tensor, Tensor]:
    """Logits of ten digits and two parities for four rows, of which the last two have no parity."""
    logits = torch.randn(4, 12, generator=torch.Generator().manual_seed(0))
    return logits, torch.tensor([[3, 1], [4, 0], [5, IGNORED], [0, IGNORED]])


def test_the_loss_is_the_weighted_sum_over_the_labels_that_are_known() -> None:
    logits, y = example()
    digits = -sum(logits[i, :10].log_softmax(dim=0)[y[i, 0]] for i in range(4))
    parities = -sum(logits[i, 10:].log_softmax(dim=0)[y[i, 1]] for i in range(2))
    net, part = echo(), Part(logits, y)
    torch.testing.assert_close(goal(2.5).loss(net, part), (digits + 2.5 * parities) / 4)
    torch.testing.assert_close(goal(2.5, only_head=1).loss(net, part), digits / 4)
    torch.testing.assert_close(goal(2.5, only_head=2).loss(net, part), parities / 4)


def test_the_metrics_are_means_over_the_heads_by_known_labels_alone() -> None:
    logits, y = example()
    measured = {name: value.item() for name, value in goal(9.0).measure(echo(), Part(logits, y)).items()}
    first = (logits[:, :10].argmax(dim=1) != y[:, 0]).double().mean().item()
    second = (logits[:2, 10:].argmax(dim=1) != y[:2, 1]).double().mean().item()
    assert (measured["first_error"], measured["others_error"]) == (first, second)
    assert measured["error"] == (first + second) / 2 == 1.0 - measured["accuracy"]
    cross_entropy = torch.nn.functional.cross_entropy
    losses = cross_entropy(logits[:, :10], y[:, 0]), cross_entropy(logits[:2, 10:], y[:2, 1])
    assert measured["loss"] == pytest.approx(sum(losses).item() / 2)


def test_a_head_without_any_label_is_left_out_of_the_means() -> None:
    logits, y = example()
    measured = goal().measure(echo(), Part(logits[2:], y[2:]))
    assert measured["error"] == measured["first_error"]
    assert math.isfinite(measured["loss"].item())
    assert math.isnan(measured["others_error"].item())


def test_outputs_that_are_not_numbers_are_wrong() -> None:
    logits, y = example()
    measured = goal().measure(echo(), Part(torch.full_like(logits, torch.nan), y))
    assert measured["error"] == 1.0
    assert math.isnan(measured["loss"].item())


def test_learning_one_task_alone_leaves_the_other_heads_as_they_were() -> None:
    first, taught = (build("multitask", {**SMALL, "only_head": 2, "epochs": epochs}) for epochs in (1, 3))
    for learner in (first, taught):
        list(learner.fit(data()))
    before, after = first.parameters(), taught.parameters()
    changed = {name.split(".")[2] for name in before if "heads" in name and not torch.equal(before[name], after[name])}
    assert changed == {"1"}


def test_predicts_each_heads_probabilities_side_by_side() -> None:
    learner = build("multitask", SMALL)
    epoch = list(learner.fit(data()))[-1]
    predicted, y = learner.predict(data().validation.x), data().validation.y
    torch.testing.assert_close(predicted[:, :10].sum(dim=1), torch.ones(len(y)))
    torch.testing.assert_close(predicted[:, 10:].sum(dim=1), torch.ones(len(y)))
    wrong = (predicted[:, :10].argmax(dim=1) != y[:, 0]).double().mean().item()
    assert wrong == pytest.approx(epoch.metrics["val_first_error"])


def test_refuses_heads_that_are_not_there() -> None:
    with pytest.raises(ValueError, match="only_head is 3, but digits_parity has 2 heads"):
        goal(only_head=3)
    with pytest.raises(ValueError, match="too few heads"):
        AllHeads(replace(data().schema, heads=(Head("digit", ("0", "1")),)), 1.0, 0)


def test_the_built_in_set_knows_the_parity_of_few_training_rows_and_of_all_test_rows() -> None:
    whole = load("digits_parity")
    digit, parity = whole.y.unbind(dim=1)
    known = parity != IGNORED
    assert torch.equal(parity[known], digit[known] % 2)
    parts = split(whole)
    assert 50 <= (parts.train.y[:, 1] != IGNORED).sum() <= 70
    assert (parts.test.y[:, 1] != IGNORED).all()


@pytest.mark.slow
def test_several_tasks_together_beat_one_alone_on_the_task_with_few_labels() -> None:
    params: dict[str, Value] = {"epochs": 20, "batch_size": 32}
    whole, errors = load("digits_parity"), dict[int, list[float]]()
    for only_head in (0, 2):
        for seed in range(3):
            learner = build("multitask", {**params, "only_head": only_head}, seed=seed)
            list(learner.fit(split(whole, seed)))
            errors.setdefault(only_head, []).append(learner.measure_test()["test_others_error"])
    assert sum(errors[0]) < 0.8 * sum(errors[2])
