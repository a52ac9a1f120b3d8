"""Output units: losses by the definition, finite at extreme logits; metrics against scikit-learn."""

import pytest
import torch
from sklearn import metrics as reference

from models.metrics import measure_classes, measure_numbers
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


def test_classification_metrics_equal_scikit_learns() -> None:
    predicted = LOGITS.argmax(dim=1)
    measured = SoftmaxOutput(4).measure(LOGITS, Y)
    assert measured["accuracy"].item() == reference.accuracy_score(Y, predicted)
    assert measured["error"].item() == pytest.approx(reference.zero_one_loss(Y, predicted))


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
