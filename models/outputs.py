"""Output units with the loss that maximum likelihood gives each (chapter 6.2.2): linear, sigmoid, softmax."""

from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from models.datasets import IGNORED, Schema
from models.metrics import measure_classes, measure_numbers


class Output(Protocol):
    """The last layer's meaning. `outputs` are a net's raw numbers (N, width)."""

    width: int

    def encode(self, y: Tensor) -> Tensor:
        """A part's y (N,) → the targets that `loss` takes."""

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Mean negative log-likelihood up to a constant; finite for logits of any finite size."""

    def predict(self, outputs: Tensor) -> Tensor:
        """Probabilities of the classes (N, C), or numbers (N,) in the target's own unit."""

    def measure(self, outputs: Tensor, y: Tensor) -> dict[str, Tensor]:
        """The task's metrics besides the loss, as scalars."""


class LinearOutput:
    """A number. The net sees the standardized target, so the loss is in deviations squared; metrics keep the unit."""

    width = 1

    def __init__(self, mean: float, deviation: float) -> None:
        self._mean, self._deviation = mean, deviation

    def encode(self, y: Tensor) -> Tensor:
        return ((y.double() - self._mean) / self._deviation).float()[:, None]

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.mse_loss(outputs, targets)

    def predict(self, outputs: Tensor) -> Tensor:
        return outputs[:, 0].double() * self._deviation + self._mean

    def measure(self, outputs: Tensor, y: Tensor) -> dict[str, Tensor]:
        return measure_numbers(self.predict(outputs), y)


class SigmoidOutput:
    """One of two classes: the logit of the second."""

    width = 1

    def encode(self, y: Tensor) -> Tensor:
        return y.float()[:, None]

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.binary_cross_entropy_with_logits(outputs, targets)

    def predict(self, outputs: Tensor) -> Tensor:
        return torch.cat([torch.sigmoid(-outputs), torch.sigmoid(outputs)], dim=1)

    def measure(self, outputs: Tensor, y: Tensor) -> dict[str, Tensor]:
        logit = outputs[:, 0]
        return measure_classes((logit > 0).long().masked_fill(logit.isnan(), -1), y)


class SoftmaxOutput:
    """One of several classes: a logit for each."""

    def __init__(self, classes: int) -> None:
        self.width = classes

    def encode(self, y: Tensor) -> Tensor:
        return y

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.cross_entropy(outputs, targets)

    def predict(self, outputs: Tensor) -> Tensor:
        return outputs.softmax(dim=1)

    def measure(self, outputs: Tensor, y: Tensor) -> dict[str, Tensor]:
        largest, predicted = outputs.max(dim=1)  # nan where a row holds one
        return measure_classes(predicted.masked_fill(largest.isnan(), -1), y)


class StepOutput(SoftmaxOutput):
    """One of several classes for each step of a sequence: logits (N, T, C), targets (N, T), IGNORED not counted.

    The net may give fewer steps than the targets have, where all that is beyond is ignored.
    """

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        steps = targets[:, : outputs.shape[1]]
        return functional.cross_entropy(outputs.flatten(0, 1), steps.flatten(), ignore_index=IGNORED)

    def predict(self, outputs: Tensor) -> Tensor:
        return outputs.softmax(dim=2)

    def measure(self, outputs: Tensor, y: Tensor) -> dict[str, Tensor]:
        y = y[:, : outputs.shape[1]]
        asked = y != IGNORED
        return super().measure(outputs[asked], y[asked])


def choose_output(schema: Schema) -> Output:
    """The output unit that fits the task and the number of classes."""
    if schema.task == "regression":
        return LinearOutput(schema.target_mean, schema.target_deviation)
    if schema.task == "labelling":
        return StepOutput(len(schema.classes))
    return SigmoidOutput() if len(schema.classes) == 2 else SoftmaxOutput(len(schema.classes))
