"""Output units with the loss that maximum likelihood gives each (chapter 6.2.2): linear, sigmoid, softmax."""

from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from models.datasets import IGNORED, Schema
from models.metrics import Costs, measure_classes, measure_numbers, measure_probabilities


class Output(Protocol):
    """The last layer's meaning. `outputs` are a net's raw numbers (N, width)."""

    width: int

    def encode(self, y: Tensor) -> Tensor:
        """A part's y (N,) → the targets that `loss` takes."""

    def loss(self, outputs: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        """Mean negative log-likelihood up to a constant; finite for logits of any finite size.

        `weights` (C,) are factors of the examples' losses by their class. The mean is over the examples, not over the
        weights, so that each example counts the same in whatever batch it falls. Only for a class for each example.
        """

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

    def loss(self, outputs: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        return functional.mse_loss(outputs, targets)

    def predict(self, outputs: Tensor) -> Tensor:
        return outputs[:, 0].double() * self._deviation + self._mean

    def measure(self, outputs: Tensor, y: Tensor) -> dict[str, Tensor]:
        return measure_numbers(self.predict(outputs), y)


class SigmoidOutput:
    """One of two classes: the logit of the second. Decisions are the least expected cost's."""

    width = 1

    def __init__(self, costs: Costs = ()) -> None:
        self._costs = costs

    def encode(self, y: Tensor) -> Tensor:
        return y.float()[:, None]

    def loss(self, outputs: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        factors = None if weights is None else torch.where(targets > 0, weights[1], weights[0]).to(outputs.dtype)
        return functional.binary_cross_entropy_with_logits(outputs, targets, factors)

    def predict(self, outputs: Tensor) -> Tensor:
        return torch.cat([torch.sigmoid(-outputs), torch.sigmoid(outputs)], dim=1)

    def measure(self, outputs: Tensor, y: Tensor) -> dict[str, Tensor]:
        return measure_probabilities(self.predict(outputs), y, self._costs)


class SoftmaxOutput:
    """One of several classes: a logit for each. Decisions are the least expected cost's."""

    def __init__(self, classes: int, costs: Costs = ()) -> None:
        self.width, self._costs = classes, costs

    def encode(self, y: Tensor) -> Tensor:
        return y

    def loss(self, outputs: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        if weights is None:
            return functional.cross_entropy(outputs, targets)
        return functional.cross_entropy(outputs, targets, weights.to(outputs.dtype), reduction="sum") / len(targets)

    def predict(self, outputs: Tensor) -> Tensor:
        return outputs.softmax(dim=1)

    def measure(self, outputs: Tensor, y: Tensor) -> dict[str, Tensor]:
        return measure_probabilities(self.predict(outputs), y, self._costs)


class StepOutput(SoftmaxOutput):
    """One of several classes for each step of a sequence: logits (N, T, C), targets (N, T), IGNORED not counted.

    The net may give fewer steps than the targets have, where all that is beyond is ignored.
    """

    def loss(self, outputs: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        steps = targets[:, : outputs.shape[1]]
        return functional.cross_entropy(outputs.flatten(0, 1), steps.flatten(), ignore_index=IGNORED)

    def predict(self, outputs: Tensor) -> Tensor:
        return outputs.softmax(dim=2)

    def measure(self, outputs: Tensor, y: Tensor) -> dict[str, Tensor]:
        y = y[:, : outputs.shape[1]]
        asked = y != IGNORED
        largest, predicted = outputs[asked].max(dim=1)  # nan where a row holds one
        return measure_classes(predicted.masked_fill(largest.isnan(), -1), y[asked])


def choose_output(schema: Schema, costs: Costs = ()) -> Output:
    """The output unit that fits the task and the number of classes; `costs` of one class for each example.

    Raises ValueError where they are not of the data's classes.
    """
    if costs and schema.task == "classification" and len(costs) != len(schema.classes):
        raise ValueError(f"cost_matrix is of {len(costs)} classes, but {schema.name} has {len(schema.classes)}")
    if schema.task == "regression":
        return LinearOutput(schema.target_mean, schema.target_deviation)
    if schema.task == "labelling":
        return StepOutput(len(schema.classes))
    return SigmoidOutput(costs) if len(schema.classes) == 2 else SoftmaxOutput(len(schema.classes), costs)
