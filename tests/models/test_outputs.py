"""Output units: losses by the definition, finite at extreme logits; metrics against scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn import metrics as reference
from sklearn.utils.class_weight import compute_class_weight

from models.goals import balance
from models.metrics import decide, measure_classes, measure_numbers, measure_probabilities
from models.outputs import LinearOutput, Output, SigmoidOutput, SoftmaxOutput

GENERATOR = torch.Generator().manual_seed(0)
LOGITS = 3.0 * torch.randn(50, 4, generator=GENERATOR)
Y = torch.randint(4, (50,), generator=GENERATOR)


@pytest.mark.parametrize(("output", "width"), [(SoftmaxOutput(4), 4), (SigmoidOutput(), 1)], ids=["softmax", "sigmoid"])
def test_the_loss_is_the_mean_negative_log_likelihood(output: Output, width: int) -> None:
    logits, y = LOGITS[:, :width], Y if width > 1 else Y % 2
    probabilities = output.predict(logits.double())
    expected = reference.log_loss(y, probabilities, labels=list(range(probabilities.shape[1])))
    assert output.loss(logits, output.encode(y)).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("output", "width"), [(SoftmaxOutput(4), 4), (SigmoidOutput(), 1)], ids=["softmax", "sigmoid"])
def test_extreme_logits_give_finite_losses_and_gradients(output: Output, width: int) -> None:
    signs = torch.tensor([1.0, -1.0] * width)[: 2 * width].reshape(2, width)
    logits = (1e4 * signs).requires_grad_()
    loss = output.loss(logits, output.encode(torch.tensor([1, 0])))
    loss.backward()
    assert loss.isfinite()
    assert logits.grad is not None and logits.grad.isfinite().all()


def test_the_linear_output_standardizes_the_target_and_predicts_in_its_unit() -> None:
    output, y = LinearOutput(100.0, 20.0), torch.tensor([80.0, 100.0, 140.0])
    assert torch.equal(output.encode(y), torch.tensor([[-1.0], [0.0], [2.0]]))
    assert torch.equal(output.predict(output.encode(y)), y.double())
    assert output.loss(torch.zeros(3, 1), output.encode(y)).item() == pytest.approx(5.0 / 3.0)


@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("rows", [40, 5000])
@pytest.mark.parametrize("coarse", [False, True], ids=["distinct", "tied"])
def test_classification_metrics_equal_scikit_learns(classes: int, rows: int, coarse: bool) -> None:
    generator = torch.Generator().manual_seed(classes)
    probabilities = (2.0 * torch.randn(rows, classes, generator=generator)).softmax(dim=1)
    probabilities = (4.0 * probabilities).round() / 4.0 if coarse else probabilities
    y = torch.randint(classes, (rows,), generator=generator)
    measured = {name: value.item() for name, value in measure_probabilities(probabilities, y).items()}

    predicted, kind = probabilities.argmax(dim=1), "binary" if classes == 2 else "macro"
    asked = range(1, 2) if classes == 2 else range(classes)
    areas = [reference.roc_auc_score(y == c, probabilities[:, c]) for c in asked]
    assert measured == pytest.approx(
        {
            "error": reference.zero_one_loss(y, predicted),
            "accuracy": reference.accuracy_score(y, predicted),
            "precision": reference.precision_score(y, predicted, average=kind, zero_division=0),
            "recall": reference.recall_score(y, predicted, average=kind, zero_division=0),
            "f1": reference.f1_score(y, predicted, average=kind, zero_division=0),
            "auc": sum(areas) / len(areas),
            "cost": reference.zero_one_loss(y, predicted),
        }
    )


def test_classes_that_neither_occur_nor_are_predicted_do_not_count() -> None:
    probabilities, y = torch.tensor([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.6, 0.4, 0.0]]), torch.tensor([0, 1, 1])
    measured = measure_probabilities(probabilities, y)
    assert measured["recall"].item() == pytest.approx(reference.recall_score(y, [0, 1, 0], average="macro"))
    assert measured["auc"].item() == 1.0  # each of the two classes that are there stands above the other
    assert measure_probabilities(probabilities[:1], y[:1])["auc"] == 0.5  # nothing to compare with


def test_the_least_expected_cost_decides() -> None:
    costs = ((0.0, 1.0), (9.0, 0.0))  # to miss the second class is nine times as bad as a false alarm
    probabilities = torch.tensor([[0.95, 0.05], [0.85, 0.15], [0.3, 0.7]])
    assert decide(probabilities).tolist() == [0, 0, 1]
    assert decide(probabilities, costs).tolist() == [0, 1, 1]  # from 1 / (1 + 9) on
    y = torch.tensor([1, 0, 1])
    assert measure_probabilities(probabilities, y, costs)["cost"].item() == pytest.approx((9.0 + 1.0 + 0.0) / 3)
    assert measure_probabilities(probabilities, y, costs)["error"].item() == pytest.approx(2 / 3)
    nothing = torch.full((2, 2), torch.nan)
    assert measure_probabilities(nothing, torch.tensor([0, 1]), costs)["cost"].item() == pytest.approx((1.0 + 9.0) / 2)


@pytest.mark.parametrize("output", [SoftmaxOutput(2), SigmoidOutput()], ids=["softmax", "sigmoid"])
def test_class_weights_are_factors_of_the_examples_losses(output: Output) -> None:
    logits, y, weights = LOGITS[:, : output.width], Y % 2, torch.tensor([0.25, 3.0])
    each = [
        output.loss(logits[i : i + 1], output.encode(y[i : i + 1])).item() * weights[y[i]].item() for i in range(50)
    ]
    assert output.loss(logits, output.encode(y), weights).item() == pytest.approx(sum(each) / 50, rel=1e-5)


def test_balanced_weights_are_scikit_learns() -> None:
    y = torch.tensor([0, 0, 0, 0, 0, 1, 2, 2])
    expected = compute_class_weight("balanced", classes=np.arange(3), y=y.numpy())
    np.testing.assert_allclose(balance(y, 3), expected, rtol=1e-6)
    assert balance(y, 4).tolist() == pytest.approx([*expected, 0.0])


def test_regression_metrics_equal_scikit_learns() -> None:
    y, predicted = LOGITS[:, 0], LOGITS[:, 0] + LOGITS[:, 1]
    measured = {name: value.item() for name, value in measure_numbers(predicted, y).items()}
    assert measured["mse"] == pytest.approx(reference.mean_squared_error(y, predicted), rel=1e-6)
    assert measured["mae"] == pytest.approx(reference.mean_absolute_error(y, predicted), rel=1e-6)
    assert measured["r2"] == pytest.approx(reference.r2_score(y, predicted), rel=1e-6)


@pytest.mark.parametrize("predicted", [[2.0, 2.0, 2.0], [1.0, 2.0, 3.0]])
def test_r2_of_a_constant_target_is_scikit_learns(predicted: list[float]) -> None:
    y = torch.full((3,), 2.0)
    assert measure_numbers(torch.tensor(predicted), y)["r2"].item() == reference.r2_score(y, predicted)


def test_what_predicts_nothing_is_wrong() -> None:
    nothing = torch.full((3, 2), torch.nan)
    assert SoftmaxOutput(2).measure(nothing, torch.zeros(3, dtype=torch.int64))["error"] == 1.0
    assert SigmoidOutput().measure(nothing[:, :1], torch.zeros(3, dtype=torch.int64))["error"] == 1.0
    assert measure_classes(torch.tensor([0, -1]), torch.tensor([0, 0]))["accuracy"] == 0.5
